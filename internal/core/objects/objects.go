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
	Rules          Rules
	Document       []byte // JSON of every field that is stored and returned but not understood
	Policy         []byte // JSON of the IAM policy; nil: none was ever set
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
	MD5            []byte // nil of what was composed
	Blob           string // key in Blobs; several objects may have it
	Metadata       map[string]string
	CreateTime     time.Time
	UpdateTime     time.Time
	Properties     Properties
	Document       []byte

	DeleteTime     time.Time // when it ceased to be live; zero of a live one
	SoftDeleteTime time.Time // when it was deleted softly
	HardDeleteTime time.Time // when a softly deleted one goes for good
}

// Live reports whether o is the generation that a name stands for.
func (o *Object) Live() bool { return o.DeleteTime.IsZero() }

// Soft reports whether o was deleted and can be restored.
func (o *Object) Soft() bool { return !o.HardDeleteTime.IsZero() }

// Properties are what this package understands of an object besides its bytes.
type Properties struct {
	StorageClass   string           `json:",omitempty"` // empty: STANDARD
	ClassTime      time.Time        `json:",omitzero"`  // of the last change of StorageClass; zero: of creation
	CustomTime     time.Time        `json:",omitzero"`
	Components     int64            `json:",omitempty"` // how many were composed; 0: it was not
	TemporaryHold  bool             `json:",omitempty"`
	EventBasedHold bool             `json:",omitempty"`
	HoldReleased   time.Time        `json:",omitzero"` // the bucket's retention counts from here; zero: from creation
	Retention      *ObjectRetention `json:",omitempty"`
}

// Store keeps the metadata. Writes are durable when a method returns; each call
// is atomic. What is called within one must not block.
type Store interface {
	CreateBucket(ctx context.Context, b *Bucket) error // AlreadyExists
	GetBucket(ctx context.Context, name string) (*Bucket, error)
	// ListBuckets returns buckets in byte order of their names, at most limit,
	// beginning after the name after. An empty project stands for all.
	ListBuckets(ctx context.Context, project, prefix, after string, limit int) ([]Bucket, error)
	// UpdateBucket reads, changes and writes one bucket, unless change refuses.
	UpdateBucket(ctx context.Context, name string, change func(*Bucket) error) error
	// DeleteBucket is FailedPrecondition while there are generations that are not
	// deleted softly; those go with it, and their blobs are returned but for the
	// rows, which go too. A nil cond holds.
	DeleteBucket(ctx context.Context, name string, cond func(*Bucket) error) (free []string, err error)

	// Change makes all that do does through tx, or when do fails nothing of it.
	Change(ctx context.Context, do func(tx Tx) error) error

	// GetObject returns the live generation, or with one that of this number,
	// live, archived or deleted softly; NotFound.
	GetObject(ctx context.Context, bucket, name string, generation int64) (*Object, error)
	// ListObjects returns objects in byte order of their names and then by
	// generation. NotFound when there is no such bucket.
	ListObjects(ctx context.Context, r Range) ([]Object, error)
	// EndedObjects returns at most limit softly deleted generations whose
	// HardDeleteTime is before t.
	EndedObjects(ctx context.Context, t time.Time, limit int) ([]Object, error)

	// Bytes returns what Tx.PutBytes stored; NotFound.
	Bytes(ctx context.Context, blob string) ([]byte, error)
	// BlobInUse reports whether any generation or unfinished upload has this blob.
	BlobInUse(ctx context.Context, blob string) (bool, error)
	// UsedBytes is how much all generations and unfinished uploads hold.
	UsedBytes(ctx context.Context) (int64, error)

	UploadStore
	NotificationStore
}

// Range is a part of a bucket's objects.
type Range struct {
	Bucket     string
	Prefix     string
	Start      string // first name, inclusive
	Generation int64  // of the name Start: first generation, inclusive
	Which      Which
	// Delimiter lets a store leave out all but the first of the objects whose
	// names have the same beginning up to the first Delimiter behind Prefix.
	Delimiter string
	Limit     int
}

// Which says which generations are meant.
type Which int

const (
	LiveOnly    Which = iota
	AllVersions       // live and archived
	SoftDeleted       // what can be restored
)

// Tx is a Store within one Change.
type Tx interface {
	Bucket(name string) (*Bucket, error)       // NotFound
	Live(bucket, name string) (*Object, error) // nil when there is none
	// Version returns a generation that is not live, nil when there is none.
	Version(bucket, name string, generation int64) (*Object, error)
	// Newest is the highest generation of a name that is not live, 0 without any.
	Newest(bucket, name string) (int64, error)
	PutLive(o *Object) error // in place of the live one, if there is one
	DropLive(bucket, name string) error
	PutVersion(o *Object) error
	DropVersion(bucket, name string, generation int64) error

	// EndUpload notes the generation that an upload became and removes its
	// chunks, which are returned; Aborted when it has become one already.
	EndUpload(id string, generation int64) ([]Chunk, error)

	Notifications(bucket string) ([]Notification, error)
	AddNotice(n *Notice) error

	// PutBytes keeps the bytes of a small object as a row and returns it as a
	// blob (RowBlob), which was never another's.
	PutBytes(p []byte) (blob string, err error)
	DropBytes(blob string) error
	BlobInUse(blob string) (bool, error)
}

// UploadStore keeps resumable uploads.
type UploadStore interface {
	CreateUpload(ctx context.Context, u *Upload) error
	GetUpload(ctx context.Context, id string) (*Upload, error) // with its chunks; NotFound
	// AddChunk is Aborted unless c begins where the stored chunks end and the
	// upload is not finished.
	AddChunk(ctx context.Context, id string, c Chunk) error
	// PutPart stores a part of a multipart upload, whatever parts there are
	// already, and returns the blob of the one that it replaces. Aborted when the
	// upload is finished.
	PutPart(ctx context.Context, id string, c Chunk) (oldBlob string, err error)
	// PartUploads returns unfinished multipart uploads of a bucket whose objects'
	// names begin with prefix, in the order of names and times, without their
	// chunks, at most limit.
	PartUploads(ctx context.Context, bucket, prefix string, limit int) ([]Upload, error)
	// DeleteUpload returns the blobs of its chunks; NotFound.
	DeleteUpload(ctx context.Context, id string) (free []string, err error)
	// OldUploads returns the ids of at most limit uploads made before t.
	OldUploads(ctx context.Context, t time.Time, limit int) ([]string, error)
}

// NotificationStore keeps who wants to be told of changes, and what is still to
// be told.
type NotificationStore interface {
	// CreateNotification sets n's ID, unless the bucket has limit of them:
	// ResourceExhausted. NotFound when there is no such bucket.
	CreateNotification(ctx context.Context, n *Notification, limit int) error
	Notifications(ctx context.Context, bucket string) ([]Notification, error) // in order of their ids
	DeleteNotification(ctx context.Context, bucket, id string) error          // NotFound

	// Notices returns at most limit notices with ids above after, in order.
	Notices(ctx context.Context, after int64, limit int) ([]Notice, error)
	DeleteNotices(ctx context.Context, ids []int64) error
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
	Bytes  []byte // of a small object, which are to be a row and are no blob yet; else nil
	Size   int64
	CRC32C uint32 // Castagnoli
	MD5    []byte
}
