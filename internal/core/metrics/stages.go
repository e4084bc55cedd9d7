package metrics

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Stage is a stage of long work that is over: of a deployment or a build.
type Stage struct {
	Work  string // deployment or build
	Name  string // building, starting
	State string // done or failed
}

// stages counts them. The zero value is empty.
type stages struct {
	mu  sync.Mutex
	all map[Stage]*Distribution
}

// CountStage counts a stage that is over. There are few different ones.
func (g *Registry) CountStage(s Stage, took time.Duration) {
	g.stages.mu.Lock()
	defer g.stages.mu.Unlock()
	if g.stages.all == nil {
		g.stages.all = map[Stage]*Distribution{}
	}
	d := g.stages.all[s]
	if d == nil {
		d = &Distribution{}
		g.stages.all[s] = d
	}
	took = max(took, 0)
	d.Counts[bucket(took)]++
	d.Sum += took
}

// StageTimes is how long a stage took.
type StageTimes struct {
	Stage
	Distribution
}

// Stages returns the stages that there were since the start of the server.
func (g *Registry) Stages() []StageTimes {
	g.stages.mu.Lock()
	defer g.stages.mu.Unlock()
	var out []StageTimes
	for s, d := range g.stages.all {
		out = append(out, StageTimes{s, *d})
	}
	slices.SortFunc(out, func(a, b StageTimes) int {
		return cmp.Or(cmp.Compare(a.Work, b.Work), cmp.Compare(a.Name, b.Name), cmp.Compare(a.State, b.State))
	})
	return out
}
