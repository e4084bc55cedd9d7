package hoststack

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemory(t *testing.T) {
	total := Memory()
	if total < 64<<20 {
		t.Fatalf("the machine has %d bytes of memory", total)
	}
	file := filepath.Join(t.TempDir(), "memory.max")
	defer func(was []string) { memoryLimits = was }(memoryLimits)
	memoryLimits = []string{file}
	for _, c := range []struct {
		text string
		want int64
	}{{"33554432\n", 32 << 20}, {"max\n", 0}, {"9223372036854771712\n", 0}, {"", 0}} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Memory(); c.want > 0 && got != c.want || c.want == 0 && got < total {
			t.Errorf("%q: %d bytes, want %d", c.text, got, c.want)
		}
	}
}
