package instance_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// crew is a revision with a sidecar "db" that "web" depends on, and "log", which
// depends on nothing.
func crew() sunya.Revision {
	rev := instancetest.Revision(1)
	rev.ContainerName, rev.DependsOn = "web", []string{"db"}
	rev.Mounts = []sunya.VolumeMount{{Volume: "shared", Path: "/shared"}}
	rev.Sidecars = []sunya.Container{
		{ContainerName: "db", Command: []string{"db"}, MemoryBytes: 128 << 20, Mounts: []sunya.VolumeMount{{Volume: "shared", Path: "/data"}}},
		{ContainerName: "log", Command: []string{"log"}, MemoryBytes: 64 << 20},
	}
	rev.Volumes = []sunya.Volume{{Name: "shared", Memory: &sunya.MemoryVolume{}}}
	return rev
}

// box finds the sandbox of a container by its program.
func (w *world) box(t *testing.T, program string) *instancetest.Box {
	t.Helper()
	for _, b := range w.engine.Boxes() {
		if b.Spec().Args[0] == program {
			return b
		}
	}
	t.Fatalf("no container runs %q", program)
	return nil
}

func TestSidecarsShareNetworkAndVolumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crew(), &instancetest.Engine{})
		i := w.start(t)
		id := i.ID()
		type brief struct {
			ID, NetworkOf, Host string
			Port                int
			Volume              []sandbox.Mount
			Container, Instance string
		}
		var got []brief
		for _, b := range w.engine.Boxes() {
			s := b.Spec()
			var mounts []sandbox.Mount
			for _, m := range s.Mounts {
				if m.Shared != "" {
					mounts = append(mounts, m)
				}
			}
			got = append(got, brief{s.ID, s.NetworkOf, s.Hostname, s.Port, mounts, s.Labels["container"], s.Labels["instance"]})
		}
		half := int64(384+128+64) << 20 / 2
		want := []brief{
			{id + "-1", "", id, 0, []sandbox.Mount{{Target: "/data", Writable: true, Shared: "shared", Bytes: half}}, "db", id},
			{id, id + "-1", id, 8080, []sandbox.Mount{{Target: "/shared", Writable: true, Shared: "shared", Bytes: half}}, "", id},
			{id + "-2", id + "-1", id, 0, nil, "log", id},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("sandboxes (-want +got):\n%s", diff)
		}
	})
}

func TestSidecarsLiveAndEndWithTheInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crew(), &instancetest.Engine{})
		i := w.start(t)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		wantState(t, i, sunya.InstanceFrozen)
		for _, b := range w.engine.Boxes() {
			if freezes, _, _ := b.Counts(); freezes != 1 {
				t.Errorf("%s was frozen %d times", b.Spec().ID, freezes)
			}
		}
		if _, err := i.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		i.Leave()
		w.box(t, "log").Print("from a sidecar")
		synctest.Wait()
		w.box(t, "serve").End(sandbox.Exit{Code: 1})
		<-i.Done()
		if left := w.engine.Running(); len(left) > 0 {
			t.Errorf("%d containers go on", len(left))
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if !slices.Contains(w.lines, "log stderr: from a sidecar") {
			t.Errorf("lines = %q", w.lines)
		}
	})
}

func TestSidecarEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		exit sandbox.Exit
		ends bool
		want string
	}{
		{"its work is done", sandbox.Exit{}, false, `container \"log\" exited with status 0`},
		{"it has failed", sandbox.Exit{Code: 3}, true, `killed: container \"log\" exited with status 3`},
		{"it was too large", sandbox.Exit{Code: 137, Signal: 9, OOMKilled: true}, true, `container \"log\" killed: memory limit of 64 MiB reached`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, crew(), &instancetest.Engine{})
				i := w.start(t)
				w.box(t, "log").End(tt.exit)
				synctest.Wait()
				if got := i.Status().State == sunya.InstanceStopped; got != tt.ends {
					t.Errorf("state = %s", i.Status().State)
				}
				if !strings.Contains(w.messages(), tt.want) {
					t.Errorf("log:\n%s\nwant %s", w.messages(), tt.want)
				}
			})
		})
	}
}

func TestSidecarDoesNotStart(t *testing.T) {
	tests := []struct {
		name   string
		engine *instancetest.Engine
		change func(*sunya.Revision)
		want   string
	}{
		{"refused", &instancetest.Engine{Refuse: func(s sandbox.Spec) error {
			if s.Args[0] == "log" {
				return errors.New("no such program")
			}
			return nil
		}}, func(*sunya.Revision) {}, `container "log": no such program`},
		{"startup probe", &instancetest.Engine{}, func(rev *sunya.Revision) {
			rev.Sidecars[0].Startup = &sunya.Probe{TCP: &sunya.TCPProbe{Port: 5432}, Timeout: time.Second, Period: time.Second, Failures: 2}
		}, `container "db": the startup probe`},
		{"circle", &instancetest.Engine{}, func(rev *sunya.Revision) { rev.Sidecars[0].DependsOn = []string{"web"} },
			"depend on each other in a circle"},
		{"depends on itself", &instancetest.Engine{}, func(rev *sunya.Revision) { rev.Sidecars[1].DependsOn = []string{"log"} },
			"depend on each other in a circle"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rev := crew()
				tt.change(&rev)
				w := newWorld(t, rev, tt.engine)
				_, err := w.Start(t.Context(), w.rev, instance.ColdStart)
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error = %v, want %q", err, tt.want)
				}
				if left := w.engine.Running(); len(left) > 0 {
					t.Errorf("%d containers go on", len(left))
				}
			})
		})
	}
}

// TestDependantsWait: a container starts when those that it depends on are well.
func TestDependantsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rev := crew()
		rev.DependsOn = nil
		rev.Sidecars[0].DependsOn = []string{"web"}
		var begun []time.Duration
		start := time.Now()
		w := newWorld(t, rev, &instancetest.Engine{
			Boot: 3 * time.Second,
			Handler: func(b *instancetest.Box) http.Handler {
				begun = append(begun, time.Since(start))
				return http.NotFoundHandler()
			},
		})
		w.start(t)
		if diff := cmp.Diff([]time.Duration{0, 3 * time.Second, 3 * time.Second}, begun); diff != "" {
			t.Errorf("started at (-want +got):\n%s", diff)
		}
	})
}

func TestSidecarsAreAdopted(t *testing.T) {
	for _, tt := range []struct {
		name string
		keep []int // which of the containers, in the order of their start
		want int
	}{
		{"whole", []int{2, 1, 0}, 1},
		{"without one sidecar", []int{0, 1}, 0},
		{"sidecars alone", []int{0, 2}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, crew(), &instancetest.Engine{})
				w.start(t)
				var boxes []sandbox.Sandbox
				all := w.engine.Boxes()
				for _, n := range tt.keep {
					boxes = append(boxes, w.engine.New(all[n].Spec()))
				}
				adopted := w.Adopt(t.Context(), boxes)
				if len(adopted) != tt.want {
					t.Fatalf("adopted %d, want %d", len(adopted), tt.want)
				}
				for _, i := range adopted {
					if err := i.Resume(t.Context()); err != nil {
						t.Fatal(err)
					}
					if err := i.Stop(t.Context(), "test"); err != nil {
						t.Fatal(err)
					}
				}
				for _, b := range boxes {
					if _, _, stops := b.(*instancetest.Box).Counts(); stops == 0 {
						t.Errorf("%s goes on", b.Spec().ID)
					}
				}
			})
		})
	}
}
