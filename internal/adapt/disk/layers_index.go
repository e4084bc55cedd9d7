package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// Lookup returns what key was built into, if that layer is still here, and
// keeps Collect from it for the grace. An entry that cannot be read counts as
// none: it is only a cache.
func (l *Layers) Lookup(ctx context.Context, key string) (sunya.Layer, bool, error) {
	if err := ctx.Err(); err != nil {
		return sunya.Layer{}, false, err
	}
	layer, ok, err := l.readIndex(key)
	if err != nil {
		return sunya.Layer{}, false, fmt.Errorf("look up layer: %w", err)
	}
	if !ok || l.touch(layer.Digest[len("sha256:"):]) != nil { // or collected in this moment
		return sunya.Layer{}, false, nil
	}
	return layer, true, nil
}

func (l *Layers) readIndex(key string) (layer sunya.Layer, ok bool, err error) {
	if !hexRE.MatchString(key) {
		return layer, false, fmt.Errorf("%q is not a cache key", key)
	}
	data, err := os.ReadFile(filepath.Join(l.index(), key))
	if errors.Is(err, fs.ErrNotExist) {
		return layer, false, nil
	}
	if err != nil {
		return layer, false, err
	}
	if json.Unmarshal(data, &layer) != nil {
		return layer, false, nil
	}
	_, err = l.Path(layer.Digest)
	return layer, err == nil, nil
}

// Remember notes what key was built into, durably.
func (l *Layers) Remember(ctx context.Context, key string, layer sunya.Layer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !hexRE.MatchString(key) {
		return fmt.Errorf("remember layer: %q is not a cache key", key)
	}
	data, err := json.Marshal(layer)
	if err != nil {
		return fmt.Errorf("remember layer: %w", err)
	}
	if err := l.writeIndex(key, data); err != nil {
		return fmt.Errorf("remember layer: %w", err)
	}
	return nil
}

func (l *Layers) writeIndex(key string, data []byte) error {
	f, err := os.CreateTemp(l.tmp(), "index-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(l.index(), key))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return l.syncDir(l.index())
}

// Collect removes the layers that keep does not hold and that were neither
// committed nor looked up within the grace, and the cache keys that led to
// them.
func (l *Layers) Collect(ctx context.Context, keep map[string]bool) error {
	if err := l.sweepUnpacked(ctx); err != nil {
		return fmt.Errorf("collect old stages of images: %w", err)
	}
	if err := l.sweep(ctx); err != nil {
		return fmt.Errorf("collect old stages: %w", err)
	}
	if err := l.collectUnpacked(ctx, keep); err != nil {
		return err
	}
	entries, err := os.ReadDir(l.complete())
	if err != nil {
		return fmt.Errorf("collect layers: %w", err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if keep["sha256:"+e.Name()] {
			continue
		}
		if err := l.collect(e.Name()); err != nil {
			return fmt.Errorf("collect layer %s: %w", e.Name(), err)
		}
	}
	return l.pruneIndex()
}

// sweep removes the stages that OpenLayers has set aside.
func (l *Layers) sweep(ctx context.Context) error {
	old, err := filepath.Glob(filepath.Join(l.dir, "old-*"))
	for _, dir := range old {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = errors.Join(err, tree.Remove(dir))
	}
	return err
}

// collect moves one old layer out of sight in one rename and removes it then.
func (l *Layers) collect(name string) error {
	gone, err := l.unpublish(name)
	if err != nil || gone == "" {
		return err
	}
	return tree.Remove(gone)
}

func (l *Layers) unpublish(name string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	src := filepath.Join(l.complete(), name)
	fi, err := os.Lstat(src)
	if err != nil || l.now().Sub(fi.ModTime()) < l.grace {
		return "", err
	}
	dst, err := os.MkdirTemp(l.tmp(), "collect-")
	if err != nil {
		return "", err
	}
	return dst, os.Rename(src, filepath.Join(dst, name))
}

func (l *Layers) pruneIndex() error {
	entries, err := os.ReadDir(l.index())
	if err != nil {
		return fmt.Errorf("collect cache keys: %w", err)
	}
	for _, e := range entries {
		if _, ok, err := l.readIndex(e.Name()); err != nil || ok {
			continue
		}
		if err := os.Remove(filepath.Join(l.index(), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("collect cache keys: %w", err)
		}
	}
	return nil
}
