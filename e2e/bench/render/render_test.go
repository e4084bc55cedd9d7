package render

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
)

func file() results.File {
	day := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	return results.File{
		Machine: results.Machine{
			CPU: "AMD", Cores: 2, MemoryMiB: 24000, System: "Debian", Kernel: "6.18", Cgroups: "hybrid",
			Versions: map[string]string{"wrk": "4.1", "nginx": "1.22"},
		},
		Figures: []results.Figure{
			{
				ID: "warm/c=16", Title: "16 | connections", Unit: "req/s", Higher: true, Base: "direct", Date: day, Commit: "abc", Busy: 0.4,
				Subjects: []results.Subject{{Name: "direct", Samples: []float64{20000, 30000}}, {Name: "Sunya", Samples: []float64{10000, 15000}}, {Name: "nginx <x>", Samples: []float64{5000}}},
				Goals:    []results.Goal{{Subject: "Sunya", As: results.AsRatio, Over: "nginx <x>", Limit: 1, AtLeast: true}},
				Note:     "on one\nmachine",
			},
			{
				ID: "cold/go", Title: "Go", Unit: "ms", Base: "bare", Date: day, Commit: "abc",
				Subjects: []results.Subject{{Name: "Sunya", Samples: many(1)}, {Name: "bare", Samples: many(2)}},
				Goals: []results.Goal{
					{Subject: "Sunya", Quantile: 0.99, As: results.AsDifference, Over: "bare", Limit: -1},
					{Subject: "Sunya", As: results.AsValue, Limit: 10},
					{Subject: "nobody", As: results.AsValue, Limit: 10},
				},
				Checks: []results.Check{{What: "all answered", OK: true, Detail: "500 of 500"}},
			},
			{ID: "new/thing", Title: "Thing", Failed: "no such file", Date: day, Commit: "def"},
		},
	}
}

func many(scale float64) []float64 {
	s := make([]float64, manySamples)
	for i := range s {
		s[i] = scale * float64(i)
	}
	return s
}

func TestText(t *testing.T) {
	var out bytes.Buffer
	f := file()
	if err := errors.Join(Head(&out, f), Text(&out, f.Figures)); err != nil {
		t.Fatal(err)
	}
	has(t, out.String(),
		"AMD, 2 cores, 23 GiB, Debian, Linux 6.18, cgroups hybrid\nnginx 1.22, wrk 4.1\ntaken 2026-11-30 at abc, 2026-11-30 at def\n",
		"12,500 req/s", "10,000 to 15,000", "0.50 to 0.50",
		"Sunya at least 1.00 of nginx <x>: 2.50, met", "taken while others used 40 %", "on one\nmachine",
		"p99 of Sunya at most -1.00 ms over bare: -0.99 ms, missed", "Sunya at most 10.0 ms: 49.5 ms, missed", "nobody at most 10.0 ms: not measured",
		"98.0 ms", "all answered: 500 of 500, met", "failed: no such file")
	if cold, warm := strings.Index(out.String(), "Cold start"), strings.Index(out.String(), "Warm"); cold > warm {
		t.Error("parts are not in their order")
	}
}

func TestPage(t *testing.T) {
	page := "# Performance\n\n" + begin + "\nstale text\n" + end + "\nand more\n"
	text, err := Page(page, file(), "performance")
	if err != nil {
		t.Fatal(err)
	}
	has(t, text, "# Performance\n\n"+begin+"\n", end+"\nand more\n", "![Warm requests to a Go program](performance/warm.svg)",
		"| 16 \\| connections | direct | 25,000 req/s | 20,000 to 30,000 |  |  |\n|  | Sunya | 12,500 req/s |",
		"| 16 \\| connections | Sunya at least 1.00 of nginx <x> | 2.50 | met |", "| Thing |  |  | **failed** |", "- 16 | connections: on one machine\n", "**missed**", "2 of 6 are met.")
	if strings.Contains(text, "stale text") || strings.Contains(text, "thing.svg") {
		t.Errorf("too much in\n%s", text)
	}
	again, err := Page(text, file(), "performance")
	if err != nil || again != text {
		t.Errorf("written twice it differs: %v", err)
	}
	if _, err := Page("# no markers", file(), "performance"); err == nil {
		t.Error("a page without markers is taken")
	}
}

func TestPicturesAreXML(t *testing.T) {
	pictures := Pictures(file().Figures)
	if len(pictures) != 2 {
		t.Errorf("%d pictures", len(pictures))
	}
	for part, picture := range pictures {
		for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", part, err)
			}
		}
	}
	has(t, string(pictures["warm"]), "nginx &lt;x&gt;", "12,500 req/s · 0.50", `class="goal"`, `class="s0"`, `class="s1"`, "more is better")
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0004: "0.000", 0.0123: "0.012", 0.5: "0.50", 1.004: "1.00", 12.34: "12.3", 123.4: "123", 999.6: "1000",
		1234.4: "1,234", 1234567: "1,234,567", -1234: "-1,234", math.NaN(): "none", math.Inf(1): "none",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0.0123: "0.012", 0.5: "0.50", 1.1: "1.10", 36: "36.0", math.NaN(): "none"} {
		if got := ratio(v); got != want {
			t.Errorf("ratio(%v) = %q, want %q", v, got, want)
		}
	}
}

func has(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
