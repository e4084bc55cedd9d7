package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

// entry is one entry of a test archive.
type entry struct {
	name, body string
	mode       fs.FileMode
	link       string
	flag       byte // tar only
	pax        map[string]string
}

func zipOf(t testing.TB, entries ...entry) string {
	t.Helper()
	var buf bytes.Buffer
	zw := zip.NewWriter(&buf)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode == 0 && !strings.HasSuffix(e.name, "/") {
			e.mode = 0o644
		}
		if strings.HasSuffix(e.name, "/") {
			e.mode |= fs.ModeDir | 0o755
		}
		h.SetMode(e.mode)
		w, err := zw.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(e.name, "/") {
			io.WriteString(w, e.body+e.link)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func tarOf(t testing.TB, entries ...entry) string {
	t.Helper()
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	tw := tar.NewWriter(gz)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: int64(e.mode.Perm()), Size: int64(len(e.body)), Typeflag: e.flag, Linkname: e.link, PAXRecords: e.pax}
		if e.flag == 0 {
			h.Typeflag = tar.TypeReg
		}
		switch {
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		case e.mode&fs.ModeSymlink != 0:
			h.Typeflag = tar.TypeSymlink
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(tw, e.body)
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func unpack(t testing.TB, data string, l Limits) (map[string]string, error) {
	t.Helper()
	outer := t.TempDir()
	dir := filepath.Join(outer, "in")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	err := New(memory{"b/a": data}, l).Materialise(t.Context(), sunya.Source{Archive: "b/a"}, dir)
	for name := range tree(t, outer) {
		if name != "in/" && !strings.HasPrefix(name, "in/") {
			t.Errorf("written outside: %s", name)
		}
	}
	return tree(t, dir), err
}

func TestArchives(t *testing.T) {
	entries := []entry{
		{name: "main.py", body: "print()"},
		{name: "lib/"},
		{name: "lib/a b.txt", body: "x"},
		{name: "deep/er/f", body: "y", mode: 0o755},
		{name: "lib/link", mode: fs.ModeSymlink | 0o777, link: "../deep/er/f"},
		{name: "dangling", mode: fs.ModeSymlink | 0o777, link: "lib/none"},
	}
	want := map[string]string{"main.py": "print()", "lib/": "", "lib/a b.txt": "x", "deep/": "", "deep/er/": "", "deep/er/f": "y",
		"lib/link": "-> ../deep/er/f", "dangling": "-> lib/none"}
	for kind, data := range map[string]string{"zip": zipOf(t, entries...), "tar": tarOf(t, append([]entry{{name: "./"}}, entries...)...)} {
		got, err := unpack(t, data, Limits{})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", kind, err, diff)
		}
	}
}

// TestAttacks is probe S12: each is refused, and the entry named.
func TestAttacks(t *testing.T) {
	sym := fs.ModeSymlink | 0o777
	both := []struct {
		rule    string
		entries []entry
		want    string
	}{
		{"way up", []entry{{name: "../evil", body: "x"}}, "../evil"},
		{"way up in the middle", []entry{{name: "a/../../evil", body: "x"}}, "a/../../evil"},
		{"absolute", []entry{{name: "/etc/evil", body: "x"}}, "/etc/evil"},
		{"backslash", []entry{{name: `..\evil`, body: "x"}}, "backslash"},
		{"drive letter", []entry{{name: "C:/evil", body: "x"}}, "drive letter"},
		{"control character", []entry{{name: "a\nb", body: "x"}}, `a\nb`},
		{"empty folder name", []entry{{name: "a//b", body: "x"}}, "a//b"},
		{"link out", []entry{{name: "l", mode: sym, link: "../../etc"}}, `"l" is a link that leads out`},
		{"absolute link", []entry{{name: "l", mode: sym, link: "/etc/passwd"}}, `"l" is a link that leads out`},
		{"link, then a file through it", []entry{{name: "l", mode: sym, link: "d"}, {name: "d/x", body: "x"}, {name: "l/evil", body: "x"}}, `"l" is not a folder`},
		{"link, then a file in its place", []entry{{name: "l", mode: sym, link: "d"}, {name: "l", body: "x"}}, "occurs twice"},
		{"link out over a link", []entry{{name: "a/b/c", body: "x"}, {name: "l", mode: sym, link: "a/b"}, {name: "m", mode: sym, link: "l/../../../in"}}, "m"},
		{"link loop", []entry{{name: "l", mode: sym, link: "m"}, {name: "m", mode: sym, link: "l"}}, `"l" is a link that leads nowhere`},
		{"same name twice", []entry{{name: "x", body: "1"}, {name: "x", body: "2"}}, `"x": the name occurs twice`},
		{"case folding", []entry{{name: "Dir/x", body: "1"}, {name: "dir/y", body: "2"}}, "only in case"},
		{"too many entries", []entry{{name: "1"}, {name: "2"}, {name: "3"}, {name: "4"}, {name: "5"}, {name: "6"}}, "entries"},
		{"bomb", []entry{{name: "bomb", body: strings.Repeat("\x00", 3<<20)}}, "bomb"},
	}
	for _, tt := range both {
		for kind, data := range map[string]string{"zip": zipOf(t, tt.entries...), "tar": tarOf(t, tt.entries...)} {
			got, err := unpack(t, data, Limits{Files: 5, Bytes: 1 << 20})
			checkRefused(t, kind+": "+tt.rule, err, tt.want)
			total := 0
			for _, body := range got {
				total += len(body)
			}
			if total > 1<<20+1 {
				t.Errorf("%s: %s: %d bytes written", kind, tt.rule, total)
			}
		}
	}
}

func TestTarAttacks(t *testing.T) {
	tests := []struct {
		rule string
		e    entry
		want string
	}{
		{"hard link", entry{name: "h", flag: tar.TypeLink, link: "/etc/passwd"}, `"h" is a hard link`},
		{"character device", entry{name: "c", flag: tar.TypeChar}, `"c" is a device`},
		{"block device", entry{name: "b", flag: tar.TypeBlock}, `"b" is a device`},
		{"pipe", entry{name: "p", flag: tar.TypeFifo}, `"p" is a pipe`},
		{"contiguous", entry{name: "k", flag: tar.TypeCont}, `"k" is of an unknown type`},
	}
	for _, tt := range tests {
		_, err := unpack(t, tarOf(t, tt.e), Limits{})
		checkRefused(t, tt.rule, err, tt.want)
	}
}

func TestZipAttacks(t *testing.T) {
	good := zipOf(t, entry{name: "a", body: strings.Repeat("x", 100)}, entry{name: "b", body: "y"})
	overlap := overlapping(t, good)
	tests := []struct{ rule, data, want string }{
		{"overlapping entries", overlap, "overlaps"},
		{"cut off", good[:len(good)-30], "damaged"},
		{"neither", "MZ\x90\x00", "neither a zip"},
		{"empty", "", "neither a zip"},
		{"damaged gzip", "\x1f\x8b\x08garbage", "damaged"},
		{"cut tar", tarOf(t, entry{name: "a", body: strings.Repeat("x", 5000)})[:40], "damaged"},
	}
	for _, tt := range tests {
		_, err := unpack(t, tt.data, Limits{})
		checkRefused(t, tt.rule, err, tt.want)
	}
}

// overlapping points the second directory record at the first local header.
func overlapping(t *testing.T, data string) string {
	t.Helper()
	b := []byte(data)
	first := bytes.Index(b, []byte("PK\x01\x02"))
	second := first + 4 + bytes.Index(b[first+4:], []byte("PK\x01\x02"))
	if first < 0 || second <= first {
		t.Fatal("no directory records")
	}
	copy(b[second+42:second+46], b[first+42:first+46])
	return string(b)
}
