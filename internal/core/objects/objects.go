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

// Store keeps the metadata. Writes are durable when a method returns; each call
// is atomic. A cond or change may be called again and must not block.
type Store interface {
	CreateBucket(ctx context.Context, b *Bucket) error // AlreadyExists
	GetBucket(ctx context.Context, name string) (*Bucket, error)
	// ListBuckets returns buckets in byte order of their names, at most limit,
	// beginning after the name after. An empty project stands for all.
	ListBuckets(ctx context.Context, project, prefix, after string, limit int) ([]Bucket, error)
	// UpdateBucket reads, changes and writes one bucket, unless change refuses.
	UpdateBucket(ctx context.Context, name string, change func(*Bucket) error) error
	// DeleteBucket is FailedPrecondition unless the bucket is empty. A nil cond
	// holds.
	DeleteBucket(ctx context.Context, name string, cond func(*Bucket) error) error

	// PutObject makes o the live generation if cond holds of the present one
	// (nil when there is none), and returns the blob that it replaced, empty
	// when o keeps it. What cond writes to o is stored, so that o can depend on
	// live. NotFound when there is no such bucket.
	PutObject(ctx context.Context, o *Object, cond func(live *Object) error) (oldBlob string, err error)
	GetObject(ctx context.Context, bucket, name string) (*Object, error)
	// ListObjects returns objects in byte order of their names, from the name
	// start on (inclusive), at most limit. NotFound when there is no such
	// bucket.
	ListObjects(ctx context.Context, bucket, prefix, start string, limit int) ([]Object, error)
	// DeleteObject is NotFound when there is none.
	DeleteObject(ctx context.Context, bucket, name string, cond func(live *Object) error) (oldBlob string, err error)

	// BlobInUse reports whether any object or unfinished upload has this blob.
	BlobInUse(ctx context.Context, blob string) (bool, error)
	// UsedBytes is how much all objects and unfinished uploads hold.
	UsedBytes(ctx context.Context) (int64, error)

	UploadStore
}

// UploadStore keeps resumable uploads.
type UploadStore interface {
	CreateUpload(ctx context.Context, u *Upload) error
	GetUpload(ctx context.Context, id string) (*Upload, error) // with its chunks; NotFound
	// AddChunk is Aborted unless c begins where the stored chunks end and the
	// upload is not finished.
	AddChunk(ctx context.Context, id string, c Chunk) error
	// FinishUpload is PutObject, notes o's generation in the upload and removes
	// its chunks, all or nothing. It returns the blobs nobody uses any more.
	// Aborted when the upload is finished already.
	FinishUpload(ctx context.Context, id string, o *Object, cond func(live *Object) error) (free []string, err error)
	// DeleteUpload returns the blobs of its chunks; NotFound.
	DeleteUpload(ctx context.Context, id string) (free []string, err error)
	// OldUploads returns the ids of at most limit uploads made before t.
	OldUploads(ctx context.Context, t time.Time, limit int) ([]string, error)
}

// Blobs keeps bytes. A blob is complete and synced, or absent.
type Blobs interface {
	// Write copies r to a new blob; size and checksums are computed on the way.
	// More than limit bytes (below 0: no limit) is ResourceExhausted and leaves
	// nothing.
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
}
