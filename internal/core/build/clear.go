package build

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// clears reads GOOGLE_CLEAR_SOURCE: whether the source leaves the image once
// it is built. A program may read its source's files unless it says so.
func (j *Job) clears() (bool, error) {
	v := j.Spec.Env["GOOGLE_CLEAR_SOURCE"]
	if v == "" {
		return false, nil
	}
	clear, err := strconv.ParseBool(v)
	if err != nil {
		return false, failed(nil, "GOOGLE_CLEAR_SOURCE: %q is neither true nor false", v)
	}
	return clear, nil
}

// clearSource empties a folder but for some of its entries.
func clearSource(dir string, keep ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("clear source: %w", err)
	}
	for _, e := range entries {
		if slices.Contains(keep, e.Name()) {
			continue
		}
		if err := tree.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("clear source: %w", err)
		}
	}
	return nil
}
