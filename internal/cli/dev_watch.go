package cli

import (
	"path/filepath"

	"github.com/sunya-cloud/sunya/internal/cli/watch"
	"github.com/sunya-cloud/sunya/internal/core/dev"
)

// watch begins to watch every source. What changes from now on is seen.
func (s *devSession) watch() ([]*watch.Watcher, error) {
	var watchers []*watch.Watcher
	for _, root := range dev.Roots(s.sources()) {
		w, err := watch.New(root, watch.Options{
			Poll: s.opts.poll,
			Skip: func(path string, dir bool) bool {
				return dev.Scratch(path) || s.ignored(filepath.Join(root, filepath.FromSlash(path)), dir)
			},
			Fallback: func(cause error) {
				s.env.warnf("the kernel does not watch %s (%v): looking at its files twice a second instead", root, cause)
			},
		})
		if err != nil {
			return nil, err
		}
		watchers = append(watchers, w)
	}
	return watchers, nil
}

func (s *devSession) sources() []dev.Source {
	var out []dev.Source
	for _, svc := range s.services {
		out = append(out, svc.source)
	}
	return out
}

// changed hands a change to the services that it belongs to.
func (s *devSession) changed(path string) {
	for _, i := range dev.Owners(s.sources(), path) {
		s.services[i].changed(path)
	}
}

// ignored reports whether a path is in no service's source. A directory that
// holds a service is looked into whatever the service around it ignores.
func (s *devSession) ignored(path string, dir bool) bool {
	for _, svc := range s.services {
		if path == svc.source.Descriptor || dir && dev.Inside(path, svc.source.Dir) {
			return false
		}
	}
	for _, i := range dev.Owners(s.sources(), path) {
		if !s.services[i].ignored(path, dir) {
			return false
		}
	}
	return true
}
