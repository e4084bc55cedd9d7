package pubsub

import (
	"sort"
	"time"
)

// FirstSince finds the first message that was published at t or later among those
// from first to before next, or next, by halving: times do not fall. at returns
// when the first message at or after a sequence number was published; false: there
// is none. It is for stores.
func FirstSince(first, next int64, t time.Time, at func(seq int64) (time.Time, bool, error)) (int64, error) {
	var failed error
	n := sort.Search(int(next-first), func(i int) bool {
		when, ok, err := at(first + int64(i))
		if err != nil {
			failed = err
		}
		return !ok || !when.Before(t)
	})
	return first + int64(n), failed
}
