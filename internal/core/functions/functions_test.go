package functions

import (
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
)

func TestParseMemory(t *testing.T) {
	for s, want := range map[string]int64{
		"256M": 256 << 20, "256Mi": 256 << 20, "256MB": 256 << 20, "1Gi": 1 << 30, "1G": 1 << 30, "1.5Gi": 3 << 29, "131072Ki": 128 << 20, "268435456": 256 << 20,
	} {
		if got, err := ParseMemory(s); err != nil || got != want {
			t.Errorf("%s = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "12Q", "-1M", "M", "1 Gi", "1e9", "999999999999Ti", "0x10", "١M"} {
		if got, err := ParseMemory(s); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("%q = %d, %v, want InvalidArgument", s, got, err)
		}
	}
}

func TestParseCPU(t *testing.T) {
	for s, want := range map[string]int{"1": 1000, "0.5": 500, "583m": 583, "2": 2000, "0.083": 83} {
		if got, err := ParseCPU(s); err != nil || got != want {
			t.Errorf("%s = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "one", "-1", "1 ", "m", "1c"} {
		if _, err := ParseCPU(s); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("%q was accepted", s)
		}
	}
}

func FuzzQuantities(f *testing.F) {
	for _, s := range []string{"256M", "1.5Gi", "583m", "0.1666", "12Q", "9999999999999G"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseMemory(s); err == nil && n < 0 {
			t.Errorf("memory %q is %d", s, n)
		}
		if n, err := ParseCPU(s); err == nil && n < 0 {
			t.Errorf("CPU %q is %d", s, n)
		}
	})
}

func TestKeys(t *testing.T) {
	for _, k := range []Key{{"sunya", "us-central1", "hello"}, {"p", "local", "a-1"}} {
		if err := k.Check(); err != nil {
			t.Errorf("%+v: %v", k, err)
		}
	}
	for _, k := range []Key{
		{"sunya", "local", ""}, {"sunya", "local", "Hello"}, {"sunya", "local", "a_b"}, {"sunya", "local", "1a"}, {"sunya", "local", "a-dot-b"}, {"sunya", "local", "a---b"},
		{"sunya", "local", "a-"}, {"sunya", "local", strings.Repeat("a", 64)}, {"sunya", "", "a"}, {"sunya", "US", "a"}, {"", "local", "a"}, {"../x", "local", "a"},
	} {
		if err := k.Check(); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("%+v was accepted", k)
		}
	}
}

func TestSpecChecks(t *testing.T) {
	k := Key{"sunya", "local", "hello"}
	tests := []struct {
		name   string
		change func(*Spec)
		want   string // empty: accepted
	}{
		{"defaults", func(*Spec) {}, ""},
		{"a whole CPU for more requests", func(s *Spec) { s.Concurrency, s.CPUMillis = 80, 1000 }, ""},
		{"little memory", func(s *Spec) { s.MemoryBytes = 64 << 20 }, "available_memory: 64 MiB is not allowed"},
		{"more requests than a CPU takes", func(s *Spec) { s.Concurrency = 2 }, "need a whole CPU"},
		{"too many requests", func(s *Spec) { s.Concurrency, s.CPUMillis = 1001, 1000 }, "1001 is not allowed"},
		{"too long", func(s *Spec) { s.Timeout = time.Hour + time.Second }, "timeout_seconds"},
		{"minimum over maximum", func(s *Spec) { s.Min, s.Max = 3, 2 }, "min_instance_count: 3 is more than"},
		{"too much CPU", func(s *Spec) { s.CPUMillis = 9000 }, "available_cpu"},
		{"no function", func(s *Spec) { s.EntryPoint = "a b" }, "entry_point"},
		{"a class in Java", func(s *Spec) { s.EntryPoint = "com.example.Hello" }, ""},
		{"no account", func(s *Spec) { s.Account = "me" }, "service_account_email"},
		{"reserved variable", func(s *Spec) { s.Env = map[string]string{"K_SERVICE": "x"} }, "K_SERVICE is reserved"},
		{"odd variable", func(s *Spec) { s.Env = map[string]string{"A-B": "x"} }, "A-B"},
		{"odd build variable", func(s *Spec) { s.BuildEnv = map[string]string{"": "x"} }, "build_config.environment_variables"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Spec{Runtime: "python311"}
			tt.change(&s)
			s.complete(k)
			err := s.check()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLinks(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := NewLinks("secret", func() time.Time { return now })
	q := l.Query("PUT", "b", "o")
	if err := l.Check("PUT", "b", "o", q); err != nil {
		t.Fatal(err)
	}
	if err := NewLinks("secret", func() time.Time { return now }).Check("PUT", "b", "o", q); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	late := l.Query("PUT", "b", "o")
	late.Set("expires", "9999999999")
	for name, check := range map[string]func() error{
		"another method": func() error { return l.Check("GET", "b", "o", q) },
		"another object": func() error { return l.Check("PUT", "b", "p", q) },
		"moved boundary": func() error { return l.Check("PUT", "bo", "", q) },
		"another secret": func() error { return NewLinks("x", l.now).Check("PUT", "b", "o", q) },
		"no signature":   func() error { return l.Check("PUT", "b", "o", nil) },
		"a later end":    func() error { return l.Check("PUT", "b", "o", late) },
	} {
		if err := check(); sunya.CodeOf(err) != sunya.PermissionDenied {
			t.Errorf("%s: %v, want PermissionDenied", name, err)
		}
	}
	now = now.Add(31 * time.Minute)
	if err := l.Check("PUT", "b", "o", q); sunya.CodeOf(err) != sunya.PermissionDenied {
		t.Errorf("after half an hour: %v, want PermissionDenied", err)
	}
}
