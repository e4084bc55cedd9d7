package objects

import (
	"context"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/scope"
)

// scoped is a Store that shows a request from inside an instance the buckets of
// the instance's project and no others (package scope): PermissionDenied. All
// that names a bucket or an upload goes through it, so no call can be forgotten.
type scoped struct{ Store }

// own is PermissionDenied when the bucket belongs to a project that is out of
// scope. One that does not exist is nobody's.
func (s scoped) own(ctx context.Context, bucket string) error {
	if _, limited := scope.Of(ctx); !limited {
		return nil
	}
	_, err := s.GetBucket(ctx, bucket)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil
	}
	return err
}

// ownUpload is own of the bucket that an upload goes to.
func (s scoped) ownUpload(ctx context.Context, id string) error {
	if _, limited := scope.Of(ctx); !limited {
		return nil
	}
	_, err := s.GetUpload(ctx, id)
	return err
}

// CreateBucket implements Store.
func (s scoped) CreateBucket(ctx context.Context, b *Bucket) error {
	if err := scope.Check(ctx, b.Project, b.Name); err != nil {
		return err
	}
	return s.Store.CreateBucket(ctx, b)
}

// GetBucket implements Store.
func (s scoped) GetBucket(ctx context.Context, name string) (*Bucket, error) {
	b, err := s.Store.GetBucket(ctx, name)
	if err == nil {
		err = scope.Check(ctx, b.Project, name)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// ListBuckets implements Store.
func (s scoped) ListBuckets(ctx context.Context, project, prefix, after string, limit int) ([]Bucket, error) {
	if err := scope.Check(ctx, project, ""); err != nil {
		return nil, err
	}
	return s.Store.ListBuckets(ctx, project, prefix, after, limit)
}

// UpdateBucket implements Store.
func (s scoped) UpdateBucket(ctx context.Context, name string, change func(*Bucket) error) error {
	return s.Store.UpdateBucket(ctx, name, func(b *Bucket) error {
		if err := scope.Check(ctx, b.Project, name); err != nil {
			return err
		}
		return change(b)
	})
}

// DeleteBucket implements Store.
func (s scoped) DeleteBucket(ctx context.Context, name string, cond func(*Bucket) error) ([]string, error) {
	return s.Store.DeleteBucket(ctx, name, func(b *Bucket) error {
		if err := scope.Check(ctx, b.Project, name); err != nil || cond == nil {
			return err
		}
		return cond(b)
	})
}

// Change implements Store.
func (s scoped) Change(ctx context.Context, do func(tx Tx) error) error {
	if _, limited := scope.Of(ctx); !limited {
		return s.Store.Change(ctx, do)
	}
	return s.Store.Change(ctx, func(tx Tx) error { return do(&scopedTx{Tx: tx, ctx: ctx}) })
}

// GetObject implements Store.
func (s scoped) GetObject(ctx context.Context, bucket, name string, generation int64) (*Object, error) {
	if err := s.own(ctx, bucket); err != nil {
		return nil, err
	}
	return s.Store.GetObject(ctx, bucket, name, generation)
}

// ListObjects implements Store.
func (s scoped) ListObjects(ctx context.Context, r Range) ([]Object, error) {
	if err := s.own(ctx, r.Bucket); err != nil {
		return nil, err
	}
	return s.Store.ListObjects(ctx, r)
}

// CreateUpload implements Store.
func (s scoped) CreateUpload(ctx context.Context, u *Upload) error {
	if err := s.own(ctx, u.Object.Bucket); err != nil {
		return err
	}
	return s.Store.CreateUpload(ctx, u)
}

// GetUpload implements Store.
func (s scoped) GetUpload(ctx context.Context, id string) (*Upload, error) {
	u, err := s.Store.GetUpload(ctx, id)
	if err == nil {
		err = s.own(ctx, u.Object.Bucket)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// AddChunk implements Store.
func (s scoped) AddChunk(ctx context.Context, id string, c Chunk) error {
	if err := s.ownUpload(ctx, id); err != nil {
		return err
	}
	return s.Store.AddChunk(ctx, id, c)
}

// PutPart implements Store.
func (s scoped) PutPart(ctx context.Context, id string, c Chunk) (string, error) {
	if err := s.ownUpload(ctx, id); err != nil {
		return "", err
	}
	return s.Store.PutPart(ctx, id, c)
}

// PartUploads implements Store.
func (s scoped) PartUploads(ctx context.Context, bucket, prefix string, limit int) ([]Upload, error) {
	if err := s.own(ctx, bucket); err != nil {
		return nil, err
	}
	return s.Store.PartUploads(ctx, bucket, prefix, limit)
}

// DeleteUpload implements Store.
func (s scoped) DeleteUpload(ctx context.Context, id string) ([]string, error) {
	if err := s.ownUpload(ctx, id); err != nil {
		return nil, err
	}
	return s.Store.DeleteUpload(ctx, id)
}

// CreateNotification implements Store. Its topic has to be in scope, too.
func (s scoped) CreateNotification(ctx context.Context, n *Notification, limit int) error {
	if err := s.own(ctx, n.Bucket); err != nil {
		return err
	}
	project, _, _ := strings.Cut(strings.TrimPrefix(n.Topic, "projects/"), "/")
	if err := scope.Check(ctx, project, n.Topic); err != nil {
		return err
	}
	return s.Store.CreateNotification(ctx, n, limit)
}

// Notifications implements Store.
func (s scoped) Notifications(ctx context.Context, bucket string) ([]Notification, error) {
	if err := s.own(ctx, bucket); err != nil {
		return nil, err
	}
	return s.Store.Notifications(ctx, bucket)
}

// DeleteNotification implements Store.
func (s scoped) DeleteNotification(ctx context.Context, bucket, id string) error {
	if err := s.own(ctx, bucket); err != nil {
		return err
	}
	return s.Store.DeleteNotification(ctx, bucket, id)
}

// scopedTx is scoped within one Change.
type scopedTx struct {
	Tx
	ctx context.Context
}

func (t *scopedTx) own(bucket string) error {
	_, err := t.Bucket(bucket)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil
	}
	return err
}

// Bucket implements Tx.
func (t *scopedTx) Bucket(name string) (*Bucket, error) {
	b, err := t.Tx.Bucket(name)
	if err == nil {
		err = scope.Check(t.ctx, b.Project, name)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Live implements Tx.
func (t *scopedTx) Live(bucket, name string) (*Object, error) {
	if err := t.own(bucket); err != nil {
		return nil, err
	}
	return t.Tx.Live(bucket, name)
}

// Version implements Tx.
func (t *scopedTx) Version(bucket, name string, generation int64) (*Object, error) {
	if err := t.own(bucket); err != nil {
		return nil, err
	}
	return t.Tx.Version(bucket, name, generation)
}

// PutLive implements Tx.
func (t *scopedTx) PutLive(o *Object) error {
	if err := t.own(o.Bucket); err != nil {
		return err
	}
	return t.Tx.PutLive(o)
}

// DropLive implements Tx.
func (t *scopedTx) DropLive(bucket, name string) error {
	if err := t.own(bucket); err != nil {
		return err
	}
	return t.Tx.DropLive(bucket, name)
}

// PutVersion implements Tx.
func (t *scopedTx) PutVersion(o *Object) error {
	if err := t.own(o.Bucket); err != nil {
		return err
	}
	return t.Tx.PutVersion(o)
}

// DropVersion implements Tx.
func (t *scopedTx) DropVersion(bucket, name string, generation int64) error {
	if err := t.own(bucket); err != nil {
		return err
	}
	return t.Tx.DropVersion(bucket, name, generation)
}
