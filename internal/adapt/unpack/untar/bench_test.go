package untar

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkExtract unpacks two thousand small files.
func BenchmarkExtract(b *testing.B) {
	var all []byte
	headers := many(0)
	for i := range 2000 {
		headers = append(headers, file(fmt.Sprintf("dir/%d", i), strings.Repeat("x", 2000)))
	}
	all = archive(b, headers...)
	for b.Loop() {
		if _, err := Extract(b.TempDir(), bytes.NewReader(all), Limits{Bytes: 1 << 30, Files: 10000}); err != nil {
			b.Fatal(err)
		}
	}
}
