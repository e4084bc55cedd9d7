package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSimulate(t *testing.T) {
	f := newFake(t)
	load := prepare(t, f, "simulate", "--trace", "-", "--concurrency", "1")
	load.env.Stdin = strings.NewReader("0,a,1s\n0.5,a,2s\n60,a,1s\n1,b,30s\n")
	r := load.do(t).expect(t, exitOK)
	golden(t, "simulate", r.stdout.String())
}

func TestSimulateForPrograms(t *testing.T) {
	f := newFake(t)
	picture := filepath.Join(t.TempDir(), "run.svg")
	r := execute(t, f, "simulate", "--trace", "step", "--requests", "1000", "--kills", "60", "--svg", picture, "--json").expect(t, exitOK)
	var report struct {
		Arrived, Served, Shed, Failed, Lost int64
		InstanceSeconds                     map[string]float64
	}
	if err := json.Unmarshal([]byte(r.stdout.String()), &report); err != nil {
		t.Fatal(err)
	}
	if report.Arrived != 1000 || report.Arrived != report.Served+report.Shed+report.Failed+report.Lost || report.InstanceSeconds["busy"] <= 0 {
		t.Errorf("%+v", report)
	}
	if svg, err := os.ReadFile(picture); err != nil || !strings.HasPrefix(string(svg), "<svg") {
		t.Errorf("picture %.40q, error %v", svg, err)
	}
}

func TestSimulateFile(t *testing.T) {
	f := newFake(t)
	r := execute(t, f, "simulate", "--trace", file(t, "time,service,duration\n0,a,1s\n0.5,a,1s\n9,b,250ms\n"), "--format", "value(services,served)").expect(t, exitOK)
	if got := strings.TrimSpace(r.stdout.String()); got != "2\t3" {
		t.Errorf("%q", got)
	}
}

func TestSimulateRefuses(t *testing.T) {
	f := newFake(t)
	for _, tt := range []struct {
		rule string
		args []string
		want string
	}{
		{"a trace that is nearly one", []string{"--trace", "spikes"}, "neither a file nor a trace: use spike"},
		{"a trace like none", []string{"--trace", "x.csv"}, "use step, spike"},
		{"a directory", []string{"--trace", t.TempDir()}, "is a directory"},
		{"a line of a file", []string{"--trace", file(t, "0,a,1s\n1,a,never\n")}, `line 2, duration: "never"`},
		{"no services", []string{"--services", "-1"}, "--services: -1 is not allowed"},
		{"too many requests", []string{"--requests", "1000000000"}, "--requests"},
		{"no concurrency", []string{"--concurrency", "0"}, "use 1 to 1000"},
		{"a share above one", []string{"--safe", "1.1"}, "--safe"},
		{"kills that are no number", []string{"--kills", "NaN"}, "--kills"},
		{"memory without sense", []string{"--memory", "much"}, "--memory"},
		{"a boot of a day", []string{"--boot", "24h"}, "--boot"},
		{"a picture nowhere", []string{"--requests", "10", "--svg", "/nonexistent/x.svg"}, "--svg"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			r := execute(t, f, append([]string{"simulate"}, tt.args...)...).expect(t, exitUsage)
			if !strings.Contains(r.stderr.String(), tt.want) {
				t.Errorf("no %q in %s", tt.want, r.stderr)
			}
		})
	}
}

func TestChart(t *testing.T) {
	var b strings.Builder
	chart{title: "T", most: "8", area: []float64{0, 0.01, 4, 8, 2}, dots: []float64{0, 0, 8, 0, 0}}.write(&b, 7)
	want := "T, at most 8\n    ·█\n     █\n    ██\n   ▁███\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	chart{title: "nothing", most: "0"}.write(&b, 20)
	if b.String() != "nothing, at most 0\n\n\n\n\n" {
		t.Errorf("%q", b.String())
	}
}
