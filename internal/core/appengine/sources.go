package appengine

import (
	"context"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// SourceLife is how long uploaded source files are kept: what Google's staging
// buckets do. A client uploads again what is missing.
const SourceLife = 15 * 24 * time.Hour

// SourceFiles is the application's code bucket.
type SourceFiles interface {
	List(ctx context.Context, q objects.ListQuery) (*objects.Listing, error)
	Delete(ctx context.Context, bucket, name string, generation int64, cond objects.Conditions) error
}

// TidySources removes the source files of a project that were uploaded before a
// time, but for those that a pending deployment still reads. An application
// that nobody has used has no bucket, which is not an error.
func TidySources(ctx context.Context, files SourceFiles, project string, before time.Time, pending []sunya.Deployment) error {
	bucket, keep := CodeBucket(project), sourcesOf(pending)
	cursor := ""
	for {
		page, err := files.List(ctx, objects.ListQuery{Bucket: bucket, Cursor: cursor, Limit: 1000})
		if sunya.CodeOf(err) == sunya.NotFound {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", bucket, err)
		}
		for _, o := range page.Items {
			if !o.CreateTime.Before(before) || keep[o.Name] {
				continue
			}
			err := files.Delete(ctx, bucket, o.Name, o.Generation, objects.Conditions{})
			if err != nil && sunya.CodeOf(err) != sunya.NotFound {
				return fmt.Errorf("delete %s/%s: %w", bucket, o.Name, err)
			}
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

// sourcesOf are the names of the objects that deployments read.
func sourcesOf(pending []sunya.Deployment) map[string]bool {
	keep := map[string]bool{}
	for _, d := range pending {
		for _, f := range d.Source.Files {
			keep[f.Object] = true
		}
		if d.Source.Archive != "" {
			keep[d.Source.Archive] = true
		}
	}
	return keep
}
