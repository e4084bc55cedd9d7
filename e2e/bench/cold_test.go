//go:build e2e

// Package bench measures Sunya beside the bare program and beside other servers,
// in turns in one run: only the ratios carry over to another machine. make bench
// runs it; docs/performance.md says how to read it.
package bench

import (
	"testing"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// BenchmarkCold: a request to a service without a process, to the first byte,
// over the bare boot of the same program with the same arguments.
func BenchmarkCold(b *testing.B) {
	s := begin(b, "cold")
	defer s.end()
	for _, l := range languages() {
		s.run(l.name, func(s *sheet) {
			l.require(s)
			l.cold(s)
		})
	}
}

func (l language) cold(s *sheet) {
	f := s.figure(results.Figure{ID: "cold/" + l.name, Title: l.title, Unit: "ms", Base: "bare boot", Goals: l.goals})
	dir, bareDir := l.copy(s), l.copy(s)
	argv := l.bare(s, bareDir)
	server := platform.Start(s, "--idle-timeout", "1s")
	host := server.Deploy(dir)
	s.turns(9, func() {
		scaledToZero(server)
		f.Add("Sunya", ms(first(s, address(server), host)))
	}, func() {
		scaledToZero(server)
		app := bare(s, bareDir, argv...)
		app.Stop()
		f.Add("bare boot", ms(app.Took))
	})
}
