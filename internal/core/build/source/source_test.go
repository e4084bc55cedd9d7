package source

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
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

// TestScriptsAndProgramsCanBeRun: a manifest without modes, as App Engine's.
func TestScriptsAndProgramsCanBeRun(t *testing.T) {
	for content, want := range map[string]fs.FileMode{
		"#!/bin/sh\n": 0o755,
		"\x7fELF\x02": 0o755,
		"print()":     0o644,
		"#":           0o644,
		"":            0o644,
	} {
		dir := t.TempDir()
		src := sunya.Source{Files: []sunya.SourceFile{{Path: "f", Bucket: "b", Object: "1", SHA1: sha(content)}}}
		if err := New(memory{"b/1": content}, Limits{}).Materialise(t.Context(), src, dir); err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(filepath.Join(dir, "f"))
		if err != nil {
			t.Fatal(err)
		}
		if got := fi.Mode().Perm(); got != want {
			t.Errorf("%q: mode %o, want %o", content, got, want)
		}
	}
}
