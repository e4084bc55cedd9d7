package watch

import (
	"context"
	"io/fs"
	"time"
)

// Pace is how often files are looked at where the kernel does not tell.
const Pace = 500 * time.Millisecond

// snapshot is what is known of each file, by path.
type snapshot map[string]looks

// looks are what changes when a file does.
type looks struct {
	mode fs.FileMode
	size int64
	time int64 // of the last change of content, in ns
}

func (w *Watcher) poll(ctx context.Context, changed func(string)) error {
	tick := time.NewTicker(Pace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		now, err := w.look()
		if err != nil {
			now = nil // the directory is away, or not readable: it may come back
		}
		switch {
		case now == nil:
		case w.files == nil: // what happened in between is not known
			changed(w.root)
		default:
			now.compare(w.files, changed)
		}
		w.files = now
	}
}

func (w *Watcher) look() (snapshot, error) {
	s := snapshot{}
	err := w.walk(w.root, func(path string, d fs.DirEntry) error {
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err == nil {
			s[path] = looks{info.Mode(), info.Size(), info.ModTime().UnixNano()}
		}
		return err
	})
	return s, err
}

func (s snapshot) compare(before snapshot, changed func(string)) {
	for path, l := range s {
		if old, ok := before[path]; !ok || old != l {
			changed(path)
		}
	}
	for path := range before {
		if _, ok := s[path]; !ok {
			changed(path)
		}
	}
}
