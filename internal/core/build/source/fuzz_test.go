package source

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzCheckPath(f *testing.F) {
	for _, s := range []string{"a/b", "../x", "a\\b", "C:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if CheckPath(p) == nil && (!filepath.IsLocal(p) || !fs.ValidPath(p)) {
			t.Errorf("accepted %q", p)
		}
	})
}

func FuzzZip(f *testing.F) {
	f.Add([]byte(zipOf(f, entry{name: "a/b", body: "x"}, entry{name: "l", mode: fs.ModeSymlink, link: "a"})))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzUnpack(t, append([]byte("PK\x03\x04"), data[min(4, len(data)):]...))
	})
}

func FuzzTar(f *testing.F) {
	var plain bytes.Buffer
	gz, err := gzip.NewReader(strings.NewReader(tarOf(f, entry{name: "a/b", body: "x"}, entry{name: "l", mode: fs.ModeSymlink, link: "a"})))
	if err != nil {
		f.Fatal(err)
	}
	io.Copy(&plain, gz)
	f.Add(plain.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		w.Write(data)
		w.Close()
		fuzzUnpack(t, buf.Bytes())
	})
}

// fuzzUnpack holds for any bytes: a refusal or a tree within the limits, and
// nothing outside of it.
func fuzzUnpack(t *testing.T, data []byte) {
	got, err := unpack(t, string(data), Limits{Files: 20, Bytes: 1 << 16})
	if err != nil {
		checkRefused(t, "fuzz", err, "")
	}
	total := 0
	for _, body := range got {
		if !strings.HasPrefix(body, "-> ") {
			total += len(body)
		}
	}
	if total > 1<<16+1 {
		t.Errorf("%d bytes written", total)
	}
}
