package instance_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// keeper is an engine that keeps programs.
type keeper struct {
	instancetest.Engine
	refuse  error  // of Keep
	problem string // of starting from what was kept
	broken  bool   // what was started from there ends before it listens

	mu        sync.Mutex
	kept      map[string]bool
	keeps     int
	discarded []string
}

// Keep implements sandbox.Keeper.
func (k *keeper) Keep(_ context.Context, spec sandbox.Spec, watch func(sandbox.Sandbox)) error {
	box := k.New(spec)
	watch(box)
	box.End(sandbox.Exit{})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keeps++
	if k.refuse == nil {
		k.kept[spec.Template] = true
	}
	return k.refuse
}

// Discard implements sandbox.Keeper.
func (k *keeper) Discard(_ context.Context, key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.kept, key)
	k.discarded = append(k.discarded, key)
	return nil
}

// tried returns how often a program was kept or refused.
func (k *keeper) tried() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keeps
}

// restoredBox knows where it comes from.
type restoredBox struct {
	*instancetest.Box
	used    bool
	problem string
}

// Restored implements sandbox.Restored.
func (b restoredBox) Restored() (bool, string) { return b.used, b.problem }

// Start implements sandbox.Engine.
func (k *keeper) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	k.mu.Lock()
	there := spec.Template != "" && k.kept[spec.Template]
	k.mu.Unlock()
	box, err := k.Engine.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	out := restoredBox{Box: box.(*instancetest.Box), used: there && k.problem == ""}
	if there {
		out.problem = k.problem
	}
	if out.used && k.broken {
		out.End(sandbox.Exit{Signal: 11})
	}
	return out, nil
}

// templateWorld is a manager whose engine keeps programs.
func templateWorld(t *testing.T, rev sunya.Revision, k *keeper) *world {
	t.Helper()
	k.kept = map[string]bool{}
	k.Boot = 10 * time.Millisecond
	catalog := serving.NewCatalog(&instancetest.Store{})
	if err := instancetest.Deploy(t.Context(), catalog, rev); err != nil {
		t.Fatal(err)
	}
	w := &world{engine: &k.Engine, sink: &instancetest.Sink{}}
	w.rev, _ = catalog.Revision(rev.Name)
	w.Manager = instance.New(instance.Parts{
		Engine: k, Directory: catalog, Output: w.output, Sink: w.sink,
		LogName: instancetest.LogName, Now: time.Now, Log: instancetest.Quiet(),
	})
	t.Cleanup(func() {
		for _, b := range k.Running() {
			b.End(sandbox.Exit{})
		}
		synctest.Wait()
	})
	return w
}

func templateRevision(value string) sunya.Revision {
	rev := instancetest.Revision(1)
	rev.Image.Stack = sunya.HostStack
	rev.Env = append(rev.Env, sunya.EnvVar{Name: instance.TemplateEnv, Value: value})
	return rev
}

// startOne starts an instance and returns where it came from.
func (w *world) startOne(t *testing.T) string {
	t.Helper()
	i, err := w.Start(t.Context(), w.rev, instance.ColdStart)
	if err != nil {
		t.Fatal(err)
	}
	from := i.Status().Start
	if err := i.Stop(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	return from
}

func TestStartFromTemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{}
		w := templateWorld(t, templateRevision("1"), k)
		if from := w.startOne(t); from != "boot" {
			t.Errorf("the first is from %q", from)
		}
		time.Sleep(5 * time.Second)
		for range 2 {
			if from := w.startOne(t); from != "template" {
				t.Errorf("a later one is from %q", from)
			}
		}
		if k.tried() != 1 {
			t.Errorf("kept %d times", k.tried())
		}
	})
}

// TestNotKept: who does not ask gets none, and neither do those that cannot be
// kept; they are tried again later.
func TestNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{}
		w := templateWorld(t, templateRevision("0"), k)
		w.startOne(t)
		time.Sleep(time.Minute)
		if from := w.startOne(t); from != "" || k.tried() != 0 {
			t.Errorf("from %q, kept %d times", from, k.tried())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		rev := templateRevision("true")
		rev.Image.Stack = sunya.ContainerStack
		k := &keeper{}
		w := templateWorld(t, rev, k)
		if from := w.startOne(t); from != "boot: it runs a container image" || k.tried() != 0 {
			t.Errorf("from %q, kept %d times", from, k.tried())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{refuse: sunya.Errorf(sunya.FailedPrecondition, "", "it has a socket open")}
		w := templateWorld(t, templateRevision("on"), k)
		w.startOne(t)
		time.Sleep(time.Minute)
		for range 3 {
			if from := w.startOne(t); from != "boot: it has a socket open" {
				t.Errorf("from %q", from)
			}
		}
		if k.tried() != 1 {
			t.Errorf("tried %d times within a minute", k.tried())
		}
		time.Sleep(2 * time.Hour)
		w.startOne(t)
		time.Sleep(time.Minute)
		if k.tried() != 2 {
			t.Errorf("tried %d times within two hours", k.tried())
		}
	})
}

// TestTemplateFails: what was kept and is of no use costs one start some
// milliseconds, and no request.
func TestTemplateFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{broken: true}
		w := templateWorld(t, templateRevision("1"), k)
		w.startOne(t)
		time.Sleep(5 * time.Second)
		from := w.startOne(t)
		if !strings.HasPrefix(from, "boot: an instance that started from it did not get ready") {
			t.Errorf("from %q", from)
		}
		if !slices.Equal(k.discarded, []string{w.rev.ID}) {
			t.Errorf("discarded %q", k.discarded)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{problem: "/usr/bin/python3 has changed"}
		w := templateWorld(t, templateRevision("1"), k)
		w.startOne(t)
		time.Sleep(5 * time.Second)
		if from := w.startOne(t); from != "boot: /usr/bin/python3 has changed" {
			t.Errorf("from %q", from)
		}
		if from := w.startOne(t); from != "boot: /usr/bin/python3 has changed" {
			t.Errorf("from %q", from)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{refuse: errors.New("the disk is full")}
		w := templateWorld(t, templateRevision("1"), k)
		w.startOne(t)
		time.Sleep(5 * time.Second)
		if from := w.startOne(t); from != "boot: the disk is full" {
			t.Errorf("from %q", from)
		}
	})
}
