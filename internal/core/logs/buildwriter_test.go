package logs

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBuildWriterWritesLinesAndStages(t *testing.T) {
	var s sink
	b := NewBuildWriter(&s, "p", "b1", time.Now)
	b.Stage("Building", StageStart, 0)
	fmt.Fprint(b, "Collecting fla")
	fmt.Fprint(b, "sk\n\nhalf")
	b.Stage("Building", StageFailed, 1500*time.Millisecond)
	fmt.Fprint(b, "last")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{"Building: start", "Collecting flask", "half", "Building: failed (1.5s)", "last"}
	if diff := cmp.Diff(want, s.texts()); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	e := s.all()[3]
	if e.Severity != Error || e.LogName != "projects/p/logs/cloudbuild" || e.Resource.Labels["build_id"] != "b1" || e.Resource.Type != "build" {
		t.Errorf("stage entry %+v", e)
	}
	if diff := cmp.Diff(map[string]string{"stage": "Building", "state": "failed", "took": "1.5s"}, e.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"half", "last"}, b.Last(2)); diff != "" {
		t.Errorf("last lines (-want +got):\n%s", diff)
	}
}

func TestBuildWriterKeepsTheLastLinesOfAFlood(t *testing.T) {
	var s sink
	b := NewBuildWriter(&s, "p", "b1", func() time.Time { return time.Unix(1, 0) })
	for i := range LinesBurst + 100 {
		fmt.Fprintln(b, i)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.texts(); len(got) != LinesBurst+1 {
		t.Errorf("%d entries, want %d and a marker", len(got), LinesBurst)
	}
	if got := b.Last(1000); len(got) != buildTail || got[buildTail-1] != fmt.Sprint(LinesBurst+99) {
		t.Errorf("%d last lines, ending in %q", len(got), got[len(got)-1])
	}
}
