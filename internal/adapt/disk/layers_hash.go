package disk

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
)

// treeSum is the canonical hash of a directory.
type treeSum struct {
	hex   string
	bytes int64
	files int
}

// hashVersion begins every canonical listing; changing the listing means
// changing it.
const hashVersion = "sunya layer 1\n"

// hashTree hashes what is below dir: for each entry, in byte order of the
// paths of each directory, its path, type, permission bits, and link target or
// content. Times and owners do not count. Every field carries its length, so
// that no two trees have the same listing.
func hashTree(ctx context.Context, dir string) (treeSum, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return treeSum{}, err
	}
	defer root.Close()
	t := &treeHash{ctx: ctx, root: root, h: sha256.New(), buf: make([]byte, 128<<10)}
	io.WriteString(t.h, hashVersion)
	if err := fs.WalkDir(root.FS(), ".", t.entry); err != nil {
		return treeSum{}, err
	}
	return treeSum{hex: hex.EncodeToString(t.h.Sum(nil)), bytes: t.bytes, files: t.files}, nil
}

type treeHash struct {
	ctx   context.Context // of the one hashTree call that this value lives in
	root  *os.Root
	h     hash.Hash
	buf   []byte
	bytes int64
	files int
}

func (t *treeHash) entry(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if err := t.ctx.Err(); err != nil {
		return err
	}
	if name == "." {
		return nil
	}
	fi, err := d.Info()
	if err != nil {
		return err
	}
	if fi.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		return sunya.Errorf(sunya.InvalidArgument, name, "set-id bits are not allowed in a layer")
	}
	t.field(name)
	t.number(uint64(fi.Mode().Perm()))
	return t.content(name, fi)
}

func (t *treeHash) content(name string, fi fs.FileInfo) error {
	switch fi.Mode().Type() {
	case fs.ModeDir:
		t.field("dir")
		return nil
	case fs.ModeSymlink:
		target, err := t.root.Readlink(name)
		t.field("link")
		t.field(target)
		return err
	case 0:
		t.field("file")
		return t.file(name, fi.Size())
	}
	return sunya.Errorf(sunya.InvalidArgument, name, "a %s is not allowed in a layer", path.Base(fi.Mode().Type().String()))
}

func (t *treeHash) file(name string, size int64) error {
	f, err := t.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	t.number(uint64(size))
	n, err := io.CopyBuffer(t.h, contextReader{t.ctx, f}, t.buf)
	if err == nil && n != size {
		err = fmt.Errorf("%s changed while it was hashed", name)
	}
	t.bytes += n
	t.files++
	return err
}

// contextReader ends with its context: a file of terabytes without content
// costs its maker nothing, but whoever reads it hours. It also hides os.File's
// WriterTo, so that the buffer is used again.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

func (t *treeHash) field(s string) {
	t.number(uint64(len(s)))
	io.WriteString(t.h, s)
}

func (t *treeHash) number(n uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	t.h.Write(b[:])
}

// fewFiles is up to how many files are synced one by one: cheaper than making
// the file system write out everybody's data.
const fewFiles = 32

// syncTree makes what is below dir durable.
func syncTree(dir string, files int) error {
	if files > fewFiles {
		return syncFS(dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// syncFS writes out the whole file system that dir is on: for a thousand files
// one wait instead of a thousand.
func syncFS(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync file system of %s: %w", dir, err)
	}
	return nil
}
