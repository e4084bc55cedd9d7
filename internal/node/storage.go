package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/datadir"
	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/journal"
	"github.com/sunya-cloud/sunya/internal/adapt/logdb"
	"github.com/sunya-cloud/sunya/internal/adapt/s3"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/meter"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// storage is everything that survives the process.
type storage struct {
	state  *sqlite.DB
	events eventStore
	logs   *logdb.Store
	blobs  objects.Blobs
	layers *disk.Layers
	images *disk.Images
	usage  *journal.Journal
	meter  *meter.Meter
}

// sweepGrace is how old a blob without an owner must be before it is removed:
// longer than any upload holds one before its record exists.
const sweepGrace = 24 * time.Hour

// layerGrace is how long a layer that no revision uses is kept for a build that
// wants it again: dependencies, and the installers themselves.
const layerGrace = 7 * 24 * time.Hour

func openStorage(ctx context.Context, cfg Config, dir *datadir.Dir, log *slog.Logger) (s *storage, err error) {
	s = &storage{}
	defer func() {
		if err != nil {
			s, err = nil, errors.Join(err, s.close())
		}
	}()
	if s.state, err = sqlite.Open(ctx, dir.Join("state.db"), log); err != nil {
		return s, err
	}
	if s.events, err = openEvents(ctx, cfg.Events, dir, log); err != nil {
		return s, fmt.Errorf("open events: %w", err)
	}
	if s.logs, err = logdb.Open(ctx, dir.Join("logs"), time.Now, log, logdb.Options{}); err != nil {
		return s, fmt.Errorf("open logs: %w", err)
	}
	if s.blobs, err = openBlobs(ctx, cfg.Blobs, dir); err != nil {
		return s, fmt.Errorf("open blobs: %w", err)
	}
	if s.layers, err = disk.OpenLayers(dir.Join("layers"), layerGrace, time.Now); err != nil {
		return s, fmt.Errorf("open layers: %w", err)
	}
	if s.usage, err = journal.Open(dir.Join("usage")); err != nil {
		return s, err
	}
	if s.meter, err = meter.Open(ctx, s.state, s.usage, time.Now, log); err != nil {
		return s, err
	}
	s.images, err = disk.OpenImages(dir.Join("images"), registry.BlobGrace, registry.BlobGrace, time.Now)
	if err != nil {
		return s, fmt.Errorf("open images: %w", err)
	}
	return s, nil
}

// openBlobs opens where the bytes of objects are: in the data directory, and with
// a URL in a bucket.
func openBlobs(ctx context.Context, url string, dir *datadir.Dir) (objects.Blobs, error) {
	files, err := disk.OpenBlobs(dir.Join("blobs"), sweepGrace, time.Now)
	if err != nil {
		return nil, err
	}
	both := s3.Both{Files: files}
	if url != "" {
		ctx, cancel := context.WithTimeout(ctx, bucketPatience)
		defer cancel()
		if both.S3, err = s3.Open(ctx, url, os.Getenv, sweepGrace, time.Now); err != nil {
			return nil, err
		}
	}
	return both, nil
}

// bucketPatience is how long the start waits for a bucket to answer.
const bucketPatience = 30 * time.Second

func (s *storage) close() error {
	var err error
	if s.logs != nil {
		err = s.logs.Close()
	}
	if s.usage != nil {
		err = errors.Join(err, s.usage.Close())
	}
	if s.events != nil {
		err = errors.Join(err, s.events.Close())
	}
	if s.state != nil {
		err = errors.Join(err, s.state.Close())
	}
	return err
}
