//go:build e2e

// Package bench measures Sunya beside the bare program and beside other servers,
// in turns in one run: only the ratios carry over to another machine. make bench
// runs it; docs/performance.md says how to read it.
package bench

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

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
	var took []time.Duration
	s.turns(9, func() {
		scaledToZero(server)
		took = append(took, first(s, address(server), host))
		f.Add("Sunya", ms(took[len(took)-1]))
	}, func() {
		scaledToZero(server)
		app := bare(s, bareDir, argv...)
		app.Stop()
		f.Add("bare boot", ms(app.Took))
	})
	stages := s.figure(results.Figure{ID: "cold/" + l.name + "/stages", Title: l.title + ": where the time goes", Unit: "ms", Note: l.note})
	for i, start := range coldStarts(server, len(took)) {
		sandbox, program := start.parts()
		stages.Add("sandbox, until the program runs", ms(sandbox))
		stages.Add("program, until it listens", ms(program))
		stages.Add("its first answer, and the way there", ms(took[i]-sandbox-program))
	}
}

// start is what the log says of the start of an instance.
type start struct {
	Event     string
	ColdStart bool
	Stages    []struct {
		Name string
		MS   float64
	}
}

// coldStarts reads the last n cold starts from the log, in their order.
func coldStarts(server *platform.Server, n int) (all []start) {
	server.Eventually(10*time.Second, "every cold start is in the log", func() error {
		all = nil
		for line := range strings.Lines(server.OK("logs", "--json", "--tail", "1000").Stdout) {
			var entry struct{ JSONPayload start }
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			if e := entry.JSONPayload; e.Event == "started" && e.ColdStart {
				all = append(all, e)
			}
		}
		if len(all) < n {
			return fmt.Errorf("%d of %d", len(all), n)
		}
		return nil
	})
	return all[len(all)-n:]
}

// parts are the time until the program was executed and from there until it
// listened.
func (s start) parts() (sandbox, program time.Duration) {
	for _, stage := range s.Stages {
		took := time.Duration(stage.MS * float64(time.Millisecond))
		if stage.Name == "listen" {
			program += took
		} else {
			sandbox += took
		}
	}
	return sandbox, program
}
