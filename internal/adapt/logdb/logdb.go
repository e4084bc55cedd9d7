// Package logdb keeps log entries in SQLite files of their own, so that logging
// never queues behind a deploy. Entries go to the newest of several segments,
// one file each; retention deletes whole files (docs/adr/0007-logs.md).
//
// A commit survives the death of the process; it is not synced to the disk,
// so the loss of power may cost the last seconds.
package logdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/health"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// Options say how much is kept. The zero value of a field is its default.
type Options struct {
	MaxAge       time.Duration // 7 days; a segment goes when its last entry is that old
	MaxBytes     int64         // of all segments together; 1 GiB
	SegmentAge   time.Duration // one day
	SegmentBytes int64         // a sixteenth of MaxBytes
}

func (o Options) withDefaults() Options {
	if o.MaxAge == 0 {
		o.MaxAge = 7 * 24 * time.Hour
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.SegmentAge == 0 {
		o.SegmentAge = 24 * time.Hour
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = o.MaxBytes / 16
	}
	return o
}

// maxQueries is how many queries run side by side; others wait. Each holds
// several cursors open.
const maxQueries = 8

// Store is the open log. Its methods are safe for concurrent use.
type Store struct {
	dir  string
	now  func() time.Time
	log  *slog.Logger
	opts Options

	queries chan struct{} // holds a token for each query under way

	write  sync.Mutex // held by whoever appends, deletes or rotates
	active *writer    // the newest segment's; nil after a failure, until the next append
	closed bool

	mu       sync.Mutex
	segments []*segment // oldest first
}

var (
	_ logs.Store     = (*Store)(nil)
	_ logs.Directory = (*Store)(nil)
	_ health.Checker = (*Store)(nil)
)

// Open opens the log in dir, which it makes if need be. A damaged segment is
// moved aside, never a reason to fail. The caller owns the result, must Run it
// for retention and Close it.
func Open(ctx context.Context, dir string, now func() time.Time, log *slog.Logger, o Options) (*Store, error) {
	s := &Store{
		dir: dir, now: now, log: log.With("component", "logdb"), opts: o.withDefaults(),
		queries: make(chan struct{}, maxQueries),
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open logs: %w", err)
	}
	if err := s.list(); err != nil {
		return nil, fmt.Errorf("open logs: %w", err)
	}
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.ready(ctx); err != nil {
		return nil, fmt.Errorf("open logs: %w", err)
	}
	return s, nil
}

// list finds the segments that exist.
func (s *Store) list() error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, f := range files { // sorted by name, which is by time
		if begin, ok := parseSegment(f.Name()); ok && f.Type().IsRegular() {
			s.segments = append(s.segments, &segment{begin: begin, path: filepath.Join(s.dir, f.Name()), log: s.log})
		}
	}
	return nil
}

// Run keeps to the retention until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(min(time.Hour, s.opts.SegmentAge))
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "sweep logs", "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// Close closes all files once the writer is done. Queries under way may fail.
func (s *Store) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	s.closed = true
	err := s.seal()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		err = errors.Join(err, seg.close())
	}
	s.segments = nil // nobody opens them again
	return err
}

// hold returns the segments and keeps their files in place until release.
func (s *Store) hold() (segments []*segment, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	segments = slices.Clone(s.segments)
	for _, seg := range segments {
		seg.holders++
	}
	return segments, func() { s.release(segments) }
}

func (s *Store) release(segments []*segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range segments {
		seg.holders--
		s.dispose(seg)
	}
}

// forget takes a segment out of the list; then is done to its files once the
// last query has let go of it.
func (s *Store) forget(seg *segment, then func(path string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.segments, seg)
	if i < 0 {
		return // somebody else was faster
	}
	s.segments = slices.Delete(s.segments, i, i+1)
	seg.then = then
	s.dispose(seg)
}

// dispose ends a forgotten segment that nobody holds; the caller has the lock.
func (s *Store) dispose(seg *segment) {
	if seg.then == nil || seg.holders > 0 {
		return
	}
	if err := errors.Join(seg.close(), seg.then(seg.path)); err != nil {
		s.log.Error("dispose of log segment", "path", seg.path, "err", err)
	}
	seg.then = nil
}
