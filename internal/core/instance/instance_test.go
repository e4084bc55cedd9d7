package instance_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/freeze"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// world is a manager with everything around it.
type world struct {
	*instance.Manager
	engine *instancetest.Engine
	sink   *instancetest.Sink
	rev    *sunya.Revision

	mu    sync.Mutex
	lines []string // stream and line of every instance

	crowded atomic.Bool
}

// newWorld must be called inside a synctest bubble. The manager runs until the
// test ends.
func newWorld(t *testing.T, rev sunya.Revision, engine *instancetest.Engine) *world {
	t.Helper()
	catalog := serving.NewCatalog(&instancetest.Store{})
	if err := instancetest.Deploy(t.Context(), catalog, rev); err != nil {
		t.Fatal(err)
	}
	w := &world{engine: engine, sink: &instancetest.Sink{}}
	w.rev, _ = catalog.Revision(rev.Name)
	w.Manager = instance.New(instance.Parts{
		Engine:    engine,
		Directory: catalog,
		Output:    w.output,
		Sink:      w.sink,
		LogName:   instancetest.LogName,
		Crowded:   w.crowded.Load,
		Now:       time.Now,
		Log:       instancetest.Quiet(),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		for _, b := range engine.Running() {
			b.End(sandbox.Exit{})
		}
		synctest.Wait()
	})
	return w
}

func (w *world) output(_ *sunya.Revision, _, container string) func(string, io.ReadCloser) {
	return func(stream string, r io.ReadCloser) {
		if container != "" {
			stream = container + " " + stream
		}
		w.carry(stream, r)
	}
}

func (w *world) carry(stream string, r io.ReadCloser) {
	defer r.Close()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		w.mu.Lock()
		w.lines = append(w.lines, stream+": "+lines.Text())
		w.mu.Unlock()
	}
}

func (w *world) start(t *testing.T) *instance.Instance {
	t.Helper()
	i, err := w.Start(t.Context(), w.rev, instance.ColdStart)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// messages returns the messages that the platform logged.
func (w *world) messages() string {
	var b strings.Builder
	for _, e := range w.sink.Entries() {
		b.Write(e.JSON)
		b.WriteByte('\n')
	}
	return b.String()
}

func wantState(t *testing.T, i *instance.Instance, want sunya.InstanceState) {
	t.Helper()
	if got := i.Status().State; got != want {
		t.Errorf("state = %s, want %s", got, want)
	}
}

func TestSpecDescribesTheRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rev := instancetest.Revision(1)
		rev.Env = []sunya.EnvVar{{Name: "GAE_INSTANCE", Field: sunya.FieldInstanceID}, {Name: "A", Value: "b=c"}}
		rev.Image.HostPaths = []string{"/opt/python"}
		rev.Dir = "/workspace"
		w := newWorld(t, rev, &instancetest.Engine{})
		got := w.start(t).ID()
		spec := w.engine.Boxes()[0].Spec()
		want := sandbox.Spec{
			ID:      got,
			Kind:    "instance",
			Labels:  map[string]string{"revision": rev.Name, "revision-id": rev.ID, "service": rev.Service, "project": rev.Project, "account": rev.ServiceAccount, "instance": got},
			Profile: sandbox.App,
			Args:    []string{"serve"},
			Env: []string{"GAE_INSTANCE=" + got, "A=b=c", "PORT=8080", "HOME=/tmp", "PATH=/usr/local/bin:/usr/bin:/bin",
				"STORAGE_EMULATOR_HOST=http://169.254.169.254:8085", "PUBSUB_EMULATOR_HOST=169.254.169.254:8085", "PUBSUB_PROJECT_ID=demo"},
			Dir:      "/workspace",
			Hostname: got,
			Mounts: []sandbox.Mount{
				{Source: "/opt/python", Target: "/opt/python"},
				{Target: "/tmp", Writable: true, Bytes: 384 << 20},
			},
			UIDRange:    1,
			MemoryBytes: 384 << 20,
			Port:        8080,
			Network:     true,
			StrayLimit:  30 * time.Second,
		}
		if diff := cmp.Diff(want, spec); diff != "" {
			t.Error(diff)
		}
		if !strings.HasPrefix(got, rev.ID+"-") || len(got) > 48 {
			t.Errorf("id = %q", got)
		}
	})
}

