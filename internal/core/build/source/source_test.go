package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/hex"
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

// memory holds objects by bucket/object.
type memory map[string]string

func (m memory) Open(_ context.Context, bucket, object string) (io.ReadSeekCloser, error) {
	data, ok := m[bucket+"/"+object]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, object, "no such object")
	}
	return seeker{bytes.NewReader([]byte(data))}, nil
}

type seeker struct{ *bytes.Reader }

func (seeker) Close() error { return nil }

func sha(s string) string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// tree returns what is in dir: path to content, "dir" or "-> target".
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		switch {
		case err != nil || rel == ".":
			return err
		case d.IsDir():
			got[rel+"/"] = ""
		case d.Type() == fs.ModeSymlink:
			to, _ := os.Readlink(p)
			got[rel] = "-> " + to
		default:
			data, err := os.ReadFile(p)
			got[rel] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFiles(t *testing.T) {
	objs := memory{"b/1": "print()", "b/2": "#!/bin/sh\n"}
	dir := t.TempDir()
	err := New(objs, Limits{}).Materialise(t.Context(), sunya.Source{Files: []sunya.SourceFile{
		{Path: "main.py", Bucket: "b", Object: "1", SHA1: sha("print()")},
		{Path: "bin/ü run", Bucket: "b", Object: "2", SHA1: strings.ToUpper(sha("#!/bin/sh\n")), Mode: 0o4777},
	}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"main.py": "print()", "bin/": "", "bin/ü run": "#!/bin/sh\n"}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	for name, mode := range map[string]fs.FileMode{"main.py": 0o644, "bin/ü run": 0o755} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode() != mode {
			t.Errorf("%s: mode %v, %v; want %v", name, fi.Mode(), err, mode)
		}
	}
}

func TestFilesRefused(t *testing.T) {
	objs := memory{"b/1": "12345"}
	f := func(p string) sunya.SourceFile {
		return sunya.SourceFile{Path: p, Bucket: "b", Object: "1", SHA1: sha("12345")}
	}
	tests := []struct {
		rule  string
		files []sunya.SourceFile
		want  string
	}{
		{"no way up", []sunya.SourceFile{f("../x")}, "leads out"},
		{"wrong content", []sunya.SourceFile{{Path: "x", Bucket: "b", Object: "1", SHA1: sha("other")}}, "x: its content has SHA-1"},
		{"missing object", []sunya.SourceFile{{Path: "x", Bucket: "b", Object: "2"}}, "x: its content, object 2 of bucket b, does not exist"},
		{"same name twice", []sunya.SourceFile{f("x"), f("x")}, `"x": the name occurs twice`},
		{"file as folder", []sunya.SourceFile{f("x"), f("x/y")}, `"x" is not a folder`},
		{"folder as file", []sunya.SourceFile{f("x/y"), f("x")}, `"x": the name occurs twice`},
		{"too many files", []sunya.SourceFile{f("1"), f("2"), f("3"), f("4")}, "4 files"},
		{"too many folders", []sunya.SourceFile{f("1"), f("2"), f("3/4/5")}, ""},
		{"too many bytes", []sunya.SourceFile{f("1"), f("2"), f("3")}, `"3": the source is larger`},
	}
	for _, tt := range tests {
		err := New(objs, Limits{Files: 3, Bytes: 12}).Materialise(t.Context(), sunya.Source{Files: tt.files}, t.TempDir())
		checkRefused(t, tt.rule, err, cmpOr(tt.want, "larger"))
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func checkRefused(t testing.TB, rule string, err error, want string) {
	t.Helper()
	code := sunya.CodeOf(err)
	if code != sunya.InvalidArgument && code != sunya.FailedPrecondition {
		t.Errorf("%s: %v (code %d), want a refusal", rule, err, code)
		return
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %q in it", rule, err, want)
	}
}

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

func TestCheckPath(t *testing.T) {
	good := []string{"main.py", "a/b/c", "a b", "-rf", "ü/ñ", "ab:c", ".hidden", "..a", "a..b", "con", strings.Repeat("x", 255)}
	bad := []string{"", ".", "..", "/", "/a", "a/", "a//b", "./a", "a/.", "a/..", "../a", "a/../b", `a\b`, "C:", "c:/x", "a\x00b", "a\tb", "\xff", strings.Repeat("x", 256), strings.Repeat("x/", 600) + "x"}
	for _, p := range good {
		if err := CheckPath(p); err != nil {
			t.Errorf("CheckPath(%q) = %v", p, err)
		}
	}
	for _, p := range bad {
		if sunya.CodeOf(CheckPath(p)) != sunya.InvalidArgument {
			t.Errorf("CheckPath(%q) accepted", p)
		}
	}
}

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
