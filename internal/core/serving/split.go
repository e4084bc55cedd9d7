package serving

import (
	"slices"

	"github.com/sunya-cloud/sunya"
)

// Divide returns the traffic with other targets, dividing the clients so that
// one changes its revision only when its present one has to give it away.
func Divide(now sunya.Traffic, targets []sunya.Target) sunya.Traffic {
	left := map[string]int{}
	for _, t := range targets {
		left[t.Revision] += t.Permille
	}
	owner := owners(order(now))
	for i, rev := range owner {
		if left[rev] == 0 {
			owner[i] = ""
			continue
		}
		left[rev]--
	}
	next := 0
	for i := range owner {
		if owner[i] != "" {
			continue
		}
		for next < len(targets) && left[targets[next].Revision] == 0 {
			next++
		}
		if next < len(targets) {
			owner[i] = targets[next].Revision
			left[owner[i]]--
		}
	}
	now.Targets = slices.Clone(targets)
	now.Order = runs(owner)
	return now
}

// Toward moves at most so many thousandths of the traffic nearer to its goal.
// Once the targets are the goal, there is none any more.
func Toward(now sunya.Traffic, permille int) sunya.Traffic {
	if len(now.Goal) == 0 {
		return now
	}
	goal := map[string]int{}
	for _, t := range now.Goal {
		goal[t.Revision] += t.Permille
	}
	next := slices.Clone(now.Targets)
	for _, t := range now.Goal {
		if !slices.ContainsFunc(next, func(o sunya.Target) bool { return o.Revision == t.Revision }) {
			next = append(next, sunya.Target{Revision: t.Revision})
		}
	}
	freed := 0
	for i := range next {
		give := min(max(next[i].Permille-goal[next[i].Revision], 0), permille-freed)
		next[i].Permille -= give
		freed += give
	}
	for i := range next {
		take := min(max(goal[next[i].Revision]-next[i].Permille, 0), freed)
		next[i].Permille += take
		freed -= take
	}
	next = slices.DeleteFunc(next, func(t sunya.Target) bool { return t.Permille == 0 })
	out := Divide(now, next)
	if arrived(next, goal) {
		out.Goal = nil
	}
	return out
}

func arrived(targets []sunya.Target, goal map[string]int) bool {
	return !slices.ContainsFunc(targets, func(t sunya.Target) bool { return goal[t.Revision] != t.Permille })
}

// order is how a split divides its clients. An Order that does not add up to
// the targets, as a record of another server's might, counts for nothing.
func order(t sunya.Traffic) []sunya.Target {
	sum := map[string]int{}
	for _, o := range t.Order {
		sum[o.Revision] += o.Permille
	}
	for _, target := range t.Targets {
		sum[target.Revision] -= target.Permille
	}
	for _, rest := range sum {
		if rest != 0 {
			return t.Targets
		}
	}
	return t.Order
}

// owners returns the revision of each bucket, empty for none.
func owners(order []sunya.Target) []string {
	out := make([]string, 0, buckets)
	for _, o := range order {
		for range min(o.Permille, buckets-len(out)) {
			out = append(out, o.Revision)
		}
	}
	return append(out, make([]string, buckets-len(out))...)
}

// runs is the inverse of owners.
func runs(owner []string) []sunya.Target {
	var out []sunya.Target
	for _, rev := range owner {
		if n := len(out); n > 0 && out[n-1].Revision == rev {
			out[n-1].Permille++
			continue
		}
		out = append(out, sunya.Target{Revision: rev, Permille: 1})
	}
	return slices.DeleteFunc(out, func(t sunya.Target) bool { return t.Revision == "" })
}
