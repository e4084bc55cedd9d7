package sunya_test

import (
	"fmt"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		rule string
		n    sunya.Bytes
		want string
	}{
		{"nothing", 0, "0 B"},
		{"below a unit", 1023, "1023 B"},
		{"a unit", 1024, "1 KiB"},
		{"one more", 1025, "1.0 KiB"},
		{"a limit as it was set", 512 << 20, "512 MiB"},
		{"between units", 3 << 29, "1.5 GiB"},
		{"the largest unit", 5 << 40, "5 TiB"},
		{"less than nothing", -1, "-1 B"},
	} {
		if got := c.n.String(); got != c.want {
			t.Errorf("%s: Bytes(%d) = %q, want %q", c.rule, int64(c.n), got, c.want)
		}
	}
}

func ExampleBytes() {
	fmt.Printf("at most %v, not %v\n", sunya.Bytes(512<<20), sunya.Bytes(629145700))
	// Output: at most 512 MiB, not 600.0 MiB
}
