package results

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		name    string
		samples []float64
		q, want float64
	}{
		{"one", []float64{7}, 0.99, 7},
		{"odd", []float64{3, 1, 2}, 0.5, 2},
		{"even", []float64{4, 1, 3, 2}, 0.5, 2.5},
		{"least", []float64{4, 1, 3, 2}, 0, 1},
		{"most", []float64{4, 1, 3, 2}, 1, 4},
		{"between", []float64{0, 10}, 0.99, 9.9},
	} {
		if got := Quantile(c.samples, c.q); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if got := Quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestQuantileLeavesTheOrderOfSamples(t *testing.T) {
	samples := []float64{3, 1, 2}
	Median(samples)
	if diff := cmp.Diff([]float64{3, 1, 2}, samples); diff != "" {
		t.Error(diff)
	}
}

func TestSpread(t *testing.T) {
	if got, want := SpreadOf([]float64{5, 1, 3}), (Spread{3, 1, 5}); got != want {
		t.Errorf("few: %v, want the extremes %v", got, want)
	}
	if got, want := SpreadOf([]float64{1, 2, 3, 4, 5, 6, 7, 8, 100}), (Spread{5, 3, 7}); got != want {
		t.Errorf("many: %v, want the quartiles %v", got, want)
	}
}

func TestOver(t *testing.T) {
	// The machine was twice as slow in the second round: the pairs do not care.
	got := Over([]float64{10, 40, 10}, []float64{10, 20, 5})
	want := Ratio{OfMedians: 1, Paired: Spread{2, 1, 2}}
	if got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Over([]float64{4}, []float64{1, 2, 3}); got != (Ratio{OfMedians: 2}) {
		t.Errorf("unpaired: %v", got)
	}
}

func TestGoals(t *testing.T) {
	f := Figure{Subjects: []Subject{{"a", []float64{10, 20, 30}}, {"b", []float64{10}}}}
	for _, c := range []struct {
		goal  Goal
		value float64
		want  Verdict
	}{
		{Goal{Subject: "a", As: AsRatio, Over: "b", Limit: 2}, 2, Met},
		{Goal{Subject: "a", As: AsRatio, Over: "b", Limit: 1.9}, 2, Missed},
		{Goal{Subject: "a", As: AsRatio, Over: "b", Limit: 2.1, AtLeast: true}, 2, Missed},
		{Goal{Subject: "a", As: AsDifference, Over: "b", Limit: 10}, 10, Met},
		{Goal{Subject: "a", As: AsValue, Limit: 19}, 20, Missed},
		{Goal{Subject: "a", As: AsValue, Quantile: 1, Limit: 30}, 30, Met},
		{Goal{Subject: "a", As: AsRatio, Over: "c", Limit: 1}, math.NaN(), Unknown},
		{Goal{Subject: "c", As: AsValue, Limit: 1}, math.NaN(), Unknown},
	} {
		if got := c.goal.Value(&f); got != c.value && !(math.IsNaN(got) && math.IsNaN(c.value)) {
			t.Errorf("%+v: %v, want %v", c.goal, got, c.value)
		}
		if got := c.goal.Verdict(&f); got != c.want {
			t.Errorf("%+v: verdict %v, want %v", c.goal, got, c.want)
		}
	}
}

func TestAddKeepsWhatAClockIsGoodFor(t *testing.T) {
	var f Figure
	for _, v := range []float64{1234567, 0.00123456, -1.23456789, 0} {
		f.Add("a", v)
	}
	if diff := cmp.Diff([]float64{1234600, 0.0012346, -1.2346, 0}, f.Of("a")); diff != "" {
		t.Error(diff)
	}
}

func TestFail(t *testing.T) {
	var f Figure
	f.Add("a", 1)
	f.Add("b", 2)
	f.Fail("a", os.ErrDeadlineExceeded)
	if f.Of("a") != nil || !f.HasFailed("a") || f.HasFailed("b") {
		t.Errorf("%+v", f)
	}
}

func TestPut(t *testing.T) {
	var f File
	for _, id := range []string{"warm/1", "cold/go", "warm/16", "cold/go"} {
		f.Put(Figure{ID: id, Title: id})
	}
	f.Put(Figure{ID: "warm/1", Title: "again"})
	var got []string
	for _, fig := range f.Figures {
		got = append(got, fig.Title)
	}
	if diff := cmp.Diff([]string{"again", "warm/16", "cold/go"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "results.json")
	here := Machine{CPU: "x", Cores: 2, Versions: map[string]string{"nginx": "1"}}
	update := func(m Machine, drop string, ids ...string) File {
		t.Helper()
		var figures []Figure
		for _, id := range ids {
			figures = append(figures, Figure{ID: id, Subjects: []Subject{{"a", []float64{1, 2}}}})
		}
		if err := Update(path, m, figures, drop); err != nil {
			t.Fatal(err)
		}
		f, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	update(here, "", "warm", "cold/go")
	here.Versions = map[string]string{"wrk": "4"}
	f := update(here, "warm", "cold/node")
	if len(f.Figures) != 2 || f.Figures[0].ID != "cold/go" || f.Figures[1].ID != "cold/node" {
		t.Errorf("%+v", f.Figures)
	}
	if diff := cmp.Diff(map[string]string{"nginx": "1", "wrk": "4"}, f.Machine.Versions); diff != "" {
		t.Error(diff)
	}
	f = update(Machine{CPU: "x", Cores: 64}, "", "thaw")
	if len(f.Figures) != 1 || f.Figures[0].ID != "thaw" {
		t.Errorf("figures of another machine stay: %+v", f.Figures)
	}
}

func TestReadSaysWhichFileIsBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil {
		t.Error("a broken file is read")
	}
}
