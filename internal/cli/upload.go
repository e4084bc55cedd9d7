package cli

import (
	"context"
	"crypto/sha1" //nolint:gosec // App Engine's API names files by SHA-1
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/ignore"
)

// uploads is how many files are on their way at once.
const uploads = 4

// uploader fills a bucket with files named by their SHA-1.
type uploader struct {
	objects *storage.ObjectsService
	bucket  string
}

func (c *client) uploader(ctx context.Context, bucket string) (*uploader, error) {
	svc, err := storage.NewService(ctx, option.WithHTTPClient(c.http), option.WithEndpoint(c.base.String()+"/storage/v1/"))
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &uploader{svc.Objects, bucket}, nil
}

// upload sends the files that the bucket does not hold and returns how many
// those were.
func (u *uploader) upload(ctx context.Context, files []ignore.File) (int, error) {
	var have map[string]bool
	err := retry(ctx, func() (err error) {
		have, err = u.list(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	var sent atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for _, f := range files {
		if have[f.SHA1] {
			continue
		}
		have[f.SHA1] = true // files with equal content are one object
		group.Go(func() error {
			sent.Add(1)
			return retry(ctx, func() error { return u.send(ctx, f) })
		})
	}
	err = group.Wait()
	return int(sent.Load()), err
}

// list names the objects in the bucket.
func (u *uploader) list(ctx context.Context) (map[string]bool, error) {
	have := map[string]bool{}
	call := u.objects.List(u.bucket).Fields("items/name", "nextPageToken").MaxResults(1000)
	err := call.Pages(ctx, func(page *storage.Objects) error {
		for _, o := range page.Items {
			have[o.Name] = true
		}
		return nil
	})
	return have, err
}

// send stores one file. A file that changes on the way is taken back: its name
// would lie about its content.
func (u *uploader) send(ctx context.Context, f ignore.File) error {
	in, err := os.Open(f.Local)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	defer in.Close()
	sum := sha1.New() //nolint:gosec // see import
	_, err = u.objects.Insert(u.bucket, &storage.Object{Name: f.SHA1, ContentType: "application/octet-stream"}).
		IfGenerationMatch(0).
		Media(io.TeeReader(in, sum), googleapi.ChunkSize(0), googleapi.ContentType("application/octet-stream")).
		Context(ctx).
		Do()
	if present(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("upload %s: %w", f.Path, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) == f.SHA1 {
		return nil
	}
	if err := u.objects.Delete(u.bucket, f.SHA1).Context(ctx).Do(); err != nil {
		return fmt.Errorf("take back %s: %w", f.Path, err)
	}
	return sunya.Errorf(sunya.Aborted, f.Path, "the file changed while it was being uploaded; deploy again")
}

// present reports that somebody else stored the same content first.
func present(err error) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == http.StatusPreconditionFailed
}

const (
	retries    = 5
	retryFirst = 200 * time.Millisecond
)

// retry repeats what may be repeated while the server is away: a restart takes
// about a second.
func retry(ctx context.Context, do func() error) error {
	pause := retryFirst
	for attempt := 0; ; attempt++ {
		err := do()
		if err == nil || attempt == retries || codeOf(err) != sunya.Unavailable {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause *= 2
	}
}

// readAtMost reads no more than limit bytes.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, limit))
}
