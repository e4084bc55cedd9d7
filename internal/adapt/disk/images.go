package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// Images keeps the bytes of container images by their digest:
//
//	sha256/ab/abcd…  a complete, synced blob
//	sha512/ab/abcd…
//	uploads/ID       an upload under way: as long as what has come
//
// An upload needs no record besides its file: a killed server goes on with it
// where the file ends. It implements registry.Blobs and is safe for concurrent
// use.
type Images struct {
	dir   string
	grace time.Duration
	life  time.Duration
	now   func() time.Time

	mu      sync.Mutex
	uploads map[string]*upload // those that this process has touched
}

var _ registry.Blobs = (*Images)(nil)

// OpenImages opens the store in dir, which is made when missing. Sweep shows
// blobs that are older than grace, and removes uploads older than life.
func OpenImages(dir string, grace, life time.Duration, now func() time.Time) (*Images, error) {
	d := &Images{dir: dir, grace: grace, life: life, now: now, uploads: map[string]*upload{}}
	for _, sub := range []string{"uploads", "sha256", "sha512"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("open images: %w", diskError(err))
		}
	}
	if err := syncBlobDir(dir); err != nil {
		return nil, fmt.Errorf("open images: %w", diskError(err))
	}
	return d, nil
}

// path is where a blob is. Digests come checked from the core; this keeps
// everything else out of the way of a path.
func (d *Images) path(digest string) (string, error) {
	if err := registry.CheckDigest(digest); err != nil {
		return "", err
	}
	algorithm, hex, _ := strings.Cut(digest, ":")
	return filepath.Join(d.dir, algorithm, hex[:2], hex), nil
}

// Open implements registry.Blobs.
func (d *Images) Open(_ context.Context, digest string) (io.ReadSeekCloser, int64, error) {
	path, err := d.path(digest)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, sunya.Errorf(sunya.NotFound, digest, "the blob does not exist")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open blob: %w", diskError(err))
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open blob: %w", diskError(err)), f.Close())
	}
	return f, info.Size(), nil
}

// Delete implements registry.Blobs. A blob that is gone is not an error.
func (d *Images) Delete(_ context.Context, digest string) error {
	path, err := d.path(digest)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete blob: %w", diskError(err))
	}
	return nil
}

// publish gives a synced file its name, durably. One that is there already is
// the same.
func (d *Images) publish(from, digest string) error {
	path, err := d.path(digest)
	if err != nil {
		return err
	}
	shelf := filepath.Dir(path)
	if err := os.Mkdir(shelf, 0o700); err == nil {
		err = syncBlobDir(filepath.Dir(shelf))
		if err != nil {
			return fmt.Errorf("write blob: %w", diskError(err))
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write blob: %w", diskError(err))
	}
	if err := os.Rename(from, path); err != nil {
		return fmt.Errorf("write blob: %w", diskError(err))
	}
	if err := syncBlobDir(shelf); err != nil {
		return fmt.Errorf("write blob: %w", diskError(err))
	}
	return nil
}

// Sweep implements registry.Blobs.
func (d *Images) Sweep(ctx context.Context, visit func(digest string) error) error {
	err := d.sweepUploads()
	old := d.now().Add(-d.grace)
	for _, algorithm := range []string{"sha256", "sha512"} {
		shelves, e := os.ReadDir(filepath.Join(d.dir, algorithm))
		err = errors.Join(err, e)
		for _, shelf := range shelves {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			err = errors.Join(err, d.sweepShelf(algorithm, shelf.Name(), old, visit))
		}
	}
	return err
}

func (d *Images) sweepShelf(algorithm, shelf string, old time.Time, visit func(string) error) error {
	entries, err := os.ReadDir(filepath.Join(d.dir, algorithm, shelf))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.ModTime().After(old) {
			continue
		}
		if err == nil {
			err = visit(algorithm + ":" + e.Name())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
