// Package layers is the contract for unpacked, read-only, content-addressed
// directories: what images are made of.
package layers

import (
	"context"
	"io"

	"github.com/sunya-cloud/sunya"
)

// Store keeps layers. A layer is complete or absent: a crash at any moment
// leaves nothing half-written that is ever seen.
type Store interface {
	// Stage makes an empty directory in which a layer can be built, on the
	// same file system as the layers. Whoever stages must Commit or Discard;
	// what a crash leaves is removed at the next start.
	Stage(ctx context.Context) (dir string, err error)
	// Commit hashes dir, syncs it and renames it into place. A layer that
	// already exists is kept and dir discarded. dir is gone afterwards.
	Commit(ctx context.Context, dir string) (sunya.Layer, error)
	Discard(dir string) error
	// Path returns where a layer is unpacked; NotFound when it is not.
	Path(digest string) (string, error)
	// Lookup and Remember keep what a cache key (sha256 hex) was built into.
	Lookup(ctx context.Context, key string) (sunya.Layer, bool, error)
	Remember(ctx context.Context, key string, l sunya.Layer) error
	// Collect removes every layer whose digest keep does not hold and that is
	// older than the grace the store was opened with.
	Collect(ctx context.Context, keep map[string]bool) error
}

// Unpacker makes layers of the archives that container images consist of.
type Unpacker interface {
	// Unpack returns the layer that an archive holds: the one unpacked before,
	// or a new one, verified by both digests; its Target is "/". It is durable,
	// and Store.Path finds it by its diff id. Whoever asks for one that is being
	// unpacked waits for that. An archive that is broken, has
	// another digest, or names a file outside of it is InvalidArgument; one that
	// grows beyond the limit is ResourceExhausted. Nothing is left of it then.
	Unpack(ctx context.Context, a Archive) (sunya.Layer, error)
}

// Archive is one layer of a container image as registries keep it.
type Archive struct {
	Digest    string // sha256:<hex> of the bytes that Open gives
	DiffID    string // sha256:<hex> of the tar in them: what the layer is known by
	MediaType string // says how the tar is compressed: not at all, gzip, zstd
	Size      int64
	Open      func(ctx context.Context) (io.ReadCloser, error)
}

// Unpacked keeps layers that somebody else writes, under names that they bring:
// those of container images, whose files do not belong to the server.
type Unpacked interface {
	// Unpacked finds a layer by its diff id and keeps Collect from it for the
	// grace of the store.
	Unpacked(ctx context.Context, diffID string) (sunya.Layer, bool, error)
	// StageUnpacked makes a directory to unpack into. Whoever stages must Commit
	// or Discard; what a crash leaves is removed by the first Collect.
	StageUnpacked(ctx context.Context) (Stage, error)
	// CommitUnpacked syncs the stage and makes it the layer of l.Digest. One
	// that exists already is kept, and the stage discarded.
	CommitUnpacked(ctx context.Context, s Stage, l sunya.Layer) (sunya.Layer, error)
	DiscardUnpacked(ctx context.Context, s Stage) error
}

// Stage is a place to unpack a layer.
type Stage struct {
	Dir   string // the server's; what else is in it is gone with the stage
	Files string // below Dir, empty: what the files go into
}

// Remover removes files that only their owner may.
type Remover interface {
	// Empty removes everything in the directories, which stay.
	Empty(ctx context.Context, dirs []string) error
}
