package untar

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
)

// The prefixes of names that say what a layer removes (OCI image
// specification, layer.md, "Whiteouts").
const (
	whiteout   = ".wh."
	opaque     = ".wh..wh..opq"
	reserved   = ".wh..wh." // aufs's own, of no meaning to others
	opaqueMark = "user.overlay.opaque"
)

// extractor is one archive on its way into a directory.
type extractor struct {
	root    int // O_PATH
	limits  Limits
	bytes   int64
	files   int
	writing bool // an error is of this machine, not of the archive

	parentName string // of the entry before: most have the same
	parent     int    // -1: none

	dirs []dirTime // set when nothing is written to them any more
}

type dirTime struct {
	name string
	at   time.Time
}

func (x *extractor) close() {
	x.forget()
	_ = unix.Close(x.root)
}

func (x *extractor) forget() {
	if x.parent >= 0 {
		_ = unix.Close(x.parent)
	}
	x.parent, x.parentName = -1, ""
}

func (x *extractor) all(t *tar.Reader) error {
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if x.files++; x.files > x.limits.Files {
			return sunya.Errorf(sunya.ResourceExhausted, "", "the layer has more than %d entries", x.limits.Files)
		}
		if err := x.entry(h, t); err != nil {
			return err
		}
	}
}

// entry unpacks one entry.
func (x *extractor) entry(h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil // comments of whoever made the archive
	}
	name, err := clean(h.Name)
	if err != nil {
		return refuse(h, "%v", err)
	}
	if err := x.checkType(h, name); err != nil || isSkipped(h, name) {
		return err
	}
	if h.Size < 0 || h.Typeflag == tar.TypeReg && h.Size > x.limits.Bytes-x.bytes {
		return sunya.Errorf(sunya.ResourceExhausted, "", "entry %q: the layer unpacks to more than %v", h.Name, sunya.Bytes(x.limits.Bytes))
	}
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return refuse(h, "only a directory can be the root of the image")
		}
		return x.local(x.describe(x.root, h, true))
	}
	dir, err := x.dir(path.Dir(name))
	if err != nil {
		return x.refuseParent(h, err)
	}
	base := path.Base(name)
	if strings.HasPrefix(base, whiteout) {
		return x.remove(h, dir, base)
	}
	return x.make(h, dir, name, content)
}

// clean returns an entry's name relative to the root of the image, which one
// with a slash in front means, too (buildpacks write such).
func clean(name string) (string, error) {
	if len(name) >= unix.PathMax {
		return "", errors.New("its name is longer than a path can be")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`its name leads upwards ("..")`)
		}
		if strings.ContainsRune(part, 0) {
			return "", errors.New("its name contains NUL")
		}
	}
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return ".", nil
	}
	return name, nil
}

// checkType refuses what no layer may hold. Devices below /dev are left out: no
// program sees an image's own /dev.
func (x *extractor) checkType(h *tar.Header, name string) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo, tar.TypeCont, tar.TypeGNUSparse:
		return nil
	case tar.TypeChar, tar.TypeBlock:
		if isSkipped(h, name) {
			return nil
		}
		return refuse(h, "device nodes are not allowed")
	}
	return refuse(h, "entries of type %q are not supported", h.Typeflag)
}

func isSkipped(h *tar.Header, name string) bool {
	device := h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock
	return device && strings.HasPrefix(name, "dev/") || strings.HasPrefix(path.Base(name), reserved) && path.Base(name) != opaque
}

func refuse(h *tar.Header, format string, args ...any) error {
	return sunya.Errorf(sunya.InvalidArgument, "", "entry %q: %s", shown(h.Name), fmt.Sprintf(format, args...))
}

// shown is a name as an error has it.
func shown(name string) string {
	if len(name) > 200 {
		return name[:200] + "…"
	}
	return name
}

