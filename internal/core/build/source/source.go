// Package source writes a deployment's source out into a directory: files from
// objects, or an archive. What it reads was uploaded by anybody, so every name
// is checked, every byte counted, and nothing is written but beneath the
// directory.
package source

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Objects is where sources are read from.
type Objects interface {
	// Open returns the object's bytes; NotFound when there is none. The caller
	// closes.
	Open(ctx context.Context, bucket, object string) (io.ReadSeekCloser, error)
}

// Limits bound a source. Zero stands for the default.
type Limits struct {
	Files int   // entries of any kind; default 10,000 (App Engine's own limit)
	Bytes int64 // of all files together, unpacked; default 1 GiB
}

// Tree writes sources out. It is safe for concurrent use.
type Tree struct {
	objects Objects
	limits  Limits
}

// New returns a Tree that reads from objects.
func New(objects Objects, limits Limits) *Tree {
	limits.Files = cmp.Or(limits.Files, 10_000)
	limits.Bytes = cmp.Or(limits.Bytes, 1<<30)
	return &Tree{objects, limits}
}

// Materialise writes src into dir, which is empty and the caller's. An error
// that the source caused is InvalidArgument or FailedPrecondition and names
// the entry; dir then holds what was written before it.
func (t *Tree) Materialise(ctx context.Context, src sunya.Source, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open source directory: %w", err)
	}
	defer root.Close()
	w := &writer{root: root, limits: t.limits, seen: map[string]kind{}, ctx: ctx}
	if src.Archive != "" {
		return t.archive(ctx, src.Archive, w)
	}
	if len(src.Files) > t.limits.Files {
		return sunya.Invalid("deployment.files", "the source has %d files: at most %d are allowed", len(src.Files), t.limits.Files)
	}
	for _, f := range src.Files {
		if err := t.file(ctx, f, w); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) file(ctx context.Context, f sunya.SourceFile, w *writer) error {
	if err := CheckPath(f.Path); err != nil {
		return err
	}
	r, err := t.objects.Open(ctx, f.Bucket, f.Object)
	if sunya.CodeOf(err) == sunya.NotFound {
		return sunya.Errorf(sunya.FailedPrecondition, f.Path, "its content, object %s of bucket %s, does not exist: upload it first", f.Object, f.Bucket)
	}
	if err != nil {
		return fmt.Errorf("open source file %s: %w", f.Path, err)
	}
	defer r.Close()
	sum := sha1.New()
	if err := w.file(f.Path, fs.FileMode(f.Mode), io.TeeReader(r, sum)); err != nil {
		return err
	}
	want := strings.ToLower(strings.ReplaceAll(f.SHA1, "_", ""))
	if got := hex.EncodeToString(sum.Sum(nil)); want != "" && got != want {
		return sunya.Errorf(sunya.FailedPrecondition, f.Path, "its content has SHA-1 %s, the manifest says %s: upload it again", got, want)
	}
	return nil
}

// kind is what an entry of a tree is.
type kind byte

const (
	isFile kind = iota + 1
	isDir
	isLink
)

// writer puts checked entries beneath a directory and keeps count.
type writer struct {
	ctx    context.Context // of the one Materialise call that this value lives in
	root   *os.Root
	limits Limits
	seen   map[string]kind
	bytes  int64
	count  int
	links  []link
}

type link struct{ name, target string }

// file writes one regular file.
func (w *writer) file(name string, mode fs.FileMode, r io.Reader) error {
	if err := w.claim(name, isFile); err != nil {
		return err
	}
	f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write source: %w", err)
	}
	br := bufio.NewReader(r)
	if looksExecutable(br) {
		mode |= 0o100
	}
	err = w.copy(name, f, br)
	return errors.Join(err, f.Chmod(plainMode(mode)), f.Close())
}

// looksExecutable reports whether a file begins as a script or a program does.
// App Engine's manifests carry no modes, so that is all there is to tell by.
func looksExecutable(r *bufio.Reader) bool {
	head, _ := r.Peek(4) // a shorter file: what there is of it
	return bytes.HasPrefix(head, []byte("#!")) || string(head) == "\x7fELF"
}

// copy counts what is really written: a declared size proves nothing.
func (w *writer) copy(name string, f io.Writer, r io.Reader) error {
	left := w.limits.Bytes - w.bytes
	n, err := io.Copy(f, io.LimitReader(contextReader{w.ctx, r}, left+1))
	w.bytes += n
	if err != nil {
		return fmt.Errorf("write source file %s: %w", name, err)
	}
	if n > left {
		return sunya.Invalid("source", "%s: the source is larger than %v", quote(name), sunya.Bytes(w.limits.Bytes))
	}
	return nil
}

// claim makes room for an entry: its parents are directories, and nobody else
// has its name.
func (w *writer) claim(name string, k kind) error {
	if w.count++; w.count > w.limits.Files {
		return sunya.Invalid("source", "%s: the source has more than %d entries", quote(name), w.limits.Files)
	}
	if err := w.parents(name); err != nil {
		return err
	}
	switch old := w.seen[name]; {
	case old == isDir && k == isDir:
		return nil
	case old != 0:
		return sunya.Invalid("source", "%s: the name occurs twice", quote(name))
	}
	w.seen[name] = k
	if k == isDir {
		return w.mkdir(name)
	}
	return nil
}

func (w *writer) parents(name string) error {
	dir := path.Dir(name)
	if dir == "." || w.seen[dir] == isDir {
		return nil
	}
	if w.seen[dir] != 0 {
		return sunya.Invalid("source", "%s: %s is not a folder", quote(name), quote(dir))
	}
	if err := w.parents(dir); err != nil {
		return err
	}
	w.seen[dir] = isDir
	return w.mkdir(dir)
}

func (w *writer) mkdir(name string) error {
	if err := w.root.Mkdir(name, 0o755); err != nil {
		return fmt.Errorf("write source: %w", err)
	}
	return nil
}

// plainMode keeps of a mode only whether the file is a program.
func plainMode(m fs.FileMode) fs.FileMode {
	if m&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

// contextReader ends a long copy with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
