//go:build e2e

package bench

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// budget is the memory that frozen instances shall fit in.
const budget = 8 << 30

// BenchmarkDensity: what a frozen Flask instance takes of the machine's memory,
// how many of them fit in 8 GiB, and how fast one thaws among them. How many are
// really started is said by SUNYA_BENCH_DENSITY; the rest is extrapolated.
func BenchmarkDensity(b *testing.B) {
	s := begin(b, "density")
	defer s.end()
	n := instances(s)
	memory := s.figure(results.Figure{
		ID: "density/memory", Title: "memory of a frozen Flask instance", Unit: "MiB", Base: "bare program (PSS)",
		Note: "all that the machine has less of, the kernel's own included, over the number of instances",
		// performance.md: 1 MiB beyond the app
		Goals: []results.Goal{{Subject: "Sunya, beyond the app (PSS)", As: results.AsValue, Limit: 1}},
	})
	fit := s.figure(results.Figure{
		ID: "density/fit", Title: "frozen Flask instances in 8 GiB", Unit: "instances", Higher: true,
		Note: fmt.Sprintf("extrapolated from %d that were really there", n),
	})
	thaw := s.figure(results.Figure{
		ID: "density/thaw", Title: fmt.Sprintf("thaw of one of %d frozen instances, to the first byte", n), Unit: "ms", Base: "Sunya, warm",
		Goals: []results.Goal{{Subject: "Sunya, frozen", Quantile: 0.99, As: results.AsDifference, Over: "Sunya, warm", Limit: 5}},
	})
	dir := flask(s, "")
	memory.Add("bare program (PSS)", barePSS(s, dir, 8))

	server := many(s, dir, n)
	hosts := copyHosts(server, n)
	empty, free := weigh(s, server), available()
	for from := 0; from < n; from += 20 {
		batch := hosts[from:min(from+20, n)]
		before := available()
		for _, host := range batch {
			first(s, address(server), host)
		}
		allFrozen(server, from+len(batch))
		memory.Add("Sunya, all of it", mib(before-available())/float64(len(batch)))
	}
	full := weigh(s, server)
	each := mib(free-available()) / float64(n)
	memory.Add("Sunya, its processes (PSS)", mib(full[2].pss-empty[2].pss)/float64(n))
	memory.Add("Sunya, beyond the app (PSS)", mib(full[0].pss+full[1].pss-empty[0].pss-empty[1].pss)/float64(n))
	fit.Add("Sunya", float64(int((mib(budget)-mib(total(empty).pss))/each)))
	for thawed := 0; thawed < less(200, 10); {
		allFrozen(server, n)
		for _, host := range hosts {
			thaw.Add("Sunya, frozen", ms(first(s, address(server), host)))
			thaw.Add("Sunya, warm", ms(first(s, address(server), host)))
			thawed++
		}
	}
}

// instances is how many are started.
func instances(s *sheet) int {
	text := os.Getenv("SUNYA_BENCH_DENSITY")
	if text == "" {
		return less(120, 5)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		s.Fatalf("SUNYA_BENCH_DENSITY=%q is not a number of instances", text)
	}
	return n
}

// barePSS is what one of n bare programs takes that run at the same time.
func barePSS(s *sheet, dir string, n int) float64 {
	s.Helper()
	var apps []*bareApp
	for range n {
		app := bare(s, dir, gunicorn(s)...)
		defer app.Stop()
		apps = append(apps, app)
	}
	var sum weight
	for _, app := range apps { // now that all of them share what they can
		sum.add(process(s, app.PID()))
		for _, p := range platform.Below(s, app.PID()) {
			sum.add(process(s, p.PID))
		}
	}
	return mib(sum.pss) / float64(n)
}
