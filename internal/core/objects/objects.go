// Package objects is buckets and objects, as Cloud Storage's JSON API has them.
package objects

import (
	"context"
	"io"
	"time"
)

// Bucket holds objects.
type Bucket struct {
	Name           string
	Project        string
	Location       string
	Metageneration int64
	CreateTime     time.Time
	UpdateTime     time.Time
	Document       []byte // JSON of every field that is stored and returned but not understood
}

// Object is one generation of a named sequence of bytes.
type Object struct {
	Bucket         string
	Name           string
	Generation     int64
	Metageneration int64
	Size           int64
	ContentType    string
	CRC32C         uint32
	MD5            []byte
	Blob           string // key in Blobs
	Metadata       map[string]string
	CreateTime     time.Time
	UpdateTime     time.Time
	Document       []byte
}

// Store keeps the metadata. Writes are durable when a method returns.
type Store interface {
	CreateBucket(ctx context.Context, b *Bucket) error // AlreadyExists
	GetBucket(ctx context.Context, name string) (*Bucket, error)
	ListBuckets(ctx context.Context, project, prefix, after string, limit int) ([]Bucket, error)
	DeleteBucket(ctx context.Context, name string) error // FailedPrecondition unless empty

	// PutObject makes o the live generation if cond holds of the present one
	// (nil when there is none), and returns the blob that it replaced.
	PutObject(ctx context.Context, o *Object, cond func(live *Object) error) (oldBlob string, err error)
	GetObject(ctx context.Context, bucket, name string) (*Object, error)
	// ListObjects returns objects in byte order of their names, from the name
	// start on (inclusive), at most limit.
	ListObjects(ctx context.Context, bucket, prefix, start string, limit int) ([]Object, error)
	DeleteObject(ctx context.Context, bucket, name string, cond func(live *Object) error) (oldBlob string, err error)
	// BlobInUse reports whether any object has this blob.
	BlobInUse(ctx context.Context, blob string) (bool, error)
}

// Blobs keeps bytes. A blob is complete and synced, or absent.
type Blobs interface {
	// Write copies r to a new blob; size and checksums are computed on the way.
	// More than limit bytes is ResourceExhausted and leaves nothing.
	Write(ctx context.Context, r io.Reader, limit int64) (Written, error)
	Open(ctx context.Context, blob string) (io.ReadSeekCloser, error)
	Delete(ctx context.Context, blob string) error
	// Sweep removes blobs that inUse does not know and that are older than the
	// grace the store was opened with: what a crash between blob and metadata
	// left.
	Sweep(ctx context.Context, inUse func(blob string) (bool, error)) error
}

// Written is what Blobs.Write stored.
type Written struct {
	Blob   string
	Size   int64
	CRC32C uint32 // Castagnoli
	MD5    []byte
	SHA1   []byte
}
