package objects

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Options bounds a Service. The zero value is the default.
type Options struct {
	MaxObjectBytes int64 // of one object; 0: 5 GiB
	MaxTotalBytes  int64 // of all objects and unfinished uploads; 0: no limit
	RowBytes       int64 // objects of at most so many bytes are kept beside their metadata; 0: none
	// Inherit gives the document of a new object what that of its bucket says of new
	// ones; nil: nothing.
	Inherit    func(bucket, object []byte) ([]byte, error)
	UploadLife time.Duration // how long a resumable upload may take; 0: 7 days, as Google says
}

// Service is buckets, objects and uploads with Cloud Storage's rules. Its
// methods are safe for concurrent use.
type Service struct {
	store Store
	blobs Blobs
	now   func() time.Time
	log   *slog.Logger
	opts  Options
	quota *quota

	told chan struct{} // there are notices to relay

	mu   sync.Mutex
	last int64 // generation given out last
}

// New returns a Service over store and blobs; Run keeps it tidy.
func New(store Store, blobs Blobs, now func() time.Time, log *slog.Logger, o Options) *Service {
	if o.MaxObjectBytes <= 0 {
		o.MaxObjectBytes = 5 << 30
	}
	if o.UploadLife <= 0 {
		o.UploadLife = 7 * 24 * time.Hour
	}
	return &Service{
		store: scoped{store}, blobs: blobs, now: now, log: log.With("component", "objects"), opts: o,
		quota: &quota{limit: o.MaxTotalBytes, used: store.UsedBytes}, told: make(chan struct{}, 1),
	}
}

const (
	firstTidy   = time.Minute // not while the server starts
	tidyEvery   = 24 * time.Hour
	tidyBatch   = 100
	tidyTimeout = 10 * time.Minute
)

// Run removes expired uploads and blobs that a crash orphaned, soon after the
// start and every day, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	timer := time.NewTimer(firstTidy)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
		if err := s.Tidy(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("tidy objects", "err", err)
		}
		timer.Reset(tidyEvery)
	}
}

// Tidy removes what has ended: uploads, soft-deleted generations, what lifecycle
// rules say, and blobs without an owner.
func (s *Service) Tidy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tidyTimeout)
	defer cancel()
	expired := errors.Join(s.expireUploads(ctx), s.purge(ctx), s.Tend(ctx))
	swept := s.blobs.Sweep(ctx, func(blob string) (bool, error) { return s.store.BlobInUse(ctx, blob) })
	return errors.Join(expired, swept)
}

// generation returns the number of a new generation: the time in microseconds,
// but above every one given out before and above newest.
func (s *Service) generation(newest int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.now().UnixMicro(), s.last+1, newest+1)
	return s.last
}

// free deletes blobs whose metadata is gone. What fails is swept later.
func (s *Service) free(ctx context.Context, blobs ...string) {
	ctx = context.WithoutCancel(ctx)
	for _, blob := range blobs {
		if blob == "" {
			continue
		}
		if err := s.blobs.Delete(ctx, blob); err != nil {
			s.log.Warn("delete blob", "err", err)
		}
	}
}
