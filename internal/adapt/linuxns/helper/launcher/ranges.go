package launcher

import (
	"sync"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// The ranges of prepared sandboxes lie above those that services are given
// (maxUIDRange of the store is 32000), below 2^31, where some programs stop
// counting.
const (
	firstLent = minHostID + 32001*rangeSize
	lentCount = 730
)

// ranges lends ranges of host ids to prepared sandboxes: in turn, and each to one
// at a time. Nothing of a sandbox is left when its range comes back, neither
// process nor file.
type ranges struct {
	mu   sync.Mutex
	lent [lentCount]bool
	next int
}

// lend returns the first id of a range, or 0 when all are lent.
func (r *ranges) lend() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range lentCount {
		n := r.next
		r.next = (r.next + 1) % lentCount
		if !r.lent[n] {
			r.lent[n] = true
			return firstLent + n*rangeSize
		}
	}
	return 0
}

func (r *ranges) giveBack(base int) {
	if base == 0 {
		return
	}
	r.mu.Lock()
	r.lent[(base-firstLent)/rangeSize] = false
	r.mu.Unlock()
}

// rangeAt maps a range of host ids.
func rangeAt(base int) []ipc.IDMapping {
	return []ipc.IDMapping{{HostID: uint32(base), Size: rangeSize}}
}
