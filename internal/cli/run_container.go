package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/pflag"
)

// containerFlags are those of one container: of the one that answers requests,
// or of the one that --container has named before them.
type containerFlags struct {
	machineFlags
	name    string // of --container; empty: the container that answers requests
	image   string
	source  string
	changes []containerChange
}

// containerChange is what one flag does to a container.
type containerChange func(*runpb.Container) error

// containerSet hands the flags of a command line, in their order, to the
// containers that they are about.
type containerSet struct{ all []*containerFlags }

// current is the container that was named last.
func (s *containerSet) current() *containerFlags {
	if len(s.all) == 0 {
		s.all = append(s.all, &containerFlags{})
	}
	return s.all[len(s.all)-1]
}

// name begins the flags of a container.
func (s *containerSet) name(name string) error {
	if name == "" {
		return usagef("a container needs a name")
	}
	if slices.ContainsFunc(s.all, func(c *containerFlags) bool { return c.name == name }) {
		return usagef("%s was named before: put all of its flags behind one --container", name)
	}
	s.all = append(s.all, &containerFlags{name: name})
	return nil
}

func (s *containerSet) change(f containerChange) {
	c := s.current()
	c.changes = append(c.changes, f)
}

// registerContainer adds the flags that services and jobs have of a container.
func registerContainer(fs *pflag.FlagSet, s *containerSet) {
	registerMachine(fs, "512Mi (the default) or 1Gi", "1 (the default) or 0.5", func() *machineFlags { return &s.current().machineFlags })
	textFlag(fs, "container", "the flags behind it are about this container", s.name)
	textFlag(fs, "image", "image to run, such as gcr.io/sunya/hello:v1", func(v string) error { s.current().image = v; return nil })
	listFlag(fs, "command", "program instead of the image's: WORD,…", func(v []string) {
		s.change(func(c *runpb.Container) error { c.Command = v; return nil })
	})
	listFlag(fs, "args", "arguments instead of the image's: WORD,…", func(v []string) {
		s.change(func(c *runpb.Container) error { c.Args = v; return nil })
	})
	textFlag(fs, "startup-probe", "how it is asked whether it has started: httpGet.path=/,periodSeconds=5,…", s.probe(true))
	textFlag(fs, "workdir", "directory in which it begins", func(v string) error {
		s.change(func(c *runpb.Container) error { c.WorkingDir = v; return nil })
		return nil
	})
	listFlag(fs, "depends-on", "containers that start before it: NAME,…", func(v []string) {
		s.change(func(c *runpb.Container) error { c.DependsOn = v; return nil })
	})
	registerMounts(fs, s)
	hide(fs, "container", "startup-probe", "workdir", "depends-on")
}

// registerServing adds the flags of a container that answers requests.
func registerServing(fs *pflag.FlagSet, s *containerSet) {
	textFlag(fs, "port", "port on which it listens (default 8080)", func(v string) error {
		n, err := strconv.Atoi(v)
		if v != "default" && (err != nil || n < 1 || n > 65535) {
			return usagef("%q is not a port: use 1 to 65535, or default", v)
		}
		s.change(func(c *runpb.Container) error {
			if isDefaultProbe(c) {
				c.StartupProbe = nil // the port has another
			}
			portOf(c).ContainerPort = int32(n)
			return nil
		})
		return nil
	})
	switchFlag(fs, "use-http2", "speak HTTP/2 with the container, end to end", func(yes bool) {
		s.change(func(c *runpb.Container) error {
			portOf(c).Name = map[bool]string{true: "h2c", false: "http1"}[yes]
			return nil
		})
	})
	switchFlag(fs, "cpu-throttling", "take the CPU away between requests (the default)", func(yes bool) {
		s.change(func(c *runpb.Container) error { resourcesOf(c).CpuIdle = yes; return nil })
	})
	switchFlag(fs, "cpu-boost", "more CPU while it starts", func(yes bool) {
		s.change(func(c *runpb.Container) error { resourcesOf(c).StartupCpuBoost = yes; return nil })
	})
	textFlag(fs, "liveness-probe", "how it is asked whether it is well, as --startup-probe", s.probe(false))
	fs.Lookup("cpu-throttling").Hidden, fs.Lookup("no-cpu-throttling").Hidden = true, false
	fs.Lookup("no-cpu-throttling").Usage = "leave it the CPU between requests"
	hide(fs, "cpu-boost", "liveness-probe")
}

// isDefaultProbe reports whether a container's startup probe is the one that the
// server adds where there is none: a connection to its port within 240 seconds.
func isDefaultProbe(c *runpb.Container) bool {
	p := c.GetStartupProbe()
	return len(c.GetPorts()) > 0 && p.GetTcpSocket() != nil && p.GetTcpSocket().GetPort() == c.GetPorts()[0].GetContainerPort() &&
		p.GetTimeoutSeconds() == 240 && p.GetPeriodSeconds() == 240 && p.GetFailureThreshold() == 1
}

// portOf is the port of a container, which gets one.
func portOf(c *runpb.Container) *runpb.ContainerPort {
	if len(c.GetPorts()) == 0 {
		c.Ports = []*runpb.ContainerPort{{}}
	}
	return c.GetPorts()[0]
}

