package launcher

import (
	"slices"
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

// ranges lends ranges of host ids to prepared sandboxes, each to one at a time.
// Nothing of a sandbox is left when its range comes back, neither process nor
// file. The lowest that is free comes first: each range in use costs a user
// namespace that is kept (idmaps), and making one costs a start its time.
type ranges struct {
	mu   sync.Mutex
	lent [lentCount]bool
}

// lend returns the first id of a range, or 0 when all are lent.
func (r *ranges) lend() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := slices.Index(r.lent[:], false)
	if n < 0 {
		return 0
	}
	r.lent[n] = true
	return firstLent + n*rangeSize
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
