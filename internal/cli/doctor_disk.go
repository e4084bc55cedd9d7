package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/health"
)

// existing returns path, or the nearest directory above it that exists.
func existing(path string) string {
	for {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path
		}
		up := filepath.Dir(path)
		if up == path {
			return path
		}
		path = up
	}
}

// minFree is the share of free space below which a disk counts as nearly full.
const minFree = 10 // per cent

func checkDisk(dataDir string) health.Check {
	dir := existing(dataDir)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return warning("disk", fmt.Sprintf("%s: %v", dir, err), "")
	}
	free := int64(st.Bavail) * st.Bsize
	detail := fmt.Sprintf("%v free for %s", sunya.Bytes(free), dataDir)
	switch {
	case st.Blocks == 0:
		return ok("disk", detail)
	case st.Bavail == 0:
		return fail("disk", detail, "free some space, or choose another place with --data")
	case st.Bavail*100/st.Blocks < minFree:
		return warning("disk", fmt.Sprintf("%s, less than %d %%", detail, minFree), "free some space, or choose another place with --data")
	}
	return ok("disk", detail)
}

const (
	syncTries = 20
	slowSync  = 20 * time.Millisecond
)

// checkSync measures what one durable write costs. Where the directory is not
// ours to write to, its owner's server is asked instead.
func checkSync(dataDir string) health.Check {
	f, err := os.CreateTemp(existing(dataDir), ".sunya-doctor-")
	if err != nil {
		return ok("disk sync", "not measured: "+dataDir+" is not writable for this user")
	}
	defer os.Remove(f.Name())
	defer f.Close()
	took := make([]time.Duration, syncTries)
	for i := range took {
		began := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return fail("disk sync", err.Error(), "free some space")
		}
		if err := f.Sync(); err != nil {
			return fail("disk sync", err.Error(), "check the disk")
		}
		took[i] = time.Since(began)
	}
	worst := slices.Max(took)
	if worst > slowSync {
		return warning("disk sync", fmt.Sprintf("the slowest of %d durable writes took %v", syncTries, worst.Round(time.Millisecond)),
			"every acknowledged change waits for this: use a faster disk for --data")
	}
	return ok("disk sync", fmt.Sprintf("the slowest of %d durable writes took %v", syncTries, worst.Round(10*time.Microsecond)))
}
