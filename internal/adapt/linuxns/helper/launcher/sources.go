package launcher

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// openSources opens what the layers and mounts of a sandbox show, as detached
// mounts that already have their final rights: first the layers, then the mounts
// in their order. Only root may do this for others; as a user the first process
// does it for itself.
func (s *server) openSources(b *box) ([]*os.File, error) {
	if !s.full {
		return nil, nil
	}
	files, err := s.openLayers(b.doc)
	for _, m := range b.doc.Mounts {
		var f *os.File
		switch {
		case err != nil:
		case m.Type == "bind":
			f, err = s.openSource(b, m)
		case len(m.Values(ipc.OptionShared)) > 0:
			f, err = s.openShared(b, m)
		}
		if f != nil {
			files = append(files, f)
		}
	}
	if err != nil {
		ipc.CloseAll(files)
		return nil, err
	}
	return files, nil
}

func (s *server) openSource(b *box, m ipc.Mount) (*os.File, error) {
	writable := m.Has("rw")
	fd, err := s.roots.Open(m.Source, writable)
	if err != nil {
		return nil, ipc.Errorf(ipc.InvalidArgument, "mount %s: %v", m.Destination, err)
	}
	defer func() { _ = unix.Close(fd) }()
	file, err := detach(fd, m.Source, writable)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Has(ipc.OptionOwned):
		err = s.hand(b.doc, fd, m)
	case s.roots.InData(m.Source):
		err = s.own(b, fd, int(file.Fd()), writable)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map owner of %s: %w", m.Source, err), file.Close())
	}
	return file, nil
}

// detach returns a mount of its own of what an O_PATH descriptor refers to.
func detach(fd int, name string, writable bool) (*os.File, error) {
	tree, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return nil, fmt.Errorf("clone mount %s: %w", name, err)
	}
	file := os.NewFile(uintptr(tree), name)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
	if !writable {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return nil, errors.Join(fmt.Errorf("restrict mount %s: %w", name, err), file.Close())
	}
	return file, nil
}

// own makes the server's files look like the program's own: by an idmapped
// mount, or where kernel or file system cannot, by really giving them to it if
// it may write. Files that it only reads stay as they are.
func (s *server) own(b *box, dir, tree int, writable bool) error {
	app := appIDs(b.doc)
	ns, err := s.maps.open(s.ownMap(b.doc))
	if err != nil {
		return err
	}
	if err := remap(tree, ns); err == nil || !writable {
		return nil
	}
	dup, err := unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return err
	}
	b.owned = append(b.owned, owned{dir: os.NewFile(uintptr(dup), "tree"), uid: s.cfg.ServerUID, gid: s.cfg.ServerGID})
	return chownTree(dir, app.uid, app.gid)
}

// ownMap shows the server's files as the program's.
func (s *server) ownMap(doc *ipc.Document) idmap {
	app := appIDs(doc)
	return idmap{uidFrom: s.cfg.ServerUID, uidTo: app.uid, gidFrom: s.cfg.ServerGID, gidTo: app.gid, size: 1}
}

// hostIDs are ids of the host.
type hostIDs struct{ uid, gid int }

// appIDs returns what the program's user is on the host.
func appIDs(doc *ipc.Document) hostIDs {
	return hostIDs{
		uid: int(doc.Linux.UIDMappings[0].HostID) + doc.Process.User.UID,
		gid: int(doc.Linux.GIDMappings[0].HostID) + doc.Process.User.GID,
	}
}
