package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// archive unpacks bucket/object, a zip or a tar.gz by its first bytes.
func (t *Tree) archive(ctx context.Context, name string, w *writer) error {
	bucket, object, ok := strings.Cut(name, "/")
	if !ok {
		return sunya.Invalid("source", "%s is not a bucket and an object", quote(name))
	}
	r, err := t.objects.Open(ctx, bucket, object)
	if sunya.CodeOf(err) == sunya.NotFound {
		return sunya.Errorf(sunya.FailedPrecondition, name, "the source archive does not exist: upload it first")
	}
	if err != nil {
		return fmt.Errorf("open source archive: %w", err)
	}
	defer r.Close()
	magic := make([]byte, 4)
	n, err := io.ReadFull(r, magic)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read source archive: %w", err)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read source archive: %w", err)
	}
	a := &unpacker{writer: w, folded: map[string]string{}}
	switch magic = magic[:n]; {
	case bytes.HasPrefix(magic, []byte("PK\x03\x04")), bytes.HasPrefix(magic, []byte("PK\x05\x06")):
		err = a.zip(r)
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		err = a.tarGzip(r)
	default:
		return sunya.Invalid("source", "%s is neither a zip nor a tar.gz archive", quote(name))
	}
	if err != nil {
		return err
	}
	return a.makeLinks()
}

// unpacker writes the entries of an archive.
type unpacker struct {
	*writer
	folded map[string]string // folded name to the name that took it
}

// entry checks an archive's name for an entry and returns it clean. The
// archive's own root is the empty name.
func (a *unpacker) entry(raw string, dir bool) (string, error) {
	name := strings.TrimPrefix(raw, "./") // tar writes ./ before everything
	if dir {
		name = strings.TrimSuffix(name, "/")
		if name == "" || name == "." {
			return "", nil
		}
	}
	if why := badPath(name); why != "" {
		return "", sunya.Invalid("source", "archive entry %s %s", quote(raw), why)
	}
	return name, a.foldedOnce(raw, name)
}

// foldedOnce refuses a name that differs from another one only in case, in
// any of its folders.
func (a *unpacker) foldedOnce(raw, name string) error {
	for n := name; n != "."; n = path.Dir(n) {
		key := fold(n)
		if old, ok := a.folded[key]; ok && old != n {
			return sunya.Invalid("source", "archive entry %s differs from %s only in case", quote(raw), quote(old))
		}
		a.folded[key] = n
	}
	return nil
}

// add writes one entry. Links wait until every file is written, so that no
// file can be written through one.
func (a *unpacker) add(raw string, mode fs.FileMode, target func() (string, error), content io.Reader) error {
	name, err := a.entry(raw, mode.IsDir())
	if err != nil || name == "" {
		return err
	}
	switch mode.Type() {
	case fs.ModeDir:
		return a.claim(name, isDir)
	case 0:
		return a.file(name, mode, content)
	case fs.ModeSymlink:
		to, err := target()
		if err != nil {
			return err
		}
		return a.link(name, to)
	}
	return sunya.Invalid("source", "archive entry %s is neither a file nor a folder nor a symbolic link", quote(raw))
}

// link notes a symbolic link that stays in the tree.
func (a *unpacker) link(name, target string) error {
	bad := target == "" || len(target) > maxPath || strings.ContainsAny(target, "\\\x00") || driveRE.MatchString(target)
	if bad || path.IsAbs(target) || !fs.ValidPath(path.Join(path.Dir(name), target)) {
		return sunya.Invalid("source", "archive entry %s is a link that leads out of the source, to %s", quote(name), quote(target))
	}
	a.links = append(a.links, link{name, target})
	return a.claim(name, isLink)
}

// makeLinks makes the links and follows each one to its end: os.Root refuses
// the one that leads out over another one.
func (a *unpacker) makeLinks() error {
	for _, l := range a.links {
		if err := a.root.Symlink(l.target, l.name); err != nil {
			return fmt.Errorf("write source: %w", err)
		}
	}
	for _, l := range a.links {
		if _, err := a.root.Stat(l.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return sunya.Invalid("source", "archive entry %s is a link that leads nowhere in the source, to %s", quote(l.name), quote(l.target))
		}
	}
	return nil
}

// broken is an archive that is not one. The cause stays out of the message:
// it may quote the archive's bytes.
func broken(kind string, err error) error {
	var own *sunya.Error
	if errors.As(err, &own) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := sunya.Invalid("source", "the %s archive is damaged", kind)
	e.Err = err
	return e
}

// intact reads an archive's content and blames the archive for what goes
// wrong there, so that a full disk is never taken for damage.
type intact struct {
	kind string
	r    io.Reader
}

func (i intact) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = broken(i.kind, err)
	}
	return n, err
}
