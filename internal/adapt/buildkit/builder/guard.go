package builder

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A build that fills the disk would stop everything else on the machine.
const (
	guardPeriod  = 200 * time.Millisecond
	reserveBytes = 1 << 30 // what has to stay free whatever a build may write
)

// diskGuard ends a build that writes more than it may. It looks at what is free
// on the file system, which costs nothing; what others write meanwhile counts
// too.
type diskGuard struct {
	dir   string
	limit int64 // 0: none
	stop  func(error)
}

type diskFull struct{ message string }

func (d *diskFull) Error() string { return d.message }

// watch runs until done is closed.
func (g *diskGuard) watch(done <-chan struct{}) {
	before, err := freeBytes(g.dir)
	if err != nil {
		return
	}
	tick := time.NewTicker(guardPeriod)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		now, err := freeBytes(g.dir)
		if err != nil {
			return
		}
		if full := g.judge(before, now); full != nil {
			g.stop(full)
			return
		}
	}
}

// judge compares what was free at the beginning with what is.
func (g *diskGuard) judge(before, now int64) error {
	switch {
	case g.limit > 0 && before-now > g.limit:
		return &diskFull{fmt.Sprintf("the build wrote more than %d MiB to the disk, which is its limit", g.limit>>20)}
	case now < reserveBytes && now < before:
		return &diskFull{fmt.Sprintf("the disk is full but for %d MiB: a build may not take the rest", now>>20)}
	}
	return nil
}

func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