// resourcesOf are the resources of a container, which gets some. Where none are
// said the CPU is idle between requests, and where some are it must be said
// (Cloud Run v2, ResourceRequirements.cpu_idle).
func resourcesOf(c *runpb.Container) *runpb.ResourceRequirements {
	if c.GetResources() == nil {
		c.Resources = &runpb.ResourceRequirements{CpuIdle: true}
	}
	return c.GetResources()
}

// apply changes a container as its flags say.
func (f *containerFlags) apply(c *runpb.Container, dir string) error {
	if f.image != "" {
		c.Image = f.image
	}
	for _, limit := range []struct{ name, value string }{{"memory", f.memory}, {"cpu", f.cpu}} {
		if limit.value != "" {
			r := resourcesOf(c)
			r.Limits = added(r.GetLimits(), map[string]string{limit.name: limit.value})
		}
	}
	for _, change := range f.changes {
		if err := change(c); err != nil {
			return err
		}
	}
	return f.applyEnv(c, dir)
}

// applyEnv changes the variables with plain values; the others stay where they
// are. Those that are new come last, in order of their names.
func (f *containerFlags) applyEnv(c *runpb.Container, dir string) error {
	if !f.env.given() {
		return nil
	}
	now := map[string]string{}
	for _, v := range c.GetEnv() {
		now[v.GetName()] = v.GetValue()
	}
	want, err := f.env.apply(now, dir)
	if err != nil {
		return err
	}
	var env []*runpb.EnvVar
	for _, v := range c.GetEnv() {
		value, kept := want[v.GetName()]
		if !kept {
			continue
		}
		if v.GetValueSource() == nil || value != "" {
			v = plainVar(v.GetName(), value)
		}
		env = append(env, v)
		delete(want, v.GetName())
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		env = append(env, plainVar(name, want[name]))
	}
	c.Env = env
	return nil
}

func plainVar(name, value string) *runpb.EnvVar {
	return &runpb.EnvVar{Name: name, Values: &runpb.EnvVar_Value{Value: value}}
}

// find returns the container that flags are about, which is made where it has a
// name that is new.
func (f *containerFlags) find(t *runpb.RevisionTemplate) (*runpb.Container, error) {
	cs := t.GetContainers()
	if f.name == "" {
		switch i := slices.IndexFunc(cs, func(c *runpb.Container) bool { return len(c.GetPorts()) > 0 }); {
		case i >= 0:
			return cs[i], nil
		case len(cs) == 1:
			return cs[0], nil
		case len(cs) > 1:
			return nil, usagef("the service has several containers: say with --container which one the flags are about")
		}
	}
	if i := slices.IndexFunc(cs, func(c *runpb.Container) bool { return c.GetName() == f.name }); i >= 0 {
		return cs[i], nil
	}
	c := &runpb.Container{Name: f.name}
	t.Containers = append(cs, c)
	return c, nil
}

// probe reads gcloud's form of a probe; an empty one takes it away.
func (s *containerSet) probe(startup bool) func(string) error {
	return func(v string) error {
		p, err := parseProbe(v)
		if err != nil {
			return err
		}
		s.change(func(c *runpb.Container) error {
			if startup {
				c.StartupProbe = p
			} else {
				c.LivenessProbe = p
			}
			return nil
		})
		return nil
	}
}

// parseProbe reads httpGet.path=/,periodSeconds=5,…; an empty text is no probe.
func parseProbe(s string) (*runpb.Probe, error) {
	fields, err := splitPairs(s)
	if err != nil || len(fields) == 0 {
		return nil, err
	}
	p, port := &runpb.Probe{}, int32(0)
	var kinds []string
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		kind, _, nested := strings.Cut(key, ".")
		if nested && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
		into := map[string]*int32{
			"initialDelaySeconds": &p.InitialDelaySeconds, "timeoutSeconds": &p.TimeoutSeconds, "periodSeconds": &p.PeriodSeconds,
			"failureThreshold": &p.FailureThreshold, "httpGet.port": &port, "tcpSocket.port": &port, "grpc.port": &port,
		}[key]
		switch {
		case into != nil:
			n, err := strconv.ParseInt(fields[key], 10, 32)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("%s: %q is not a whole number", key, fields[key])
			}
			*into = int32(n)
		case key == "httpGet.path", key == "grpc.service":
		default:
			return nil, fmt.Errorf("%q is not a field of a probe: use initialDelaySeconds, timeoutSeconds, periodSeconds, failureThreshold, httpGet.path, tcpSocket.port, grpc.port or grpc.service", key)
		}
	}
	if len(kinds) != 1 {
		return nil, fmt.Errorf("say one way to ask: httpGet, tcpSocket or grpc")
	}
	switch kinds[0] {
	case "httpGet":
		p.ProbeType = &runpb.Probe_HttpGet{HttpGet: &runpb.HTTPGetAction{Path: fields["httpGet.path"], Port: port}}
	case "tcpSocket":
		p.ProbeType = &runpb.Probe_TcpSocket{TcpSocket: &runpb.TCPSocketAction{Port: port}}
	case "grpc":
		p.ProbeType = &runpb.Probe_Grpc{Grpc: &runpb.GRPCAction{Port: port, Service: fields["grpc.service"]}}
	}
	return p, nil
}