func TestLongRevisionIDsStillMakeValidInstanceIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rev := instancetest.Revision(1)
		rev.ID = strings.Repeat("a", 60)
		w := newWorld(t, rev, &instancetest.Engine{})
		if id := w.start(t).ID(); len(id) != 45 {
			t.Errorf("id %q has %d characters, want 45: 48 less what a sidecar adds", id, len(id))
		}
	})
}

func TestStartIsLoggedWithItsDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{Boot: 212 * time.Millisecond})
		wantState(t, w.start(t), sunya.InstanceReady)
		if got := w.messages(); !strings.Contains(got, `"started in 212 ms, cold start"`) || !strings.Contains(got, `"tookMs":212,"stages":[{"name":"exec","ms":1.5}]`) {
			t.Errorf("log = %s", got)
		}
	})
}

func TestFreezeAfterASecondAndThawOnTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
		i := w.start(t)
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		wantState(t, i, sunya.InstanceReady)
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		wantState(t, i, sunya.InstanceFrozen)

		thawed, err := i.Enter(t.Context())
		if err != nil || !thawed {
			t.Fatalf("Enter = %v, %v, want a thaw", thawed, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		wantState(t, i, sunya.InstanceReady) // a request is in it
		i.Leave()
		time.Sleep(2100 * time.Millisecond)
		synctest.Wait()
		wantState(t, i, sunya.InstanceFrozen)
	})
}

// TestFreezesSoonerWhereRequestsAreRare: after long sleeps an instance is frozen
// soon, at the moment that is due, and one that is woken at once waits longer again.
func TestFreezesSoonerWhereRequestsAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
		i := w.start(t)
		ask := func(after time.Duration) {
			t.Helper()
			time.Sleep(after)
			if _, err := i.Enter(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond)
			i.Leave()
		}
		for range 9 {
			ask(time.Minute)
		}
		time.Sleep(freeze.Shortest - time.Millisecond)
		synctest.Wait()
		wantState(t, i, sunya.InstanceReady)
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		wantState(t, i, sunya.InstanceFrozen)
		ask(4 * time.Millisecond)
		ask(2*freeze.Shortest + 5*time.Millisecond)
		time.Sleep(4*freeze.Shortest - time.Millisecond)
		synctest.Wait()
		wantState(t, i, sunya.InstanceReady)
	})
}

func TestNoFreezeIsNeverFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rev := instancetest.Revision(1)
		rev.Scaling.NoFreeze = true
		w := newWorld(t, rev, &instancetest.Engine{})
		i := w.start(t)
		time.Sleep(time.Hour)
		synctest.Wait()
		wantState(t, i, sunya.InstanceReady)
	})
}

// gunicorn's master kills a worker whose heartbeat is 30 s old.
func TestFrozenInstancesAreLetGoOftenEnoughForHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
		var all []*instance.Instance
		for range 20 {
			all = append(all, w.start(t))
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for n, b := range w.engine.Boxes() {
			_, thaws, _ := b.Counts()
			if thaws < 42 || thaws > 58 {
				t.Errorf("%d thaws in 10 min, want one every 10.5 to 14 s", thaws)
			}
			if d := b.Dials(); d != thaws {
				t.Errorf("knocked %d times in %d thaws: a frozen select does not wake by itself", d, thaws)
			}
			if s := all[n].Status().State; s != sunya.InstanceFrozen && s != sunya.InstanceReady {
				t.Errorf("state = %s", s)
			}
		}
	})
}
