package room

import "time"

// use is what is known of a revision.
type use struct {
	key     string
	limit   int64 // bytes that one instance may use; 0: no limit
	seen    int64 // the most that one was seen to use
	live    int   // instances, with those that boot and those that leave
	leaving int
	boots   int
	wants   int // starts that wait in line
	since   time.Time
}

// The estimates.
const (
	headroom     = 4         // one part in so many is added to what was seen
	unseen       = 4         // one part in so many of a limit is taken for what was not seen
	unseenUse    = 128 << 20 // without a limit
	leastUse     = 4 << 20
	rememberUses = 4096 // revisions without instances whose use is remembered
)

// estimate is what one more instance is likely to use.
func (u *use) estimate() int64 {
	need := u.seen + u.seen/headroom
	switch {
	case u.seen == 0 && u.limit > 0:
		need = u.limit / unseen
	case u.seen == 0:
		need = unseenUse
	}
	if u.limit > 0 {
		need = min(need, u.limit)
	}
	return max(need, leastUse)
}

// Seen says how many bytes an instance uses.
func (r *Room) Seen(key string, bytes int64) {
	u := r.uses[key]
	if u == nil || bytes <= u.seen {
		return
	}
	r.count(u, -1)
	u.seen = bytes
	r.count(u, 1)
}

// count adds what u takes to the sums, or takes it off.
func (r *Room) count(u *use, sign int64) {
	each := sign * u.estimate()
	r.taken += each * int64(u.live)
	r.leaving += each * int64(u.leaving)
	r.promised += each * int64(u.boots)
}

// Leaving says that an instance is being stopped.
func (r *Room) Leaving(key string) {
	if u := r.uses[key]; u != nil && u.leaving < u.live {
		u.leaving++
		r.leaving += u.estimate()
	}
}

// forget drops what is known of a revision without instances, when too many are
// remembered: any one of them.
func (r *Room) forget(u *use) {
	if u.live+u.wants > 0 || u.seen > 0 && len(r.uses) <= rememberUses {
		return
	}
	delete(r.uses, u.key)
}
