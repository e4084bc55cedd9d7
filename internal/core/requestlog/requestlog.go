// Package requestlog writes one log entry for each request that is over, in
// the form of Google's load balancers: an httpRequest, and a text where
// something went wrong.
//
// On the request path a request only becomes some eighty bytes at the end of a
// buffer. The buffers go to the store as packs, many requests at once; they
// become entries when somebody reads or follows the log.
package requestlog

import (
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// Name gives the log and the resource of a revision's requests.
type Name func(rev *sunya.Revision) (log string, res logs.Resource)

// maxPending is how many bytes wait for the store, over all shards; what comes
// then is dropped and counted. It is some 200,000 requests.
const maxPending = 16 << 20

// Log is the observer that writes the request log.
type Log struct {
	name   Name
	wake   func()
	room   int // bytes that a shard holds at most
	shards []shard
}

var (
	_ served.Observer = (*Log)(nil)
	_ logs.Backlog    = (*Log)(nil)
)

// New returns a Log. It calls wake, which must not block, when there is
// something to Take after there was nothing.
func New(name Name, wake func()) *Log {
	n := 1
	for n < runtime.GOMAXPROCS(0) {
		n *= 2
	}
	return &Log{name: name, wake: wake, room: maxPending / n, shards: make([]shard, n)}
}

// shard is a part of the requests, so that processors seldom wait for each
// other.
type shard struct {
	mu    sync.Mutex
	runs  map[*sunya.Revision]*run
	last  *run // the one used last
	bytes int
	lost  map[string]int64 // by project

	_ [64]byte // the next shard's lock is on another cache line
}

// run is requests of one revision, as they came.
type run struct {
	encoder
	rev *sunya.Revision
	span
}

// Observe implements served.Observer.
func (l *Log) Observe(r *served.Request) {
	s := l.lock()
	defer s.mu.Unlock()
	if s.bytes >= l.room {
		s.drop(r.Revision.Project)
		return
	}
	run := s.run(r.Revision)
	before := len(run.buf)
	run.add(r)
	run.note(r)
	if s.bytes == 0 {
		l.wake()
	}
	s.bytes += len(run.buf) - before
}

// lock returns a shard that nobody else holds, if there is one.
func (l *Log) lock() *shard {
	n := uint32(len(l.shards))
	first := rand.Uint32()
	for i := range n {
		if s := &l.shards[(first+i)%n]; s.mu.TryLock() {
			return s
		}
	}
	s := &l.shards[first%n]
	s.mu.Lock()
	return s
}

func (s *shard) run(rev *sunya.Revision) *run {
	if s.last != nil && s.last.rev == rev {
		return s.last
	}
	r := s.runs[rev]
	if r == nil {
		if s.runs == nil {
			s.runs = map[*sunya.Revision]*run{}
		}
		r = &run{rev: rev}
		s.runs[rev] = r
	}
	s.last = r
	return r
}

func (s *shard) drop(project string) {
	if s.lost == nil {
		s.lost = map[string]int64{}
	}
	s.lost[project]++
}

// take empties the shard.
func (s *shard) take() (runs map[*sunya.Revision]*run, lost map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs, lost = s.runs, s.lost
	s.runs, s.lost, s.last, s.bytes = nil, nil, nil, 0
	return runs, lost
}

// Take implements logs.Backlog.
func (l *Log) Take() (packs []logs.Pack, lost map[string]int64) {
	all := map[*sunya.Revision]*run{}
	for i := range l.shards {
		runs, dropped := l.shards[i].take()
		for rev, r := range runs {
			if first := all[rev]; first != nil {
				first.join(r)
			} else {
				all[rev] = r
			}
		}
		lost = add(lost, dropped)
	}
	for rev, r := range all {
		head := logs.Pack{}
		head.LogName, head.Resource = l.name(rev)
		packs = append(packs, r.pack(head)...)
	}
	return packs, lost
}

func add(sum, more map[string]int64) map[string]int64 {
	if sum == nil {
		return more
	}
	out := maps.Clone(sum)
	for project, n := range more {
		out[project] += n
	}
	return out
}

// join appends what another shard has of the same revision.
func (r *run) join(other *run) {
	r.buf = append(r.buf, other.buf...) // which begins afresh
	r.span.join(other.span)
}
