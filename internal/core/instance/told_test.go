package instance_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// diary is a registrar that writes everything down, with the time since it was
// made.
type diary struct {
	begin time.Time
	lines []string
}

func (d *diary) Born(*sunya.Revision, string) served.Life {
	d.note(d.begin, " born")
	return d
}

func (d *diary) note(now time.Time, what string, details ...any) {
	d.lines = append(d.lines, fmt.Sprint(append([]any{now.Sub(d.begin).Round(time.Millisecond), what}, details...)...))
}

func (d *diary) Ready(now time.Time, _ time.Duration, waited bool) { d.note(now, " ready ", waited) }
func (d *diary) Adopted(now time.Time, _ served.Used)              { d.note(now, " adopted") }
func (d *diary) Busy(now time.Time)                                { d.note(now, " busy") }
func (d *diary) Idle(now time.Time)                                { d.note(now, " idle") }
func (d *diary) Frozen(now time.Time, _ served.Used)               { d.note(now, " frozen") }
func (d *diary) Thawed(now time.Time, _ time.Duration)             { d.note(now, " thawed") }
func (d *diary) Ended(now time.Time, _ served.Used)                { d.note(now, " ended") }

func TestLifeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(2), &instancetest.Engine{})
		d := &diary{begin: time.Now()}
		w.Registrar = d
		i := w.start(t)
		request := func(took time.Duration) {
			if _, err := i.Enter(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(took)
		}
		request(100 * time.Millisecond)
		request(100 * time.Millisecond) // beside the first
		i.Leave()
		i.Leave()
		time.Sleep(20 * time.Second) // with a heartbeat
		request(time.Second)
		i.Leave()
		if err := i.Stop(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		want := []string{"0s born", "0s ready true", "0s busy", "200ms idle", "1.2s frozen", "20.2s thawed", "20.2s busy", "21.2s idle", "21.2s ended"}
		if diff := cmp.Diff(want, d.lines); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestLivesThatDoNotBeginAsUsualAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
		d := &diary{begin: time.Now()}
		w.Registrar = d
		labels := map[string]string{"revision": w.rev.Name, "revision-id": w.rev.ID}
		box := w.engine.New(sandbox.Spec{ID: "a", Kind: instance.Kind, Port: 8080, Labels: labels})
		for _, i := range w.Adopt(t.Context(), []sandbox.Sandbox{box}) {
			if err := i.Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		box.End(sandbox.Exit{Code: 1})
		synctest.Wait()
		if diff := cmp.Diff([]string{"0s born", "0s adopted", "0s ended"}, d.lines); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}
