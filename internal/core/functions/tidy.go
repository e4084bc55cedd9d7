package functions

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// UploadLife is how long a source that no function is made of is kept: the life
// of the link to upload it, and as long again to deploy it.
const UploadLife = 2 * linkLife

// Uploads are the buckets of sources.
type Uploads interface {
	ListBuckets(ctx context.Context, project, prefix, after string, limit int) (buckets []objects.Bucket, next string, err error)
	List(ctx context.Context, q objects.ListQuery) (*objects.Listing, error)
	Delete(ctx context.Context, bucket, name string, generation int64, cond objects.Conditions) error
}

// sourceBuckets begins the names of all buckets of sources.
const sourceBuckets = "gcf-v2-uploads-"

// pageOf is how much is read at once.
const pageOf = 1000

// TidySources removes the sources that were uploaded before a time, but for
// those of which a function is made and those that a pending deployment reads.
// pending must have been read before.
func TidySources(ctx context.Context, store Store, up Uploads, before time.Time, pending []sunya.Deployment) error {
	keep := map[string]bool{}
	for _, d := range pending {
		keep[d.Source.Archive] = true
	}
	after := ""
	for {
		buckets, next, err := up.ListBuckets(ctx, "", sourceBuckets, after, pageOf)
		if err != nil {
			return err
		}
		for _, b := range buckets {
			own := fmt.Sprintf("%s%d.", sourceBuckets, sunya.ProjectNumber(b.Project))
			if !strings.HasPrefix(b.Name, own) {
				continue // somebody chose a name like ours
			}
			if err := keepSources(ctx, store, b.Project, keep); err != nil {
				return err
			}
			if err := tidyBucket(ctx, up, b.Name, before, keep); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// keepSources adds the sources of a project's functions.
func keepSources(ctx context.Context, store Store, project string, keep map[string]bool) error {
	after := ""
	for {
		fs, err := store.ListFunctions(ctx, project, "", after, pageOf)
		if err != nil {
			return err
		}
		for i := range fs {
			keep[fs[i].Source.path()] = true
			after = fs[i].Location + "/" + fs[i].ID
		}
		if len(fs) < pageOf {
			return nil
		}
	}
}

func tidyBucket(ctx context.Context, up Uploads, bucket string, before time.Time, keep map[string]bool) error {
	cursor := ""
	for {
		page, err := up.List(ctx, objects.ListQuery{Bucket: bucket, Cursor: cursor, Limit: pageOf})
		if err != nil {
			return fmt.Errorf("list %s: %w", bucket, err)
		}
		for _, o := range page.Items {
			source := Source{Bucket: bucket, Object: o.Name}
			if !o.CreateTime.Before(before) || keep[source.path()] {
				continue
			}
			err := up.Delete(ctx, bucket, o.Name, o.Generation, objects.Conditions{})
			if err != nil && sunya.CodeOf(err) != sunya.NotFound {
				return fmt.Errorf("delete %s: %w", source.path(), err)
			}
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}
