package logdb

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// damagedDir is where damaged segments are moved.
const damagedDir = "damaged"

// Sweep begins a new segment when the last one is old enough and deletes what
// is over the retention; a new segment does that too. Queries under way keep
// what they read until they end.
func (s *Store) Sweep(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.closed {
		return nil
	}
	if err := s.ready(ctx); err != nil { // a quiet log's last segment ages too
		return err
	}
	s.trim(ctx)
	return nil
}

// trim deletes what is over the retention.
func (s *Store) trim(ctx context.Context) {
	for _, seg := range s.surplus() {
		s.log.InfoContext(ctx, "delete old logs", "path", seg.path)
		s.forget(seg, func(path string) error { return eachFile(path, os.Remove) })
	}
}

// surplus returns the segments to delete: those whose successor was begun
// no later than the oldest time to keep, and the oldest while all are too large
// together. The newest always stays.
func (s *Store) surplus() []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := s.now().Add(-s.opts.MaxAge)
	var total int64
	sizes := make([]int64, len(s.segments))
	for i, seg := range s.segments {
		sizes[i] = size(seg.path)
		total += sizes[i]
	}
	n := 0
	for n < len(s.segments)-1 && (total > s.opts.MaxBytes || !s.segments[n+1].begin.After(oldest)) {
		total -= sizes[n]
		n++
	}
	return append([]*segment(nil), s.segments[:n]...)
}

func size(path string) (n int64) {
	_ = eachFile(path, func(p string) error {
		info, err := os.Stat(p)
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n
}

// quarantine takes a damaged segment out of service and moves it aside, where
// Check finds it.
func (s *Store) quarantine(seg *segment, cause error) {
	s.log.Error("log segment is damaged: moved aside", "path", seg.path, "err", cause)
	s.forget(seg, func(path string) error {
		dir := filepath.Join(s.dir, damagedDir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		return eachFile(path, func(p string) error { return os.Rename(p, filepath.Join(dir, filepath.Base(p))) })
	})
}

// damagedFiles are the segments that were moved aside.
func (s *Store) damagedFiles() ([]string, error) {
	files, err := os.ReadDir(filepath.Join(s.dir, damagedDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, f := range files {
		if _, ok := parseSegment(f.Name()); ok {
			names = append(names, f.Name())
		}
	}
	return names, err
}
