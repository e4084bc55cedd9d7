package run_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// check completes and checks a spec after a change of it and its container.
func check(f func(s *run.Spec, c *run.Container)) error {
	s := spec("gcr.io/sunya/hello")
	f(&s, &s.Template.Containers[0])
	s.Complete(hello)
	return s.Check(hello)
}

func TestSpecsThatAreRefused(t *testing.T) {
	const template = "service.template"
	const container = template + ".containers[0]"
	probe := func(f func(*sunya.Probe)) func(*run.Spec, *run.Container) {
		return func(_ *run.Spec, c *run.Container) {
			c.Startup = &sunya.Probe{TCP: &sunya.TCPProbe{}, Timeout: time.Second, Period: 10 * time.Second, Failures: 3}
			f(c.Startup)
		}
	}
	side := func(s *run.Spec, names ...string) {
		for _, name := range names {
			s.Template.Containers = append(s.Template.Containers, run.Container{Container: sunya.Container{ContainerName: name}, From: sunya.ImageSpec{Reference: "x"}})
		}
	}
	for _, tt := range []struct {
		field, says string
		change      func(*run.Spec, *run.Container)
	}{
		{"service.ingress", `"moon"`, func(s *run.Spec, _ *run.Container) { s.Ingress = "moon" }},
		{"service.description", "513", func(s *run.Spec, _ *run.Container) { s.Description = strings.Repeat("x", 513) }},
		{"service.labels", "a b", func(s *run.Spec, _ *run.Container) { s.Labels = map[string]string{"a b": ""} }},
		{"service.labels", "64", func(s *run.Spec, _ *run.Container) { s.Labels = map[string]string{"a": strings.Repeat("x", 64)} }},
		{template + ".annotations", "-x", func(s *run.Spec, _ *run.Container) { s.Template.Annotations = map[string]string{"-x": ""} }},
		{"service.custom_audiences[1]", `""`, func(s *run.Spec, _ *run.Container) { s.CustomAudiences = []string{"https://a", ""} }},
		{"service.scaling.min_instance_count", "-1", func(s *run.Spec, _ *run.Container) { s.Scaling.Min = -1 }},
		{"service.scaling.min_instance_count", "more than", func(s *run.Spec, _ *run.Container) { s.Scaling.Min, s.Scaling.Max = 3, 2 }},
		{"service.scaling.manual_instance_count", "1001", func(s *run.Spec, _ *run.Container) { n := 1001; s.Scaling.Manual = &n }},
		{template + ".timeout", "1h0m1s", func(s *run.Spec, _ *run.Container) { s.Template.Timeout = 3601 * time.Second }},
		{template + ".max_instance_request_concurrency", "1001", func(s *run.Spec, _ *run.Container) { s.Template.Concurrency = 1001 }},
		{template + ".max_instance_request_concurrency", "whole CPU", func(s *run.Spec, c *run.Container) { s.Template.Concurrency, c.CPUMillis = 2, 500 }},
		{template + ".scaling.max_instance_count", "1001", func(s *run.Spec, _ *run.Container) { s.Template.Max = 1001 }},
		{template + ".scaling.min_instance_count", "more than", func(s *run.Spec, _ *run.Container) { s.Template.Min, s.Template.Max = 3, 2 }},
		{template + ".service_account", `"ada"`, func(s *run.Spec, _ *run.Container) { s.Template.Account = "ada" }},
		{container + ".resources.limits[memory]", "512Mi", func(s *run.Spec, c *run.Container) { s.Template.Generation2, c.MemoryBytes = true, 256<<20 }},
		{container + ".resources.cpu_idle", "whole one", func(_ *run.Spec, c *run.Container) { c.AlwaysOn, c.CPUMillis = true, 500 }},
		{container + ".image", "missing", func(_ *run.Spec, c *run.Container) { c.From.Reference = "" }},
		{container + ".name", `"A"`, func(_ *run.Spec, c *run.Container) { c.ContainerName = "A" }},
		{container + ".working_dir", `"x"`, func(_ *run.Spec, c *run.Container) { c.Dir = "x" }},
		{container + ".args", "1001", func(_ *run.Spec, c *run.Container) { c.From.Args = make([]string, 1001) }},
		{container + ".args", "NUL", func(_ *run.Spec, c *run.Container) { c.From.Command = []string{"a\x00"} }},
		{container + ".resources.limits[memory]", "127", func(_ *run.Spec, c *run.Container) { c.MemoryBytes = 127 << 20 }},
		{container + ".resources.limits[memory]", "33", func(_ *run.Spec, c *run.Container) { c.MemoryBytes = 33 << 30 }},
		{container + ".resources.limits[cpu]", "3 CPUs", func(_ *run.Spec, c *run.Container) { c.CPUMillis = 3000 }},
		{container + ".resources.limits[cpu]", "0.07 CPUs", func(_ *run.Spec, c *run.Container) { c.CPUMillis = 70 }},
		{container + ".resources.limits[cpu]", "needs 2 CPUs", func(_ *run.Spec, c *run.Container) { c.MemoryBytes = 5 << 30 }},
		{container + ".resources.limits[cpu]", "needs 0.5 CPUs", func(_ *run.Spec, c *run.Container) { c.MemoryBytes, c.CPUMillis = 1<<30, 400 }},
		{container + ".resources.limits[memory]", "4 CPUs need", func(_ *run.Spec, c *run.Container) { c.MemoryBytes, c.CPUMillis = 1<<30, 4000 }},
		{container + ".env", "K_SERVICE is reserved", func(_ *run.Spec, c *run.Container) { c.Env = []sunya.EnvVar{{Name: "K_SERVICE"}} }},
		{container + ".env", "PORT is reserved", func(_ *run.Spec, c *run.Container) { c.Env = []sunya.EnvVar{{Name: "PORT"}} }},
		{container + ".env", "twice", func(_ *run.Spec, c *run.Container) { c.Env = []sunya.EnvVar{{Name: "A"}, {Name: "A"}} }},
		{container + ".env", "1A", func(_ *run.Spec, c *run.Container) { c.Env = []sunya.EnvVar{{Name: "1A"}} }},
		{container + ".env", "1001", func(_ *run.Spec, c *run.Container) { c.Env = make([]sunya.EnvVar, 1001) }},
		{container + ".volume_mounts[0].name", `"v"`, func(_ *run.Spec, c *run.Container) { c.Mounts = []sunya.VolumeMount{{Volume: "v", Path: "/v"}} }},
		{template + ".volumes[0]", "empty_dir", func(s *run.Spec, _ *run.Container) { s.Template.Volumes = []sunya.Volume{{Name: "v"}} }},
		{template + ".volumes[1].name", "another volume", func(s *run.Spec, _ *run.Container) {
			v := sunya.Volume{Name: "v", Memory: &sunya.MemoryVolume{}}
			s.Template.Volumes = []sunya.Volume{v, v}
		}},
		{container + ".startup_probe", "how to ask", probe(func(p *sunya.Probe) { p.TCP = nil })},
		{container + ".startup_probe.http_get.path", `"x"`, probe(func(p *sunya.Probe) { p.HTTP = &sunya.HTTPProbe{Path: "x"} })},
		{container + ".startup_probe.initial_delay_seconds", "4m1s", probe(func(p *sunya.Probe) { p.Delay = 241 * time.Second })},
		{container + ".startup_probe.period_seconds", "0s", probe(func(p *sunya.Probe) { p.Period = 0 })},
		{container + ".startup_probe.timeout_seconds", "longer", probe(func(p *sunya.Probe) { p.Timeout = 11 * time.Second })},
		{container + ".startup_probe.failure_threshold", "-1", probe(func(p *sunya.Probe) { p.Failures = -1 })},
		{container + ".startup_probe.failure_threshold", "240", probe(func(p *sunya.Probe) { p.Failures = 25 })},
		{container + ".startup_probe.port", "65536", probe(func(p *sunya.Probe) { p.TCP.Port = 65536 })},
		{template + ".containers", "is empty", func(s *run.Spec, _ *run.Container) { s.Template.Containers = nil }},
		{template + ".containers", "11", func(s *run.Spec, _ *run.Container) { side(s, strings.Split("abcdefghij", "")...) }},
		{template + ".containers", "0 containers have ports", func(s *run.Spec, _ *run.Container) { side(s, "a") }},
		{template + ".containers[2].name", `"a"`, func(s *run.Spec, _ *run.Container) { side(s, "a", "a") }},
		{container + ".depends_on", `"b"`, func(s *run.Spec, c *run.Container) { c.DependsOn = []string{"b"}; side(s, "a") }},
		{template + ".containers[1].depends_on", "wait for each other", func(s *run.Spec, c *run.Container) {
			c.Port, c.ContainerName, c.DependsOn = 8080, "main", []string{"a"}
			side(s, "a")
			s.Template.Containers[1].DependsOn = []string{"main"}
		}},
	} {
		t.Run(tt.field+" "+tt.says, func(t *testing.T) {
			wantInvalid(t, check(tt.change), tt.field, tt.says)
		})
	}
	for _, path := range []string{"v", "/", "/v/", "/a/../b", "/proc", "/dev/shm", "/sys/x", "/a\x00"} {
		err := check(func(s *run.Spec, c *run.Container) {
			s.Template.Volumes = []sunya.Volume{{Name: "v", Memory: &sunya.MemoryVolume{}}}
			c.Mounts = []sunya.VolumeMount{{Volume: "v", Path: path}}
		})
		wantInvalid(t, err, container+".volume_mounts[0].mount_path", "")
	}
}

