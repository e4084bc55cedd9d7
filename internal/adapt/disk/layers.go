// Package disk keeps bytes on a file system of this machine: blobs, and the
// unpacked layers that images are made of. What it has acknowledged is synced.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// Layers keeps unpacked layers in one directory:
//
//	sha256/<hex>/   a complete layer
//	image/<hex>/    a layer of a container image, unpacked
//	index/<key>     what a cache key was built into, JSON
//	tmp/            stages; set aside at the next start
//	old-<time>/     stages of a server that is gone, until the next Collect
//
// It implements layers.Store and is safe for concurrent use.
type Layers struct {
	dir   string
	grace time.Duration
	now   func() time.Time

	remover layers.Remover // nil: the server itself

	mu sync.Mutex // orders renames into and out of sha256/
}

var _ layers.Store = (*Layers)(nil)

var hexRE = regexp.MustCompile(`^[0-9a-f]{64}$`)

// OpenLayers opens the store in dir, which is made when missing, and takes the
// stages that a crash left out of the way: the first Collect removes them, when
// no build of an earlier server writes to them any more. Collect spares what was committed or looked up
// less than grace ago.
func OpenLayers(dir string, grace time.Duration, now func() time.Time) (*Layers, error) {
	l := &Layers{dir: dir, grace: grace, now: now}
	err := os.Rename(l.tmp(), filepath.Join(l.dir, fmt.Sprintf("old-%d", time.Now().UnixNano())))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("set old stages aside: %w", err)
	}
	for _, d := range []string{l.tmp(), l.complete(), l.unpacked(), l.index()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("open layers: %w", err)
		}
	}
	return l, nil
}

func (l *Layers) tmp() string      { return filepath.Join(l.dir, "tmp") }
func (l *Layers) complete() string { return filepath.Join(l.dir, "sha256") }
func (l *Layers) index() string    { return filepath.Join(l.dir, "index") }

// Stage makes an empty directory on the file system of the layers.
func (l *Layers) Stage(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(l.tmp(), "stage-")
	if err != nil {
		return "", fmt.Errorf("stage layer: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", fmt.Errorf("stage layer: %w", err)
	}
	return dir, nil
}

// Discard removes a stage. A stage that is gone is not an error.
func (l *Layers) Discard(dir string) error {
	if err := l.checkStage(dir); err != nil {
		return err
	}
	return tree.Remove(dir)
}

// Commit hashes the stage, syncs it and renames it into place. Special files
// and set-id bits are InvalidArgument: no layer of ours needs them.
func (l *Layers) Commit(ctx context.Context, dir string) (sunya.Layer, error) {
	if err := l.checkStage(dir); err != nil {
		return sunya.Layer{}, err
	}
	sum, err := hashTree(ctx, dir)
	if err != nil {
		return sunya.Layer{}, errors.Join(fmt.Errorf("hash layer: %w", err), tree.Remove(dir))
	}
	if err := l.publish(dir, sum); err != nil {
		return sunya.Layer{}, errors.Join(fmt.Errorf("commit layer: %w", err), tree.Remove(dir))
	}
	return sunya.Layer{Digest: "sha256:" + sum.hex, Bytes: sum.bytes}, nil
}

// publish makes the stage the layer of its digest, or drops it when there is
// one already.
func (l *Layers) publish(dir string, sum treeSum) error {
	dst := filepath.Join(l.complete(), sum.hex)
	if _, err := os.Lstat(dst); err == nil {
		return errors.Join(l.touch(sum.hex), tree.Remove(dir))
	}
	if err := syncTree(dir, sum.files); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if err := os.Chtimes(dir, now, now); err != nil {
		return err
	}
	if err := os.Rename(dir, dst); err != nil {
		if _, there := os.Lstat(dst); there == nil { // another Commit was first
			return tree.Remove(dir)
		}
		return err
	}
	return l.syncDir(l.complete())
}

// touch marks a layer as used now, so that Collect spares it for the grace.
func (l *Layers) touch(hex string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	return os.Chtimes(filepath.Join(l.complete(), hex), now, now)
}

// Path returns where a layer is unpacked; NotFound when it is not.
func (l *Layers) Path(digest string) (string, error) {
	hex, err := hexOf(digest)
	if err != nil {
		return "", err
	}
	for _, p := range []string{filepath.Join(l.complete(), hex), filepath.Join(l.unpacked(), hex, filesDir)} {
		_, err := os.Lstat(p)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find layer: %w", err)
		}
	}
	return "", sunya.Errorf(sunya.NotFound, digest, "layer is not on this machine: deploy again")
}

// checkStage reports whether dir is directly under the store's stages, so that
// no caller's mistake removes anything else.
func (l *Layers) checkStage(dir string) error {
	if filepath.Dir(filepath.Clean(dir)) != filepath.Clean(l.tmp()) {
		return fmt.Errorf("%q is not a stage of this store", dir)
	}
	return nil
}