func (x *extractor) refuseParent(h *tar.Header, err error) error {
	switch {
	case errors.Is(err, unix.EXDEV), errors.Is(err, unix.ELOOP):
		return refuse(h, "a symbolic link on its way leads out of the layer or in circles")
	case errors.Is(err, unix.ENOTDIR):
		return refuse(h, "a file is on its way where a directory must be")
	case errors.Is(err, unix.ENAMETOOLONG):
		return refuse(h, "its name is longer than a file system takes")
	}
	return x.local(err)
}

// local notes that an error is this machine's.
func (x *extractor) local(err error) error {
	var e *sunya.Error
	if err != nil && !errors.As(err, &e) {
		x.writing = true
	}
	return err
}

// how resolves a path within the layer: links may be followed, but not out.
const how = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// dir opens a directory of the layer, which it makes with its parents where it
// is missing. The descriptor stays the extractor's.
func (x *extractor) dir(name string) (int, error) {
	if name == "." || name == "/" || name == "" {
		return x.root, nil
	}
	if x.parent >= 0 && x.parentName == name {
		return x.parent, nil
	}
	fd, err := x.open(name)
	if err == unix.ENOENT {
		if err = x.makeParents(name); err == nil {
			fd, err = x.open(name)
		}
	}
	if err != nil {
		return -1, err
	}
	x.forget()
	x.parent, x.parentName = fd, name
	return fd, nil
}

func (x *extractor) open(name string) (int, error) {
	return unix.Openat2(x.root, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: how})
}

// makeParents makes the directories that an archive does not mention.
func (x *extractor) makeParents(name string) error {
	at := x.root
	defer func() {
		if at != x.root {
			_ = unix.Close(at)
		}
	}()
	var done string
	for part := range strings.SplitSeq(name, "/") {
		if err := unix.Mkdirat(at, part, 0o755); err != nil && err != unix.EEXIST {
			return err
		}
		done = path.Join(done, part)
		next, err := x.open(done)
		if err != nil {
			return err
		}
		if at != x.root {
			_ = unix.Close(at)
		}
		at = next
	}
	return nil
}

// make puts an entry where it belongs, in place of what an earlier one put there.
func (x *extractor) make(h *tar.Header, dir int, name string, content io.Reader) error {
	base := path.Base(name)
	hidden, err := x.clear(dir, base, h.Typeflag == tar.TypeDir)
	if err != nil {
		return x.local(err)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		err = x.makeDir(h, dir, name, hidden)
	case tar.TypeSymlink:
		err = x.makeSymlink(h, dir, base)
	case tar.TypeLink:
		err = x.makeLink(h, dir, base)
	case tar.TypeFifo:
		err = unix.Mkfifoat(dir, base, 0o600)
		if err == nil {
			err = x.describeAt(dir, base, h)
		}
	default:
		err = x.makeFile(h, dir, base, content)
	}
	if err == unix.ENAMETOOLONG {
		return refuse(h, "its name is longer than a file system takes")
	}
	return err
}

// clear removes what has the name, except a directory that is to be one again.
// hidden says that it was a mark: what comes must hide the layers below.
func (x *extractor) clear(dir int, base string, keepDir bool) (hidden bool, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT || err == unix.ENAMETOOLONG {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if keepDir {
			return false, nil
		}
		x.forget()
		return false, removeTree(dir, base)
	case unix.S_IFCHR:
		hidden = true
	}
	return hidden, unix.Unlinkat(dir, base, 0)
}

// removeTree removes a directory through its parent's descriptor.
func removeTree(dir int, base string) error {
	root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir))
	if err != nil {
		return err
	}
	return errors.Join(root.RemoveAll(base), root.Close())
}

