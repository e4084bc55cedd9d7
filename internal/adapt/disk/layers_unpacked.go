package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

var _ layers.Unpacked = (*Layers)(nil)

// Layers of container images are in directories of the server's, whose files
// belong to another user:
//
//	image/<hex of the diff id>/layer.json   sunya.Layer
//	image/<hex of the diff id>/fs/          the files
const (
	imageStage = "image-" // what the names of their stages begin with
	filesDir   = "fs"
	layerFile  = "layer.json"
)

func (l *Layers) unpacked() string { return filepath.Join(l.dir, "image") }

// SetRemover says who removes the files of unpacked layers; without one the
// server does, as it may where it is the only user. Call it before Collect.
func (l *Layers) SetRemover(r layers.Remover) { l.remover = r }

// Unpacked implements layers.Unpacked.
func (l *Layers) Unpacked(ctx context.Context, diffID string) (sunya.Layer, bool, error) {
	if err := ctx.Err(); err != nil {
		return sunya.Layer{}, false, err
	}
	hex, err := hexOf(diffID)
	if err != nil {
		return sunya.Layer{}, false, err
	}
	dir := filepath.Join(l.unpacked(), hex)
	data, err := os.ReadFile(filepath.Join(dir, layerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return sunya.Layer{}, false, nil
	}
	if err != nil {
		return sunya.Layer{}, false, fmt.Errorf("find unpacked layer: %w", err)
	}
	var layer sunya.Layer
	if err := json.Unmarshal(data, &layer); err != nil {
		return sunya.Layer{}, false, fmt.Errorf("read %s of layer %s: %w", layerFile, diffID, err)
	}
	if l.touchDir(dir) != nil { // collected in this moment
		return sunya.Layer{}, false, nil
	}
	return layer, true, nil
}

func (l *Layers) touchDir(dir string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	return os.Chtimes(dir, now, now)
}

// StageUnpacked implements layers.Unpacked.
func (l *Layers) StageUnpacked(ctx context.Context) (layers.Stage, error) {
	if err := ctx.Err(); err != nil {
		return layers.Stage{}, err
	}
	dir, err := os.MkdirTemp(l.tmp(), imageStage)
	if err != nil {
		return layers.Stage{}, fmt.Errorf("stage unpacked layer: %w", err)
	}
	s := layers.Stage{Dir: dir, Files: filepath.Join(dir, filesDir)}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(s.Files, 0o755)); err != nil {
		return layers.Stage{}, errors.Join(fmt.Errorf("stage unpacked layer: %w", err), os.RemoveAll(dir))
	}
	return s, nil
}

// CommitUnpacked implements layers.Unpacked.
func (l *Layers) CommitUnpacked(ctx context.Context, s layers.Stage, layer sunya.Layer) (sunya.Layer, error) {
	hex, err := hexOf(layer.Digest)
	if err == nil {
		err = l.checkStage(s.Dir)
	}
	if err != nil {
		return sunya.Layer{}, err
	}
	data, err := json.Marshal(layer)
	if err != nil {
		return sunya.Layer{}, err
	}
	if err := os.WriteFile(filepath.Join(s.Dir, layerFile), data, 0o644); err != nil {
		return sunya.Layer{}, fmt.Errorf("commit unpacked layer: %w", err)
	}
	if err := syncFS(s.Dir); err != nil {
		return sunya.Layer{}, err
	}
	there, err := l.place(s.Dir, filepath.Join(l.unpacked(), hex))
	if err != nil {
		return sunya.Layer{}, fmt.Errorf("commit unpacked layer: %w", err)
	}
	if there {
		return layer, l.DiscardUnpacked(ctx, s)
	}
	return layer, nil
}

// place renames a complete stage; there says that another was first.
func (l *Layers) place(dir, dst string) (there bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if err := os.Chtimes(dir, now, now); err != nil {
		return false, err
	}
	if err := os.Rename(dir, dst); err != nil {
		if _, statErr := os.Lstat(dst); statErr == nil {
			return true, os.Chtimes(dst, now, now)
		}
		return false, err
	}
	return false, l.syncDir(l.unpacked())
}

// DiscardUnpacked implements layers.Unpacked.
func (l *Layers) DiscardUnpacked(ctx context.Context, s layers.Stage) error {
	if err := l.checkStage(s.Dir); err != nil {
		return err
	}
	return l.removeUnpacked(ctx, []string{s.Dir})
}

// removeUnpacked removes stages or layers that nobody finds any more.
func (l *Layers) removeUnpacked(ctx context.Context, dirs []string) error {
	if len(dirs) == 0 {
		return nil
	}
	if l.remover != nil {
		var files []string
		for _, dir := range dirs {
			if _, err := os.Lstat(filepath.Join(dir, filesDir)); err == nil {
				files = append(files, filepath.Join(dir, filesDir))
			}
		}
		if err := l.remover.Empty(ctx, files); err != nil {
			return err
		}
	}
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, tree.Remove(dir))
	}
	return errors.Join(errs...)
}

// collectUnpacked removes the layers of images that keep does not hold.
func (l *Layers) collectUnpacked(ctx context.Context, keep map[string]bool) error {
	entries, err := os.ReadDir(l.unpacked())
	if err != nil {
		return fmt.Errorf("collect unpacked layers: %w", err)
	}
	var gone []string
	for _, e := range entries {
		if keep["sha256:"+e.Name()] {
			continue
		}
		dir, err := l.hideUnpacked(e.Name())
		if err != nil {
			return fmt.Errorf("collect unpacked layer %s: %w", e.Name(), err)
		}
		if dir != "" {
			gone = append(gone, dir)
		}
	}
	return l.removeUnpacked(ctx, gone)
}

// hideUnpacked moves one old layer out of sight and returns where it is; empty:
// it is not old enough.
func (l *Layers) hideUnpacked(name string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	src := filepath.Join(l.unpacked(), name)
	fi, err := os.Lstat(src)
	if err != nil || l.now().Sub(fi.ModTime()) < l.grace {
		return "", err
	}
	dst, err := os.MkdirTemp(l.tmp(), imageStage)
	if err != nil {
		return "", err
	}
	// The name is this store's until it is used: nothing else writes here.
	return dst, errors.Join(os.Remove(dst), os.Rename(src, dst))
}

// sweepUnpacked removes what a crash left of unpacking and of removing.
func (l *Layers) sweepUnpacked(ctx context.Context) error {
	left, err := filepath.Glob(filepath.Join(l.dir, "old-*", imageStage+"*"))
	return errors.Join(err, l.removeUnpacked(ctx, left))
}

func hexOf(digest string) (string, error) {
	hex, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || !hexRE.MatchString(hex) {
		return "", sunya.Errorf(sunya.InvalidArgument, digest, "not a layer digest: want sha256 and 64 hex digits")
	}
	return hex, nil
}
