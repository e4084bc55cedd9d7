package sqlite_test

import (
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
)

func TestPruneKeepsWhatIsRecentOrStillGoingOn(t *testing.T) {
	db := open(t)
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	old, recent := now.AddDate(0, -2, 0), now.AddDate(0, 0, -1)
	cases := []struct {
		id    string
		begun time.Time
		ended bool
		kept  bool
	}{
		{"old and ended", old, true, false},
		{"old and going on", old, false, true},
		{"recent and ended", recent, true, true},
	}
	for _, c := range cases {
		step := sunya.StepBuilding
		if c.ended {
			step = sunya.StepDone
		}
		if err := db.PutOperation(t.Context(), &sunya.Operation{Name: c.id, Done: c.ended, CreateTime: c.begun}); err != nil {
			t.Fatal(err)
		}
		if err := db.PutDeployment(t.Context(), &sunya.Deployment{ID: c.id, Step: step, CreateTime: c.begun}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Prune(t.Context(), now.AddDate(0, -1, 0)); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		_, err := db.GetOperation(t.Context(), c.id)
		if kept := sunya.CodeOf(err) == sunya.OK; kept != c.kept {
			t.Errorf("%s: operation kept = %v, want %v", c.id, kept, c.kept)
		}
		_, err = db.GetDeployment(t.Context(), c.id)
		if kept := sunya.CodeOf(err) == sunya.OK; kept != c.kept {
			t.Errorf("%s: deployment kept = %v, want %v", c.id, kept, c.kept)
		}
	}
}
