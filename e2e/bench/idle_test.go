//go:build e2e

package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// idleServices is what a server holds that nobody asks for (robustness.md L10).
const idleServices = 10_000

// BenchmarkIdle: what the platform costs while nobody asks for anything: with one
// service whose instance is frozen, and with ten thousand that have none.
func BenchmarkIdle(b *testing.B) {
	s := begin(b, "idle")
	defer s.end()
	s.run("one", idleOne)
	s.run("services", idleMany)
}

func idleOne(s *sheet) {
	cpu := s.figure(results.Figure{
		ID: "idle/one/cpu", Title: "one frozen Flask service", Unit: "% of a core", Note: "over a minute; a tick of the kernel's count is 0.02",
		Goals: []results.Goal{{Subject: "all of it", As: results.AsValue, Limit: 0.5}},
	})
	memory := s.figure(results.Figure{ID: "idle/one/memory", Title: "one frozen Flask service: memory (PSS)", Unit: "MiB"})
	server := platform.Start(s)
	host := server.Deploy(flask(s, ""))
	server.Get(host, "/")
	allFrozen(server, 1)
	span := time.Duration(less(60, 5)) * time.Second
	before := weigh(s, server)
	time.Sleep(span) // what happens when nothing happens
	after := weigh(s, server)
	for name, at := range map[string]int{"server": 0, "launcher and helpers": 1, "the app": 2} {
		cpu.Add(name, share(after[at].cpu-before[at].cpu, span))
		memory.Add(name, mib(after[at].pss))
	}
	cpu.Add("all of it", share(total(after).cpu-total(before).cpu, span))
	memory.Add("all of it", mib(total(after).pss))
}

// share is CPU time in hundredths of a core.
func share(cpu, span time.Duration) float64 { return 100 * float64(cpu) / float64(span) }

// idleMany: the start of the server with ten thousand services, its memory and
// the first request of one of them, beside the same with one.
func idleMany(s *sheet) {
	times := s.figure(results.Figure{ID: "idle/services/time", Title: "10,000 services at rest: time", Unit: "ms"})
	cpu := s.figure(results.Figure{ID: "idle/services/cpu", Title: "10,000 services at rest: CPU", Unit: "% of a core", Note: "over twenty seconds"})
	memory := s.figure(results.Figure{ID: "idle/services/memory", Title: "10,000 services at rest: the server's memory", Unit: "MiB", Base: "one service"})
	held := s.figure(results.Figure{ID: "idle/services/held", Title: "10,000 services at rest: what the server holds", Unit: "pieces"})
	server := platform.Start(s)
	server.Deploy(platform.Bare(s, "hello"))
	server.Stop()
	server.Up()
	memory.Add("one service", mib(server.Memory()))
	one, oneThreads, _ := platform.Resources(s, server.PID())
	n := less(idleServices, 500)
	server.Multiply(n)
	times.Add("server ready", took(s, func() error { server.Up(); return nil }).Seconds()*1000)
	span := time.Duration(less(20, 2)) * time.Second
	before := weigh(s, server)
	time.Sleep(span) // what happens when nothing happens
	cpu.Add("server, launcher and helpers", share(total(weigh(s, server)).cpu-total(before).cpu, span))
	memory.Add(fmt.Sprintf("%d services", n), mib(server.Memory()))
	all, threads, _ := platform.Resources(s, server.PID())
	held.Add("descriptors", float64(all))
	held.Add("threads", float64(threads))
	held.Add("descriptors with one service", float64(one))
	held.Add("threads with one service", float64(oneThreads))
	times.Add("first request of one of them, bare Python", ms(first(s, address(server), server.CopyHost(n/2))))
	times.Add("sunya status", took(s, func() error { server.OK("status"); return nil }).Seconds()*1000)
}
