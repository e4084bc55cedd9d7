package timeline

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(seconds int, instances ...Instance) Sample {
	return Sample{At: time.Duration(seconds) * time.Second, Instances: instances}
}

// TestRows: an instance keeps its row, states are joined, and a row is used
// again.
func TestRows(t *testing.T) {
	l := Lane{Samples: []Sample{
		at(0, Instance{ID: "a", State: "starting"}),
		at(1, Instance{ID: "a", State: "ready"}, Instance{ID: "b", State: "starting"}),
		at(2, Instance{ID: "b", State: "ready"}, Instance{ID: "a", State: "ready"}),
		at(3, Instance{ID: "b", State: "ready"}),
		at(4, Instance{ID: "c", State: "starting"}, Instance{ID: "b", State: "ready"}),
		at(5),
	}}
	s := time.Second
	want := [][]bar{
		{{"a", "starting", 0, s}, {"a", "ready", s, 3 * s}, {"c", "starting", 4 * s, 5 * s}},
		{{"b", "starting", s, 2 * s}, {"b", "ready", 2 * s, 5 * s}},
	}
	if diff := cmp.Diff(want, rows(l), cmp.AllowUnexported(bar{})); diff != "" {
		t.Error(diff)
	}
}

func TestDrawIsXML(t *testing.T) {
	var out bytes.Buffer
	lanes := []Lane{
		{Title: "a < b", Samples: []Sample{at(0), at(1, Instance{ID: "i", State: "ready", InFlight: 3}), at(30)}},
		{Title: "nothing"},
	}
	if err := Draw(&out, lanes, []Mark{{At: time.Second, Text: "load & more"}}); err != nil {
		t.Fatal(err)
	}
	doc := out.String()
	for d := xml.NewDecoder(&out); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a &lt; b", "load &amp; more", "at most 3 in flight", "30 s", "#2e8b57"} {
		if !strings.Contains(doc, want) {
			t.Errorf("no %q in the drawing", want)
		}
	}
}
