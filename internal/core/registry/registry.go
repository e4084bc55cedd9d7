package registry

import (
	"context"
	"hash/fnv"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Limits of what is taken.
const (
	// MaxManifestBytes is the largest manifest, as the specification suggests.
	MaxManifestBytes = 4 << 20
	// MaxBlobBytes is the largest blob.
	MaxBlobBytes = 32 << 30
)

// Blob is the membership of a blob in a repository.
type Blob struct {
	Digest string
	Size   int64
	Time   time.Time // when it was last pushed, mounted or asked for by a client that pushes
}

// Tag is a name in a repository.
type Tag struct {
	Name   string
	Digest string // of a manifest
	Time   time.Time
}

// Store keeps everything but the bytes of blobs. Writes are durable when a
// method returns. What is not there is NotFound.
type Store interface {
	// PutBlob makes a blob belong to a repository, or sets its time anew.
	PutRegistryBlob(ctx context.Context, repository string, b Blob) error
	GetRegistryBlob(ctx context.Context, repository, digest string) (*Blob, error)
	DeleteRegistryBlob(ctx context.Context, repository, digest string) error
	// FindRegistryBlob returns the blob from any repository of a project, or,
	// when project is empty, of all.
	FindRegistryBlob(ctx context.Context, project, digest string) (*Blob, error)

	// PutRegistryManifest stores a manifest and sets tags to it, once check
	// has found all that it needs among what the repository has. Both happen in
	// one transaction.
	PutRegistryManifest(ctx context.Context, m *Manifest, tags []string, check func(Contents) error) error
	// GetRegistryManifest takes a digest or a tag.
	GetRegistryManifest(ctx context.Context, repository, version string) (*Manifest, error)
	// DeleteRegistryManifest removes a manifest and the tags that are set to it.
	DeleteRegistryManifest(ctx context.Context, repository, digest string) error
	// ListRegistryManifests returns the manifests of a repository in the order
	// of their digests, after one of them; limit 0 is none.
	ListRegistryManifests(ctx context.Context, repository, after string, limit int) ([]Manifest, error)
	// ListReferrers returns the manifests whose subject has that digest.
	ListReferrers(ctx context.Context, repository, subject string) ([]Manifest, error)
	// ManifestsOfType returns those of all repositories whose configuration has
	// that media type.
	ManifestsOfType(ctx context.Context, config string) ([]Manifest, error)

	DeleteRegistryTag(ctx context.Context, repository, tag string) error
	// ListRegistryTags returns tags in the order of their bytes; limit 0 is none.
	ListRegistryTags(ctx context.Context, repository, after string, limit int) ([]Tag, error)
	// ListRepositories returns the repositories that have a manifest or a blob
	// and whose names begin with prefix.
	ListRepositories(ctx context.Context, prefix, after string, limit int) ([]string, error)

	// ListImages returns the manifests of all repositories whose names begin with
	// prefix, in the order of repository and digest, after REPOSITORY@DIGEST.
	ListImages(ctx context.Context, prefix, after string, limit int) ([]Manifest, error)

	// CreateFolder is AlreadyExists when there is one of the name.
	CreateFolder(ctx context.Context, f *Folder) error
	GetFolder(ctx context.Context, k FolderKey) (*Folder, error)
	ListFolders(ctx context.Context, project string) ([]Folder, error) // by name
	DeleteFolder(ctx context.Context, k FolderKey) error

	// CollectRegistry removes what Lives lets go.
	CollectRegistry(ctx context.Context, l Lives) (manifests, blobs int, err error)
}

// Contents is what a repository has.
type Contents interface {
	// BlobSize returns the size of a blob; ok is false when there is none.
	BlobSize(digest string) (size int64, ok bool, err error)
	// ManifestSize is BlobSize for manifests.
	ManifestSize(digest string) (size int64, ok bool, err error)
}

// Blobs keeps bytes by their digest. It takes them in uploads, each a growing
// sequence of bytes that is given a digest in the end.
type Blobs interface {
	// Open returns a blob; NotFound when there is none. Bytes that are being
	// read stay readable when the blob is removed.
	Open(ctx context.Context, digest string) (body io.ReadSeekCloser, size int64, err error)
	Delete(ctx context.Context, digest string) error

	// Begin starts an upload that only owner may go on with.
	Begin(ctx context.Context, owner string) (id string, err error)
	// Uploaded is how many bytes of an upload there are; NotFound when there is
	// no such upload of owner.
	Uploaded(ctx context.Context, owner, id string) (int64, error)
	// Append adds r to an upload, which must have at bytes (OutOfRange with the
	// true number otherwise; at -1 takes any), and returns how many it has then.
	// What came before an error of r stays.
	Append(ctx context.Context, owner, id string, at int64, r io.Reader, limit int64) (int64, error)
	// Commit makes a blob of an upload, durably, and ends it. Another digest
	// than the one that the bytes have is InvalidArgument; the upload stays.
	Commit(ctx context.Context, owner, id, digest string) (size int64, err error)
	Cancel(ctx context.Context, owner, id string) error

	// Sweep removes uploads that nobody has gone on with for a day, and shows
	// every blob to visit that has been there for longer than the upload of an
	// image takes.
	Sweep(ctx context.Context, visit func(digest string) error) error
}

// Service is the registry. It is safe for concurrent use.
type Service struct {
	store Store
	blobs Blobs
	now   func() time.Time
	log   *slog.Logger

	// held has a lock for each digest, which some share. It is held for reading
	// from the moment that a blob's bytes are found until it belongs to a
	// repository, and for writing while bytes are removed that belong to none.
	held [64]sync.RWMutex
}

func (s *Service) lock(digest string) *sync.RWMutex {
	h := fnv.New32a()
	h.Write([]byte(digest))
	return &s.held[h.Sum32()%uint32(len(s.held))]
}

// New returns a Service.
func New(store Store, blobs Blobs, now func() time.Time, log *slog.Logger) *Service {
	return &Service{store: store, blobs: blobs, now: now, log: log.With("component", "registry")}
}
