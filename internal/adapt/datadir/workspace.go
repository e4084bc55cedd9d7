package datadir

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// clearBuilds removes the workspaces that a killed server left. A deployment
// that continues builds in a new one.
func (d *Dir) clearBuilds() error {
	left, err := filepath.Glob(d.Join("builds", "*"))
	if err != nil {
		return fmt.Errorf("list workspaces: %w", err)
	}
	for _, dir := range left {
		if err := tree.Remove(dir); err != nil {
			return fmt.Errorf("clear workspace: %w", err)
		}
	}
	return nil
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
