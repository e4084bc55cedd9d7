//go:build e2e

package bench

import (
	"fmt"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// thawServices are frozen at a time; each of them is asked once a round.
const thawServices = 8

// BenchmarkThaw: a request to a frozen instance, to the first byte, beside one to
// the same instance right after and one to the bare program, each on a connection
// of its own.
func BenchmarkThaw(b *testing.B) {
	s := begin(b, "thaw")
	defer s.end()
	f := s.figure(results.Figure{
		ID: "thaw/flask", Title: "Flask and gunicorn", Unit: "ms", Base: "bare, warm",
		Goals: []results.Goal{{Subject: "Sunya, frozen", Quantile: 0.99, As: results.AsDifference, Over: "Sunya, warm", Limit: 5}},
	})
	dir := flask(s, "automatic_scaling:\n  max_instances: 1\n")
	server := platform.Start(s)
	hosts := []string{server.Deploy(dir)}
	for n := range thawServices - 1 {
		hosts = append(hosts, server.Deploy(service(s, dir, fmt.Sprintf("thaw-%d", n))))
	}
	app := bare(s, dir, gunicorn(s)...)
	defer app.Stop()
	for _, host := range hosts {
		first(s, address(server), host)
	}
	for range less(26, 3) {
		allFrozen(server, len(hosts))
		for _, host := range hosts {
			f.Add("Sunya, frozen", ms(first(s, address(server), host)))
			f.Add("Sunya, warm", ms(first(s, address(server), host)))
			f.Add("bare, warm", ms(first(s, app.Addr, "")))
		}
	}
}
