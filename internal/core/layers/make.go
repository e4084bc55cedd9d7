package layers

import (
	"context"
	"errors"

	"github.com/sunya-cloud/sunya"
)

// Make returns the layer that a cache key stands for: the one made before, or
// what fill leaves in an empty directory. made says which.
func Make(ctx context.Context, s Store, key string, fill func(dir string) error) (l sunya.Layer, made bool, err error) {
	l, ok, err := s.Lookup(ctx, key)
	if ok || err != nil {
		return l, false, err
	}
	dir, err := s.Stage(ctx)
	if err != nil {
		return sunya.Layer{}, false, err
	}
	if err := fill(dir); err != nil {
		return sunya.Layer{}, false, errors.Join(err, s.Discard(dir))
	}
	if l, err = s.Commit(ctx, dir); err != nil {
		return sunya.Layer{}, false, err
	}
	return l, true, s.Remember(ctx, key, l)
}
