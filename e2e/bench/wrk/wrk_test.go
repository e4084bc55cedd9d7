package wrk

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	got, err := parse("Running 2s test\nfigures 2000000 1000 50000 150 900 0 0 0 0 0\n")
	want := Result{RequestsPerSecond: 500, BytesPerSecond: 25000, P50: 150 * time.Microsecond, P99: 900 * time.Microsecond, Requests: 1000}
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	for out, problem := range map[string]string{
		"":                "said nothing",
		"figures 1 2 3\n": "said nothing",
		"figures 2000000 1000 50000 150 900 0 0 0 0 0":   "said nothing",
		"figures 2000000 1000 50000 150 900 0 0 0 0 x\n": "invalid syntax",
		"figures 2000000 1000 50000 150 900 1 2 3 4 5\n": "1 to connect, 2 to read, 3 to write, 4 with an error's status, 5 in time",
		"figures 2000000 0 0 0 0 0 0 0 0 0\n":            "0 bytes in 2000000 us",
	} {
		if _, err := parse(out); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%q: %v, want %q", out, err, problem)
		}
	}
}
