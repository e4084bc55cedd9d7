package launcher

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// The ids of the host that the files of unpacked layers belong to.
const (
	rangeSize = 1 << 16
	layersID  = minHostID + sunya.LayersRange*rangeSize
)

// openLayers opens the layers of an image, read-only, as if they belonged to the
// sandbox's own range.
func (s *server) openLayers(doc *ipc.Document) ([]*os.File, error) {
	var files []*os.File
	for _, dir := range doc.Layers() {
		f, err := s.openLayer(doc, dir)
		if err != nil {
			ipc.CloseAll(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func (s *server) openLayer(doc *ipc.Document, dir string) (*os.File, error) {
	if !s.roots.InData(dir) {
		return nil, ipc.Errorf(ipc.InvalidArgument, "layer %s is outside the data directory", dir)
	}
	fd, err := s.roots.Open(dir, false)
	if err != nil {
		return nil, ipc.Errorf(ipc.NotFound, "layer: %v", err)
	}
	defer func() { _ = unix.Close(fd) }()
	file, err := detach(fd, dir, false)
	if err != nil {
		return nil, err
	}
	if err := s.remapLayer(doc, file); err != nil {
		return nil, errors.Join(fmt.Errorf("map owners of layer %s: %w", dir, err), file.Close())
	}
	return file, nil
}

// remapLayer shows a layer as the sandbox's own. One in the layers' own range
// has nothing to map.
func (s *server) remapLayer(doc *ipc.Document, layer *os.File) error {
	m := layerMap(doc)
	if m.uidTo == layersID && m.gidTo == layersID {
		return nil
	}
	ns, err := s.maps.open(m)
	if err != nil {
		return err
	}
	return remap(int(layer.Fd()), ns)
}

func layerMap(doc *ipc.Document) idmap {
	return idmap{
		uidFrom: layersID, uidTo: int(doc.Linux.UIDMappings[0].HostID),
		gidFrom: layersID, gidTo: int(doc.Linux.GIDMappings[0].HostID), size: rangeSize,
	}
}

// hand gives an empty or already given directory to the layers' range: what
// writes there owns what it writes. Only a sandbox of that range may ask, and
// only for what is the server's or its own.
func (s *server) hand(doc *ipc.Document, dir int, m ipc.Mount) error {
	if doc.Linux.UIDMappings[0].HostID != layersID || doc.Linux.GIDMappings[0].HostID != layersID {
		return ipc.Errorf(ipc.InvalidArgument, "mount %s: the sandbox is not in the range that owns layers", m.Destination)
	}
	if !s.roots.InData(m.Source) {
		return ipc.Errorf(ipc.InvalidArgument, "mount %s: %s is outside the data directory", m.Destination, m.Source)
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, "", &st, unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	switch uid := int(st.Uid); {
	case uid >= layersID && uid < layersID+rangeSize:
		return nil
	case st.Mode&unix.S_IFMT == unix.S_IFDIR && uid == s.cfg.ServerUID:
		return unix.Fchownat(dir, "", layersID, layersID, unix.AT_EMPTY_PATH)
	}
	return ipc.Errorf(ipc.InvalidArgument, "mount %s: %s belongs to user %d, not to the server", m.Destination, m.Source, st.Uid)
}
