package trace

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	const text = `time,service,duration,safe
12.5,b,0.25,true
10,a,1s,false
# not a comment, a service's line may not look so
`
	tr, err := Read(strings.NewReader(text[:strings.Index(text, "#")]), Options{Boot: time.Second, Memory: 5})
	if err != nil {
		t.Fatal(err)
	}
	if tr.Length != 2500*time.Millisecond || len(tr.Services) != 2 || tr.Services[0].Name != "b" || tr.Services[0].Boot != time.Second {
		t.Errorf("%+v", tr)
	}
	got := [][]Request{drain(t, tr.Services[0]), drain(t, tr.Services[1])}
	want := [][]Request{{{2500 * time.Millisecond, 250 * time.Millisecond, true}}, {{0, time.Second, false}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadTimesOfDay(t *testing.T) {
	tr, err := Read(strings.NewReader("2026-11-30T12:00:01Z,a,0\n2026-11-30T13:00:00.5+01:00,a,5ms\n"), Options{Safe: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := drain(t, tr.Services[0])
	want := []Request{{0, 5 * time.Millisecond, true}, {500 * time.Millisecond, 0, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadErrors(t *testing.T) {
	for _, tt := range []struct {
		rule, text string
		line       int
		column     string
		word       string
	}{
		{"nothing", "", 1, "", "no request"},
		{"only a header", "time,service,duration\n", 1, "", "no request"},
		{"too few columns", "1,a\n", 1, "", "2 columns"},
		{"too many", "1,a,2,true,5\n", 1, "", "5 columns"},
		{"a time that is none", "1,a,1\nnoon,a,1\n", 2, "time", `"noon"`},
		{"a negative time", "-1,a,1\n", 1, "time", "from 0 on"},
		{"a time that is not a number", "NaN,a,1\n", 1, "time", `"NaN"`},
		{"forms mixed", "1,a,1\n2026-11-30T12:00:00Z,a,1\n", 2, "time", "one form"},
		{"forms mixed, the other way", "2026-11-30T12:00:00Z,a,1\n1,a,1\n", 2, "time", "RFC 3339"},
		{"long ago", "1066-10-14T09:00:00Z,a,1\n", 1, "time", "1970"},
		{"a year and a day too long", "0,a,1\n40000000,a,1\n", 1, "", "days"},
		{"no service", "1,,1\n", 1, "service", "1 to 200"},
		{"a name with a bell", "1,\"a\ab\",1\n", 1, "service", "control"},
		{"a duration without sense", "1,a,soon\n", 1, "duration", "250ms"},
		{"a negative duration", "1,a,-1s\n", 1, "duration", "between"},
		{"a duration of a week", "1,a,168h\n", 1, "duration", "between"},
		{"safe or not", "1,a,1,maybe\n", 1, "safe", "neither true nor false"},
		{"a quote that never ends", "1,\"a,1\n", 1, "", "quote"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			_, err := Read(strings.NewReader(tt.text), Options{})
			var bad *FileError
			if !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			if bad.Line != tt.line || bad.Column != tt.column || !strings.Contains(bad.Error(), tt.word) {
				t.Errorf("%+v", bad)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add("time,service,duration,safe\n12.5,b,0.25,true\n10,a,1s,false\n")
	f.Add("2026-11-30T12:00:01Z,a,0\n2026-11-30T13:00:00.5+01:00,\"a\",5ms\n")
	f.Add("1,a\n")
	f.Fuzz(func(t *testing.T, text string) {
		tr, err := Read(strings.NewReader(text), Options{})
		if err != nil {
			var bad *FileError
			if !errors.As(err, &bad) || bad.Line < 1 {
				t.Fatalf("error %v", err)
			}
			return
		}
		n := 0
		for _, s := range tr.Services {
			for _, q := range drain(t, s) {
				n++
				if q.At < 0 || q.At > tr.Length || q.Work < 0 || q.Work > maxWork {
					t.Fatalf("%+v in %v", q, tr.Length)
				}
			}
		}
		if n == 0 || n > strings.Count(text, "\n")+strings.Count(text, "\r")+1 {
			t.Fatalf("%d requests", n)
		}
	})
}
