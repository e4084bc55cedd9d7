package pid1

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/source"
)

// rootBytes is what generated files and mount points may take.
const rootBytes = "size=4194304"

// prepareRoot makes what every root of this kind has.
func (p *process) prepareRoot() error {
	// Not private yet: what the host unmounts while this waits is not held.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("separate mounts: %w", err)
	}
	if p.setup.Kind.Image {
		return p.prepareImageRoot()
	}
	host, err := cloneHost()
	if err != nil {
		return err
	}
	if p.root, err = newScaffold(p.setup); err != nil {
		return err
	}
	if err := inOrder(
		func() error { return p.root.attachHost(host) },
		func() error { return p.root.mountProc() },
		func() error { return p.root.mountDev() },
		func() error { return p.root.writeFiles(accounts) },
	); err != nil || !p.setup.Detached {
		return err // what a user's mounts show is opened by its path, so the host is needed still
	}
	return p.root.pivot()
}

// completeRoot adds what belongs to the program, and enters the root.
func (p *process) completeRoot(sources []*os.File) error {
	defer ipc.CloseAll(sources)
	if err := unix.Sethostname([]byte(p.doc.Hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	layers, trees, err := cloneSources(p.setup, sources)
	if err != nil {
		return err
	}
	if p.setup.Kind.Image {
		return p.completeImageRoot(layers, trees)
	}
	err = inOrder(
		func() error { return p.root.writeFiles(whereabouts(p.doc.Hostname)) },
		func() error { return p.root.mountTmp(p.doc, "/dev/shm", "mode=1777") },
		func() error { return p.root.mountTmp(p.doc, "/tmp", "mode=1777") },
		func() error { return p.root.attachMounts(p.setup, trees) },
		func() error { return p.root.set(readOnly) },
	)
	if err == nil && !p.setup.Detached {
		err = p.root.pivot()
	}
	return errors.Join(err, unix.Close(p.root.fd))
}

// inOrder does one after the other until one fails.
func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// newScaffold mounts the file system in memory that the new root is built in.
// The mount is visible in this namespace only; what it covers is gone after the
// pivot. Until then it covers nothing that a mount of a user may show.
func newScaffold(s ipc.SetupInfo) (*root, error) {
	at := "/tmp"
	if !s.Detached {
		at = filepath.Join(s.Config.DataDir, "run", "root")
		if err := os.Mkdir(at, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("place of the root: %w", err)
		}
	}
	tree, err := newFS("tmpfs", quiet, rootBytes, "mode=0755")
	if err != nil {
		return nil, err
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return nil, fmt.Errorf("mount root: %w", err)
	}
	return &root{fd: tree}, nil
}

// cloneSources opens what layers, bind mounts and shared volumes show:
// descriptors of the launcher where only it may, otherwise the paths, of which
// everything is this user's own.
func cloneSources(s ipc.SetupInfo, passed []*os.File) (layers, trees []int, err error) {
	doc := s.Document
	if s.Detached {
		want := len(doc.Layers())
		for _, m := range doc.Mounts {
			if fromOutside(s, m) {
				want++
			}
		}
		if len(passed) != want {
			return nil, nil, fmt.Errorf("mount sources: %d descriptors for %d mounts", len(passed), want)
		}
		for _, f := range passed {
			trees = append(trees, dup(f))
		}
		n := len(doc.Layers())
		return trees[:n], trees[n:], nil
	}
	roots := source.Roots{Data: s.Config.DataDir, Host: s.Config.HostPaths}
	for _, dir := range doc.Layers() {
		tree, err := clonePath(roots, ipc.Mount{Destination: "/", Source: dir})
		if err != nil {
			return nil, nil, err
		}
		layers = append(layers, tree)
	}
	for _, m := range doc.Mounts {
		if !fromOutside(s, m) {
			continue
		}
		tree, err := clonePath(roots, m)
		if err != nil {
			return nil, nil, err
		}
		trees = append(trees, tree)
	}
	return layers, trees, nil
}

// fromOutside reports whether what a mount shows is not made in here. A user's
// sandbox is alone with its volumes.
func fromOutside(s ipc.SetupInfo, m ipc.Mount) bool {
	return m.Type == "bind" || s.Detached && len(m.Values(ipc.OptionShared)) > 0
}

func clonePath(roots source.Roots, m ipc.Mount) (int, error) {
	fd, err := roots.Open(m.Source, m.Has("rw"))
	if err != nil {
		return -1, ipc.Errorf(ipc.InvalidArgument, "mount %s: %v", m.Destination, err)
	}
	defer func() { _ = unix.Close(fd) }()
	attrs := uint64(readOnly)
	if m.Has("rw") {
		attrs = quiet
	}
	return clone(fd, "", attrs)
}

// attachMounts mounts the spec's own mounts in their order.
func (r *root) attachMounts(s ipc.SetupInfo, trees []int) error {
	for _, m := range s.Document.Mounts {
		var err error
		switch {
		case fromOutside(s, m):
			err = r.attach(trees[0], m.Destination)
			trees = trees[1:]
		case m.Type == "tmpfs":
			err = r.mountTmp(s.Document, m.Destination, m.Options...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mountTmp mounts a fresh tmpfs that belongs to the program's user. Without a
// size of its own it may fill the memory limit, which counts it.
func (r *root) mountTmp(doc *ipc.Document, target string, options ...string) error {
	attrs, all := quiet, []string{
		"uid=" + strconv.Itoa(doc.Process.User.UID), "gid=" + strconv.Itoa(doc.Process.User.GID),
	}
	if limit := doc.Linux.Resources.Memory; limit != nil && limit.Limit != nil {
		all = append(all, "size="+strconv.FormatInt(*limit.Limit, 10))
	}
	for _, o := range options {
		switch o {
		case "ro":
			attrs |= unix.MOUNT_ATTR_RDONLY
		case "rw":
		default:
			if !strings.HasPrefix(o, ipc.OptionShared) {
				all = append(all, o)
			}
		}
	}
	tree, err := newFS("tmpfs", attrs, all...)
	if err != nil {
		return err
	}
	return r.attach(tree, target)
}

// set gives the root itself attributes.
func (r *root) set(attrs uint64) error {
	if err := unix.MountSetattr(r.fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: attrs}); err != nil {
		return fmt.Errorf("restrict root: %w", err)
	}
	return nil
}

// pivot makes the new root the only one: pivot_root(2), "pivot_root(".", ".")".
func (r *root) pivot() error {
	if err := unix.Fchdir(r.fd); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount host: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	return nil
}

// dup returns a descriptor that outlives the file.
func dup(f *os.File) int {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1
	}
	return fd
}
