package ignore

import (
	"context"
	"crypto/sha1" //nolint:gosec // App Engine's API names files by SHA-1
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sunya-cloud/sunya"
)

// MaxFiles is Google's limit of files in one deployment.
const MaxFiles = 10_000

// maxDepth bounds directories in directories.
const maxDepth = 100

// File is one file to deploy.
type File struct {
	Path  string // slash-separated, relative to the source directory
	Local string // where its bytes are on this machine, links followed
	SHA1  string // hex
}

// List returns the files of dir that the rules leave in, sorted by path, each
// hashed. A symbolic link counts as what it points to, which must be inside
// dir. Errors that the user can mend are sunya.InvalidArgument.
func (r *Rules) List(ctx context.Context, dir string) ([]File, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("open source directory: %w", err)
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, fmt.Errorf("open source directory: %w", err)
	}
	w := &walk{ctx: ctx, rules: r, root: root}
	if err := w.directory("", root, nil); err != nil {
		return nil, err
	}
	slices.SortFunc(w.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	for i := range w.files {
		if err := w.hash(&w.files[i]); err != nil {
			return nil, err
		}
	}
	return w.files, nil
}

// walk is one List under way.
type walk struct {
	ctx   context.Context
	rules *Rules
	root  string // absolute, free of links
	files []File
}

// directory lists the directory at local, known to the app as rel. above holds
// the true paths of the directories it is in, so that a link to one of them is
// noticed.
func (w *walk) directory(rel, local string, above []string) error {
	if slices.Contains(above, local) {
		return sunya.Errorf(sunya.InvalidArgument, rel, "the link leads back to a directory that contains it; remove it or name it in %s", FileName)
	}
	if len(above) > maxDepth {
		return sunya.Errorf(sunya.InvalidArgument, rel, "more than %d directories inside each other", maxDepth)
	}
	entries, err := os.ReadDir(local)
	if err != nil {
		return fmt.Errorf("list source: %w", err)
	}
	above = append(above, local)
	for _, e := range entries {
		if err := context.Cause(w.ctx); err != nil {
			return err
		}
		if err := w.entry(path.Join(rel, e.Name()), filepath.Join(local, e.Name()), e.Type(), above); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(rel, local string, kind fs.FileMode, above []string) error {
	// As in git, a link is a file to the rules, whatever it points to.
	if w.rules.Ignored(rel, kind.IsDir()) {
		return nil
	}
	if !utf8.ValidString(rel) {
		return sunya.Errorf(sunya.InvalidArgument, fmt.Sprintf("%q", rel), "the name is not UTF-8; rename the file or name it in %s", FileName)
	}
	info, err := os.Lstat(local)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		local, info, err = w.resolve(rel, local)
	}
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		// A pattern such as venv/ means a linked directory too.
		if kind&fs.ModeSymlink != 0 && w.rules.Ignored(rel, true) {
			return nil
		}
		return w.directory(rel, local, above)
	case !info.Mode().IsRegular():
		return sunya.Errorf(sunya.InvalidArgument, rel, "is neither a file nor a directory (%s); remove it or name it in %s", info.Mode().Type(), FileName)
	}
	return w.add(File{Path: rel, Local: local})
}

// resolve follows a link as far as it stays inside the source directory.
func (w *walk) resolve(rel, local string) (string, fs.FileInfo, error) {
	target, err := filepath.EvalSymlinks(local)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, sunya.Errorf(sunya.InvalidArgument, rel, "the link points to nothing; remove it or name it in %s", FileName)
	}
	if err != nil {
		return "", nil, fmt.Errorf("follow link %s: %w", rel, err)
	}
	inside, err := filepath.Rel(w.root, target)
	if err != nil || !filepath.IsLocal(inside) {
		return "", nil, sunya.Errorf(sunya.InvalidArgument, rel, "the link points to %s, outside the source directory; copy the file or name the link in %s", target, FileName)
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", nil, fmt.Errorf("follow link %s: %w", rel, err)
	}
	return target, info, nil
}

func (w *walk) add(f File) error {
	if len(w.files) == MaxFiles {
		return sunya.Errorf(sunya.InvalidArgument, w.root, "more than %d files would be deployed, which is App Engine's limit; name in %s what the app does not need (virtual environments, node_modules, data)", MaxFiles, FileName)
	}
	w.files = append(w.files, f)
	return nil
}

// hash fills in the checksum, and the size that belongs to it.
func (w *walk) hash(f *File) error {
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	in, err := os.Open(f.Local)
	if err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	defer in.Close()
	sum := sha1.New() //nolint:gosec // see import
	if _, err := io.Copy(sum, in); err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	f.SHA1 = hex.EncodeToString(sum.Sum(nil))
	return nil
}