func TestSpecsThatAreTaken(t *testing.T) {
	for what, f := range map[string]func(*run.Spec, *run.Container){
		"as little as there may be": func(*run.Spec, *run.Container) {},
		"a little of everything":    func(_ *run.Spec, c *run.Container) { c.MemoryBytes, c.CPUMillis = 128<<20, 80 },
		"much of everything":        func(_ *run.Spec, c *run.Container) { c.MemoryBytes, c.CPUMillis = 32<<30, 8000 },
		"half a CPU":                func(_ *run.Spec, c *run.Container) { c.MemoryBytes, c.CPUMillis = 1<<30, 500 },
		"a sidecar": func(s *run.Spec, c *run.Container) {
			c.Port, c.DependsOn = 80, []string{"proxy"}
			s.Template.Containers = append(s.Template.Containers, run.Container{Container: sunya.Container{ContainerName: "proxy"}, From: sunya.ImageSpec{Reference: "x"}})
			s.Template.Volumes = []sunya.Volume{{Name: "v", Memory: &sunya.MemoryVolume{Bytes: 1}}}
			c.Mounts = []sunya.VolumeMount{{Volume: "v", Path: "/v"}}
		},
		"a slow start": func(_ *run.Spec, c *run.Container) {
			c.Startup = &sunya.Probe{GRPC: &sunya.GRPCProbe{}, Timeout: time.Second, Period: 10 * time.Second, Failures: 24}
		},
	} {
		if err := check(f); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestComplete(t *testing.T) {
	s := spec("x")
	s.Template.Containers[0].CPUMillis = 500
	s.Template.Containers[0].Startup = &sunya.Probe{TCP: &sunya.TCPProbe{Port: 8080}, Timeout: 240 * time.Second, Period: 240 * time.Second, Failures: 1}
	s.Template.Min = 200
	s.Complete(hello)
	tmpl := s.Template
	if tmpl.Concurrency != 1 || tmpl.Containers[0].Startup != nil || tmpl.Max != 200 || tmpl.Account != sunya.ComputeAccount("sunya") {
		t.Errorf("template = %+v", tmpl)
	}
	before := fmt.Sprintf("%+v", s)
	if s.Complete(hello); fmt.Sprintf("%+v", s) != before {
		t.Error("completing twice changes something")
	}
}

func TestNames(t *testing.T) {
	for _, bad := range []string{"", "A", "1a", "a-", "a_b", "a-dot-b", "dot-a", "a---b", strings.Repeat("a", 50), "a/b"} {
		k := hello
		k.ID = bad
		if err := k.Check(); err == nil {
			t.Errorf("%q: %v", bad, err)
		}
	}
	k := run.Key{Project: "p", Location: "US", ID: "a"}
	if err := k.Check(); sunya.CodeOf(err) != sunya.InvalidArgument {
		t.Errorf("location US: %v", err)
	}
}

func TestQuantities(t *testing.T) {
	for in, want := range map[string]int64{"512Mi": 512 << 20, "1Gi": 1 << 30, "512M": 512e6, "1.5Gi": 3 << 29, "1000": 1000, "1k": 1000, "12Q": -1, "": -1, "-1Mi": -1, "1 Gi": -1, "1e9": -1, "999999999999999999Ti": -1} {
		got, err := run.ParseMemory(in)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("memory %q = %d, %v; want %d", in, got, err, want)
		}
	}
	for in, want := range map[string]int{"1": 1000, "0.5": 500, "1000m": 1000, "0.08": 80, "x": -1, "": -1, "1Gi": -1, "-1": -1} {
		got, err := run.ParseCPU(in)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("cpu %q = %d, %v; want %d", in, got, err, want)
		}
	}
}

func FuzzQuantities(f *testing.F) {
	for _, s := range []string{"512Mi", "1.5Gi", "1000m", "0.08", "9999999999999999999T"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := run.ParseMemory(s); err == nil && n < 0 {
			t.Errorf("%q is %d bytes", s, n)
		}
		if n, err := run.ParseCPU(s); err == nil && n < 0 {
			t.Errorf("%q is %d thousandths", s, n)
		}
	})
}
