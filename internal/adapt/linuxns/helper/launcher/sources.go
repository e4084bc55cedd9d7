package launcher

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// openSources opens what the bind mounts of a sandbox show, as detached mounts
// that already have their final rights. Only root may do this for others; as a
// user the first process does it for itself.
func (s *server) openSources(b *box) ([]*os.File, error) {
	if !s.full {
		return nil, nil
	}
	var files []*os.File
	for _, m := range b.doc.Mounts {
		if m.Type != "bind" {
			continue
		}
		f, err := s.openSource(b, m)
		if err != nil {
			ipc.CloseAll(files)
			giveBack(b.owned)
			return nil, err
		}
		files = append(files, f)
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
	tree, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return nil, fmt.Errorf("clone mount %s: %w", m.Source, err)
	}
	file := os.NewFile(uintptr(tree), m.Source)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
	if !writable {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return nil, errors.Join(fmt.Errorf("restrict mount %s: %w", m.Source, err), file.Close())
	}
	if s.roots.InData(m.Source) {
		if err := s.own(b, fd, tree, writable); err != nil {
			return nil, errors.Join(fmt.Errorf("map owner of %s: %w", m.Source, err), file.Close())
		}
	}
	return file, nil
}

// own makes the server's files look like the program's own: by an idmapped
// mount, or where kernel or file system cannot, by really giving them to it if
// it may write. Files that it only reads stay as they are.
func (s *server) own(b *box, dir, tree int, writable bool) error {
	app := appIDs(b.doc)
	ns, err := s.maps.open(s.cfg, app)
	if err != nil {
		return err
	}
	err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{
		Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd()),
	})
	if err == nil || !writable {
		return nil
	}
	dup, err := unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return err
	}
	b.owned = append(b.owned, owned{dir: os.NewFile(uintptr(dup), "tree"), uid: s.cfg.ServerUID, gid: s.cfg.ServerGID})
	return chownTree(dir, app.uid, app.gid)
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

// maxIDMaps is how many user namespaces are kept; each costs a descriptor.
const maxIDMaps = 256

// idmaps keeps the user namespaces that describe idmapped mounts, one per uid
// range in use.
type idmaps struct {
	spawner *spawner

	mu    sync.Mutex
	cache map[hostIDs]*os.File
}

func (i *idmaps) open(cfg ipc.Config, app hostIDs) (*os.File, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if f := i.cache[app]; f != nil {
		return f, nil
	}
	f, err := i.make(cfg, app)
	if err != nil {
		return nil, err
	}
	if i.cache == nil || len(i.cache) >= maxIDMaps {
		// Those in use stay alive through their mounts; files are closed by
		// the collector once no request holds them.
		i.cache = map[hostIDs]*os.File{}
	}
	i.cache[app] = f
	return f, nil
}

// make starts a process in a user namespace with the wanted mapping, opens the
// namespace and ends the process.
func (i *idmaps) make(cfg ipc.Config, app hostIDs) (*os.File, error) {
	pid, err := i.spawner.fork(PauseArg, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: cfg.ServerUID, HostID: app.uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: cfg.ServerGID, HostID: app.gid, Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	})
	if err != nil {
		return nil, fmt.Errorf("make id mapping: %w", err)
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
	_ = syscall.Kill(pid, syscall.SIGKILL)
	_, _ = syscall.Wait4(pid, nil, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("open id mapping: %w", err)
	}
	return f, nil
}
