package linuxns

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// samples reports the median and the 90th percentile beside the mean, which a
// shared machine makes useless.
type samples []time.Duration

func (s *samples) time(f func()) {
	begin := time.Now()
	f()
	*s = append(*s, time.Since(begin))
}

func (s samples) report(b *testing.B) {
	slices.Sort(s)
	b.ReportMetric(float64(s[len(s)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(s[len(s)*9/10].Microseconds())/1000, "p90-ms")
}

// stageTimes are the durations of each stage of many starts.
type stageTimes map[string][]time.Duration

func (t stageTimes) add(stages []sandbox.Stage) {
	for i, s := range stages {
		name := fmt.Sprintf("%02d %s", i, s.Name)
		t[name] = append(t[name], s.Took)
	}
}

// String shows the median of each.
func (t stageTimes) String() string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(t)) {
		slices.Sort(t[name])
		fmt.Fprintf(&text, "%s %v  ", name, t[name][len(t[name])/2])
	}
	return text.String()
}

// BenchmarkPlain is what the same program costs without a sandbox: the figure
// to divide by.
func BenchmarkPlain(b *testing.B) {
	var took samples
	for b.Loop() {
		cmd := exec.Command("/bin/sleep", "1000")
		var err error
		took.time(func() { err = cmd.Start() })
		if err != nil {
			b.Fatal(err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	took.report(b)
}

// BenchmarkStart is from the call to the program's exec, as Start returns then:
// in a sandbox that was prepared, and in one that was not.
func BenchmarkStart(b *testing.B) {
	for _, c := range []struct {
		network  bool
		prepared int
	}{{false, 0}, {true, 0}, {true, 1}} {
		b.Run(fmt.Sprintf("network=%v,prepared=%d", c.network, c.prepared), func(b *testing.B) {
			cfg := config(dataDir(b))
			cfg.Prepared = c.prepared
			cfg.Network = func(_ sandbox.Spec, packet *os.File) (io.Closer, error) { return packet, nil }
			e := open(b, cfg)
			defer shutdown(b, e)
			mount := probeMount(b, cfg.DataDir)
			spec := sandbox.Spec{
				ID: "box", Profile: sandbox.App, Args: []string{"/bin/sleep", "1000"}, Network: c.network,
				MemoryBytes: 256 << 20, CPUMillis: 1000, Mounts: []sandbox.Mount{mount},
			}
			var took samples
			stages := stageTimes{}
			for b.Loop() {
				if c.prepared > 0 {
					awaitPrepared(b, e, 1)
				}
				var s sandbox.Sandbox
				var err error
				took.time(func() { s, err = e.Start(b.Context(), spec) })
				if err != nil {
					b.Fatal(err)
				}
				stages.add(s.(sandbox.Timed).Stages())
				stop(b, s)
			}
			took.report(b)
			b.Log(stages)
		})
	}
}

// BenchmarkStartContainer is BenchmarkStart for an image of as many layers.
func BenchmarkStartContainer(b *testing.B) {
	for _, n := range []int{1, 5, 20} {
		b.Run(fmt.Sprintf("layers=%d", n), func(b *testing.B) {
			cfg := config(dataDir(b))
			cfg.Network = func(_ sandbox.Spec, packet *os.File) (io.Closer, error) { return packet, nil }
			e := open(b, cfg)
			defer shutdown(b, e)
			spec := sandbox.Spec{
				Profile: sandbox.Container, Args: []string{"sleep", "1000"}, Network: true, UIDRange: 40,
				Root: []string{busybox(b, cfg.DataDir)}, MemoryBytes: 256 << 20, CPUMillis: 1000,
			}
			for i := range n - 1 {
				spec.Root = append(spec.Root, layer(b, cfg.DataDir, fmt.Sprint(i), node{name: fmt.Sprintf("srv/%d", i)}))
			}
			var took samples
			for i := 0; b.Loop(); i++ {
				spec.ID = fmt.Sprintf("box-%d", i)
				var s sandbox.Sandbox
				var err error
				took.time(func() { s, err = e.Start(b.Context(), spec) })
				if err != nil {
					b.Fatal(err)
				}
				stop(b, s)
			}
			took.report(b)
		})
	}
}

func BenchmarkStop(b *testing.B) {
	e := engine(b)
	spec := sandbox.Spec{ID: "box", Profile: sandbox.App, Args: []string{"/bin/sleep", "1000"}}
	var took samples
	for b.Loop() {
		s, err := e.Start(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		took.time(func() { stop(b, s) })
	}
	took.report(b)
}

func BenchmarkFreezeThaw(b *testing.B) {
	e := engine(b)
	s := start(b, e, sandbox.Spec{Args: []string{"/app/probe", "listen", "127.0.0.1:80"}, Port: 80})
	echo(b, s)
	var freeze, thaw samples
	for b.Loop() {
		freeze.time(func() {
			if err := s.Freeze(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
		thaw.time(func() {
			if err := s.Thaw(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
	slices.Sort(freeze)
	freeze.report(b)
	slices.Sort(thaw)
	b.ReportMetric(float64(thaw[len(thaw)/2].Microseconds())/1000, "thaw-p50-ms")
}

func BenchmarkDial(b *testing.B) {
	e := engine(b)
	s := start(b, e, sandbox.Spec{Args: []string{"/app/probe", "listen", "127.0.0.1:80"}, Port: 80})
	var took samples
	for b.Loop() {
		took.time(func() {
			conn, err := s.Dial(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			_ = conn.Close()
		})
	}
	took.report(b)
}
