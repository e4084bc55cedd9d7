package ignore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

// tree writes files; a name that ends in a slash is a directory, a content
// that begins with "-> " a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch to, link := strings.CutPrefix(content, "-> "); {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		case link:
			err = os.Symlink(to, path)
		default:
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func list(t *testing.T, dir string) ([]string, error) {
	t.Helper()
	rules, err := Load(dir, "python311")
	if err != nil {
		return nil, err
	}
	files, err := rules.List(t.Context(), dir)
	var names []string
	for _, f := range files {
		names = append(names, f.Path)
	}
	return names, err
}

func TestList(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"gcloud's defaults", map[string]string{
			"app.yaml": "", "main.py": "", "a/__pycache__/x.pyc": "", ".git/HEAD": "", "setup.cfg": "", "a/setup.cfg": "", ".env": "",
		}, []string{".env", "a/setup.cfg", "app.yaml", "main.py"}},
		{"gitignore where there is no gcloudignore", map[string]string{
			".gitignore": "*.log\n/data/\n", "a.log": "", "b/c.log": "", "data/x": "", "b/data/y": "",
		}, []string{"b/data/y"}},
		{"gcloudignore alone", map[string]string{
			".gcloudignore": "*.log\n", ".gitignore": "secret\n", "a.log": "", "secret": "", "x/__pycache__/y": "",
		}, []string{".gcloudignore", ".gitignore", "secret", "x/__pycache__/y"}},
		{"include", map[string]string{
			".gcloudignore": ".gcloudignore\n#!include:.gitignore\n", ".gitignore": ".gitignore\nsecret\n", "secret": "", "main.py": "",
		}, []string{"main.py"}},
		{"the last rule counts", map[string]string{
			".gcloudignore": "*\n!*.py\n", "a.py": "", "b.txt": "",
		}, []string{"a.py"}},
		{"nothing inside an ignored directory comes back", map[string]string{
			".gcloudignore": "/.gcloudignore\nd/\n!d/keep\n", "d/keep": "", "e": "",
		}, []string{"e"}},
		{"comments, blanks, line ends, escapes", map[string]string{
			".gcloudignore": "\ufeff.gcloudignore\r\n# x\r\n\r\nb  \r\n\\#c\r\n", "#c": "", "a": "", "b": "", "x": "",
		}, []string{"a", "x"}},
		{"character classes", map[string]string{
			".gcloudignore": ".*\n[!a]\n", "a": "", "b": "",
		}, []string{"a"}},
		{"links that stay inside", map[string]string{
			"real/x": "", "link": "-> real", "file": "-> real/x",
		}, []string{"file", "link/x", "real/x"}},
		{"an ignored link is never followed", map[string]string{
			".gcloudignore": ".*\nvenv\n", "venv": "-> /etc", "a": "",
		}, []string{"a"}},
		{"a directory rule means a linked directory too", map[string]string{
			".gcloudignore": ".*\nlink/\n", "real/x": "", "link": "-> real",
		}, []string{"real/x"}},
		{"odd names", map[string]string{
			"a b": "", "ünï": "", "-rf": "",
		}, []string{"-rf", "a b", "ünï"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := list(t, tree(t, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	outside := t.TempDir()
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"link out of the tree", map[string]string{"l": "-> /etc/passwd"}, "l: the link points to /etc/passwd, outside the source directory"},
		{"linked directory out of the tree", map[string]string{"l": "-> " + outside}, "outside the source directory"},
		{"relative link out of the tree", map[string]string{"l": "-> .."}, "outside the source directory"},
		{"link to nothing", map[string]string{"l": "-> gone"}, "l: the link points to nothing"},
		{"link to its own directory", map[string]string{"d/l": "-> ."}, "d/l: the link leads back"},
		{"link to a directory above", map[string]string{"d/e/l": "-> ../../d"}, "d/e/l: the link leads back"},
		{"name that is not UTF-8", map[string]string{"a\xff": ""}, "the name is not UTF-8"},
		{"included file is missing", map[string]string{".gcloudignore": "#!include:more"}, "there is no such file"},
		{"included file elsewhere", map[string]string{".gcloudignore": "#!include:../more"}, "in the same directory"},
		{"include in an included file", map[string]string{".gcloudignore": "#!include:a", "a": "#!include:b", "b": ""}, "cannot include another one"},
		{"rules that are a directory", map[string]string{".gcloudignore/": ""}, "is not a file of ignore rules"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := list(t, tree(t, tt.files))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("err = %v, want %q", err, tt.want)
			}
			if sunya.CodeOf(err) != sunya.InvalidArgument {
				t.Errorf("code = %v", sunya.CodeOf(err))
			}
		})
	}
}

func TestLoopOfLinks(t *testing.T) {
	if _, err := list(t, tree(t, map[string]string{"a": "-> b", "b": "-> a"})); err == nil {
		t.Error("no error")
	}
}

func TestSocketIsRefused(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := list(t, dir); err == nil || !strings.Contains(err.Error(), "neither a file nor a directory") {
		t.Errorf("err = %v", err)
	}
}

func TestHash(t *testing.T) {
	dir := tree(t, map[string]string{"hello": "hello\n"})
	rules, err := Load(dir, "python311")
	if err != nil {
		t.Fatal(err)
	}
	got, err := rules.List(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := File{Path: "hello", Local: filepath.Join(dir, "hello"), SHA1: "f572d396fae9206628714fb2ce00f72e94f2258f"}
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestTooManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range MaxFiles + 1 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := list(t, dir); err == nil || !strings.Contains(err.Error(), "more than 10000 files") {
		t.Errorf("err = %v", err)
	}
	// Exactly as many are fine.
	if err := os.Remove(filepath.Join(dir, "0")); err != nil {
		t.Fatal(err)
	}
	if got, err := list(t, dir); err != nil || len(got) != MaxFiles {
		t.Errorf("%d files, %v", len(got), err)
	}
}

func TestListStops(t *testing.T) {
	dir := tree(t, map[string]string{"a": ""})
	rules, err := Load(dir, "python311")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rules.List(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestOrigin(t *testing.T) {
	for _, tt := range []struct {
		file, want string
	}{
		{".gcloudignore", ".gcloudignore"},
		{".gitignore", "gcloud's defaults for python311 and .gitignore"},
		{"other", "gcloud's defaults for python311"},
	} {
		rules, err := Load(tree(t, map[string]string{tt.file: ""}), "python311")
		if err != nil {
			t.Fatal(err)
		}
		if rules.Origin != tt.want {
			t.Errorf("with %s: origin = %q, want %q", tt.file, rules.Origin, tt.want)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add("*.log\n!a\n#!include:x\n[!a]**/\\", "a/b")
	f.Fuzz(func(t *testing.T, rules, path string) {
		r, err := parse(t.TempDir(), "fuzz", rules)
		if err == nil {
			r.Ignored(path, false)
			r.Ignored(path, true)
		}
	})
}