func (x *extractor) makeDir(h *tar.Header, dir int, name string, hidden bool) error {
	base := path.Base(name)
	if err := unix.Mkdirat(dir, base, 0o700); err != nil && err != unix.EEXIST {
		return x.local(err)
	}
	fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return x.local(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if hidden {
		if err := unix.Fsetxattr(fd, opaqueMark, []byte("y"), 0); err != nil {
			return x.local(fmt.Errorf("mark directory: %w", err))
		}
	}
	x.dirs = append(x.dirs, dirTime{name, h.ModTime})
	return x.local(x.describe(fd, h, true))
}

func (x *extractor) makeSymlink(h *tar.Header, dir int, base string) error {
	if h.Linkname == "" || len(h.Linkname) >= unix.PathMax || strings.ContainsRune(h.Linkname, 0) {
		return refuse(h, "the target of the symbolic link is not a path")
	}
	if err := unix.Symlinkat(h.Linkname, dir, base); err != nil {
		return x.local(err)
	}
	return x.describeAt(dir, base, h)
}

// makeLink makes a hard link to an entry that came before.
func (x *extractor) makeLink(h *tar.Header, dir int, base string) error {
	target, err := clean(h.Linkname)
	if err != nil {
		return refuse(h, "hard link to %q: it leads out of the layer", shown(h.Linkname))
	}
	at, err := unix.Openat2(x.root, target, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: how})
	switch err {
	case nil:
	case unix.ENOENT, unix.ENOTDIR:
		return refuse(h, "hard link to %q, which the layer does not hold", shown(h.Linkname))
	default:
		return refuse(h, "hard link to %q: it leads out of the layer", shown(h.Linkname))
	}
	defer func() { _ = unix.Close(at) }()
	var st unix.Stat_t
	if err := unix.Fstatat(at, "", &st, unix.AT_EMPTY_PATH); err != nil {
		return x.local(err)
	}
	if k := st.Mode & unix.S_IFMT; k != unix.S_IFREG && k != unix.S_IFLNK && k != unix.S_IFIFO {
		return refuse(h, "hard link to %q, which is not a file", shown(h.Linkname))
	}
	from, err := x.openParent(target)
	if err != nil {
		return x.local(err)
	}
	defer func() { _ = unix.Close(from) }()
	return x.local(unix.Linkat(from, path.Base(target), dir, base, 0))
}

// openParent opens the directory of a name, for the caller to close.
func (x *extractor) openParent(name string) (int, error) {
	dir := path.Dir(name)
	return x.open(dir)
}

func (x *extractor) makeFile(h *tar.Header, dir int, base string, content io.Reader) error {
	fd, err := unix.Openat(dir, base, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return x.local(err)
	}
	f := os.NewFile(uintptr(fd), base)
	defer func() { _ = f.Close() }()
	n, err := io.Copy(local{x, f}, content)
	x.bytes += n
	if err != nil {
		return err
	}
	return x.local(x.describe(fd, h, false))
}

// local is a file whose errors are this machine's, as those of the archive it is
// copied from are not.
type local struct {
	x *extractor
	f *os.File
}

func (l local) Write(p []byte) (int, error) {
	n, err := l.f.Write(p)
	return n, l.x.local(err)
}

// remove marks what a layer takes away from those below it.
func (x *extractor) remove(h *tar.Header, dir int, base string) error {
	if base == opaque {
		return x.mark(dir)
	}
	name := strings.TrimPrefix(base, whiteout)
	if name == "" || name == "." || name == ".." {
		return refuse(h, "it removes nothing that can be named")
	}
	var st unix.Stat_t
	switch err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err {
	case unix.ENOENT:
		return x.local(unix.Mknodat(dir, name, unix.S_IFCHR, 0)) // overlayfs.rst, "whiteouts"
	case nil:
	default:
		return x.local(err)
	}
	// What the layer itself holds stays; of a directory, only that.
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return x.local(err)
	}
	defer func() { _ = unix.Close(fd) }()
	return x.mark(fd)
}

// mark makes a directory hide what the layers below have in it.
func (x *extractor) mark(dir int) error {
	path := fmt.Sprintf("/proc/self/fd/%d", dir)
	if err := unix.Setxattr(path, opaqueMark, []byte("y"), 0); err != nil {
		return x.local(fmt.Errorf("mark directory: %w", err))
	}
	return nil
}
