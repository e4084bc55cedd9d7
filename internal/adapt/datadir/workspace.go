package datadir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// setAside takes the workspaces that a killed server left out of the way. They
// may be large, and the builds that wrote them may still run, so that Sweep
// removes them later. A deployment that continues builds in a new one.
func (d *Dir) setAside() error {
	left, err := filepath.Glob(d.Join("builds", "*"))
	if err != nil || len(left) == 0 {
		return err
	}
	if err := os.Rename(d.Join("builds"), d.Join(fmt.Sprintf("builds.old-%d", time.Now().UnixNano()))); err != nil {
		return fmt.Errorf("set old workspaces aside: %w", err)
	}
	return nil
}

// Sweep removes what setAside has left. Call it once no sandbox of an earlier
// server builds any more.
func (d *Dir) Sweep(ctx context.Context) error {
	old, err := filepath.Glob(d.Join("builds.old-*"))
	for _, dir := range old {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = errors.Join(err, tree.Remove(dir))
	}
	return err
}

// Create makes the workspace of one build: an empty directory beneath the data
// directory. One that is there already belongs to an attempt that died.
func (d *Dir) Create(id string) (string, error) {
	dir := d.Join("builds", id)
	if err := tree.Remove(dir); err != nil {
		return "", fmt.Errorf("clear workspace: %w", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("make workspace: %w", err)
	}
	return dir, nil
}

// Remove deletes a workspace; one that is gone is not an error.
func (d *Dir) Remove(dir string) error { return tree.Remove(dir) }
