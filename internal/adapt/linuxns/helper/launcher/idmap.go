package launcher

import (
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// idmap says as whose the files of a mount are shown: ids from uidFrom on as
// those from uidTo on, and the same for groups.
type idmap struct {
	uidFrom, uidTo int
	gidFrom, gidTo int
	size           int
}

// maxIDMaps is how many user namespaces are kept; each costs a descriptor.
const maxIDMaps = 256

// idmaps keeps the user namespaces that describe idmapped mounts, one per uid
// range in use.
type idmaps struct {
	spawner *spawner

	mu    sync.Mutex
	cache map[idmap]*os.File
}

func (i *idmaps) open(m idmap) (*os.File, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if f := i.cache[m]; f != nil {
		return f, nil
	}
	f, err := i.make(m)
	if err != nil {
		return nil, err
	}
	if i.cache == nil || len(i.cache) >= maxIDMaps {
		// Those in use stay alive through their mounts; files are closed by
		// the collector once no request holds them.
		i.cache = map[idmap]*os.File{}
	}
	i.cache[m] = f
	return f, nil
}

// make starts a process in a user namespace with the wanted mapping, opens the
// namespace and ends the process.
func (i *idmaps) make(m idmap) (*os.File, error) {
	pid, err := i.spawner.fork(PauseArg, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: m.uidFrom, HostID: m.uidTo, Size: m.size}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: m.gidFrom, HostID: m.gidTo, Size: m.size}},
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

// remap shows a detached mount through an id mapping (mount_setattr(2)).
func remap(tree int, ns *os.File) error {
	return unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{
		Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd()),
	})
}

// canRemap tries whether the file system of the data directory can show files as
// another user's.
func (s *server) canRemap() bool {
	if !s.full {
		return false
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, s.cfg.DataDir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(tree) }()
	ns, err := s.maps.open(idmap{uidFrom: layersID, uidTo: minHostID, gidFrom: layersID, gidTo: minHostID, size: rangeSize})
	return err == nil && remap(tree, ns) == nil
}
