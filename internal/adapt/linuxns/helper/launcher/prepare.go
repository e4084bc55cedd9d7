package launcher

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// kindOf returns the kind of a document here.
func (s *server) kindOf(doc *ipc.Document) ipc.Kind {
	kind := doc.Kind()
	if !s.full {
		id := s.idsOf(doc)
		kind.UID, kind.GID = id.uid, id.gid
	}
	return kind
}

// isPreparable reports whether a sandbox may be one that was prepared: then it has
// a range of ids that was lent to it, so nothing on the disk may be of its own.
func (s *server) isPreparable(doc *ipc.Document, kind ipc.Kind) bool {
	return !kind.Shared && (!s.full || s.remaps && doc.Linux.UIDMappings[0].HostID != layersID)
}

// keep has sandboxes for documents like this one ready from now on.
func (s *server) keep(doc *ipc.Document) error {
	if err := s.validate("like", doc); err != nil {
		return err
	}
	if kind := s.kindOf(doc); s.isPreparable(doc, kind) {
		s.reserve.keep(kind)
	}
	return nil
}

// prepare makes a shell of a kind for whoever comes.
func (s *server) prepare(kind ipc.Kind) (*shell, error) {
	id := ids{uid: kind.UID, gid: kind.GID}
	base := 0
	if s.full {
		if base = s.ranges.lend(); base == 0 {
			return nil, errors.New("all ranges of ids are in use")
		}
		id = ids{uids: mapping(rangeAt(base)), gids: mapping(rangeAt(base)), groups: true}
	} else {
		id.mapSelf()
	}
	sh, err := s.spawn(fmt.Sprintf("prepared.%d", s.born.Add(1)), kind, id, nil)
	if err != nil {
		s.ranges.giveBack(base)
		return nil, err
	}
	sh.base = base
	if err := errors.Join(sh.awaitPrepared(), s.openMaps(sh)); err != nil {
		s.dispose(sh)
		return nil, err
	}
	return sh, nil
}

// awaitPrepared reads the answer of a first process that nobody else reads from.
func (sh *shell) awaitPrepared() error {
	timer := time.AfterFunc(startTimeout, func() { _ = syscall.Kill(sh.pid, syscall.SIGKILL) })
	defer timer.Stop()
	m, files, err := sh.control.Recv()
	switch {
	case err != nil:
		return fmt.Errorf("ended while it was prepared: %w", err)
	case m.Error != nil:
		err = m.Error
	case m.Verb != ipc.Prepared:
		err = fmt.Errorf("answered %q", m.Verb)
	case m.Packet && len(files) == 1:
		sh.packet, files = files[0], nil
	}
	ipc.CloseAll(files)
	return err
}

// openMaps makes the mappings that a start in a lent range will need.
func (s *server) openMaps(sh *shell) error {
	if sh.base == 0 {
		return nil
	}
	doc := &ipc.Document{Linux: ipc.Linux{UIDMappings: rangeAt(sh.base), GIDMappings: rangeAt(sh.base)}}
	if sh.kind.Image {
		_, err := s.maps.open(layerMap(doc))
		return err
	}
	doc.Process.User = ipc.User{UID: appID, GID: appID}
	_, err := s.maps.open(s.ownMap(doc))
	return err
}

// appID is the user of programs on the host stack. Another costs a start the time
// of a mapping, nothing else.
const appID = 1000

// dispose ends a shell that has had no program.
func (s *server) dispose(sh *shell) {
	if err := sh.end(); err != nil {
		fmt.Fprintln(os.Stderr, "launcher: end a prepared sandbox:", err)
	}
	s.ranges.giveBack(sh.base)
}
