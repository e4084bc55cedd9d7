package launcher

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// segment is what the sandboxes of one network have in common besides it: it
// lives until the last of them is gone.
type segment struct {
	owner   string // the sandbox whose network it is
	members int
	netns   *os.File // nil: the owner's, while that runs
	volumes map[string]*os.File
}

// join counts a sandbox into its segment. One whose network is that of a sandbox
// that is not there has none.
func (s *server) join(b *box) error {
	owner := b.doc.Annotations[ipc.AnnotationNetworkOf]
	s.mu.Lock()
	defer s.mu.Unlock()
	if owner == "" {
		b.segment = &segment{owner: b.name, members: 1, volumes: map[string]*os.File{}}
		return nil
	}
	if !s.full {
		return ipc.Errorf(ipc.FailedPrecondition,
			"several containers in one instance need a server that was started as root: a user cannot share a network between sandboxes")
	}
	first := s.boxes[owner]
	if first == nil || first.segment == nil || first.segment.netns == nil {
		return ipc.Errorf(ipc.NotFound, "no sandbox %q to share the network of", owner)
	}
	if first.asked.Linux.UIDMappings[0] != b.doc.Linux.UIDMappings[0] {
		return ipc.Errorf(ipc.InvalidArgument, "sandbox %q has another range of user ids: it does not share its network", owner)
	}
	b.segment = first.segment
	b.segment.members++
	own := *b.doc // one instance is one range, whichever the first was lent
	own.Linux.UIDMappings, own.Linux.GIDMappings = first.doc.Linux.UIDMappings, first.doc.Linux.GIDMappings
	b.doc = &own
	return nil
}

// leave counts a sandbox out, once it is gone for good.
func (s *server) leave(b *box) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := b.segment
	b.segment = nil
	if g == nil {
		return
	}
	if g.members--; g.members > 0 {
		return
	}
	for _, f := range g.volumes {
		_ = f.Close()
	}
	if g.netns != nil {
		_ = g.netns.Close()
	}
}

// openShared returns a mount of a file system in memory that the segment has
// under a name, or makes it. Whoever writes to it pays for it with its own
// memory.
func (s *server) openShared(b *box, m ipc.Mount) (*os.File, error) {
	name := m.Values(ipc.OptionShared)[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	volume := b.segment.volumes[name]
	if volume == nil {
		var err error
		if volume, err = newVolume(b.doc, m); err != nil {
			return nil, fmt.Errorf("make volume %s: %w", name, err)
		}
		b.segment.volumes[name] = volume
	}
	return detach(int(volume.Fd()), name, m.Has("rw"))
}

// newVolume makes a tmpfs that belongs to root of the sandbox.
func newVolume(doc *ipc.Document, m ipc.Mount) (*os.File, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fs) }()
	options := []string{
		fmt.Sprintf("uid=%d", doc.Linux.UIDMappings[0].HostID), fmt.Sprintf("gid=%d", doc.Linux.GIDMappings[0].HostID),
	}
	for _, o := range m.Options {
		if strings.HasPrefix(o, "size=") || strings.HasPrefix(o, "mode=") {
			options = append(options, o)
		}
	}
	var errs []error
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		errs = append(errs, unix.FsconfigSetString(fs, key, value))
	}
	if err := errors.Join(append(errs, unix.FsconfigCreate(fs))...); err != nil {
		return nil, err
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "volume"), nil
}
