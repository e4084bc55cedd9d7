//go:build e2e

package bench

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// patience is how long a client of a burst waits: longer than the server lets a
// request wait for an instance, so that a hang is told from a refusal.
const patience = 2 * time.Minute

// BenchmarkBurst: many requests at once to services without an instance.
func BenchmarkBurst(b *testing.B) {
	s := begin(b, "burst")
	defer s.end()
	s.run("spike", spike)
	s.run("go", func(s *sheet) {
		herd(s, "go", fmt.Sprintf("each of %d Go services once within 10 s", less(1000, 40)), goApp(s, ""), less(1000, 40))
	})
	s.run("flask", func(s *sheet) {
		herd(s, "flask", fmt.Sprintf("each of %d Flask services once within 10 s", less(50, 10)), flask(s, ""), less(50, 10))
	})
	s.run("beyond", beyond)
}

// spike: from none to 500 requests at once, which 7 instances of 80 take. Those
// who wait longest are held against 7 bare programs that boot at once.
func spike(s *sheet) {
	const requests, concurrency = 500, 80
	const needed = (requests + concurrency - 1) / concurrency
	last, boot := fmt.Sprintf("Sunya, last of %d answered", requests), fmt.Sprintf("bare boot of %d at once", needed)
	f := s.figure(results.Figure{
		ID: "burst/spike", Title: fmt.Sprintf("0 to %d requests at once, Flask, %d an instance", requests, concurrency), Unit: "ms", Base: boot,
		Goals: []results.Goal{{Subject: last, As: results.AsRatio, Over: boot, Limit: 2}},
	})
	dir := flask(s, fmt.Sprintf("automatic_scaling:\n  max_concurrent_requests: %d\n", concurrency))
	server := platform.Start(s, "--idle-timeout", "1s")
	host := server.Deploy(dir)
	argv := gunicorn(s)
	hosts := make([]string, requests)
	for i := range hosts {
		hosts[i] = host
	}
	answered, seen := 0, ""
	s.turns(5, func() {
		scaledToZero(server)
		v := fire(address(server), hosts, 0, patience)
		f.Add(last, ms(v.took))
		answered += v.with(200)
		seen = v.String()
	}, func() {
		scaledToZero(server)
		f.Add(boot, ms(bootAtOnce(s, needed, dir, argv)))
	})
	all := requests * s.rounds(5)
	f.Check("all requests are answered", answered == all, fmt.Sprintf("%d of %d; in the last round %s", answered, all, seen))
}

// bootAtOnce is how long n bare programs take that are started at the same time,
// until the last has answered.
func bootAtOnce(s *sheet, n int, dir string, argv []string) time.Duration {
	s.Helper()
	ports := make([]string, n)
	for i := range ports {
		ports[i] = freePort(s)
	}
	apps, problems := make([]*bareApp, n), make([]error, n)
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range n {
		wg.Go(func() { apps[i], problems[i] = tryBare(dir, ports[i], argv...) })
	}
	wg.Wait()
	took := time.Since(begin)
	for i, app := range apps {
		if problems[i] != nil {
			s.Fatal(problems[i])
		}
		app.Stop()
	}
	return took
}

// herd: many services that sleep, each asked once within ten seconds.
func herd(s *sheet, id, title, dir string, n int) {
	f := s.figure(results.Figure{ID: "burst/" + id, Title: title, Unit: "ms"})
	memory := s.figure(results.Figure{ID: "burst/" + id + "/memory", Title: title + ": memory", Unit: "MiB"})
	server := many(s, dir, n)
	free := available()
	v := fire(address(server), copyHosts(server, n), 10*time.Second, patience)
	for _, a := range v.answers {
		if a.Status == 200 {
			f.Add("Sunya, first byte", ms(a.First))
		}
	}
	memory.Add("server, at most", mib(peak(s, server)))
	memory.Add("machine, at most more than before", mib(free-v.free))
	f.Check("all requests are answered", v.with(200) == n, v.String())
}

// many starts a server with n copies of a service, none of which has an instance.
func many(s *sheet, dir string, n int) *platform.Server {
	s.Helper()
	server := platform.Start(s)
	server.Deploy(dir)
	server.Multiply(n)
	server.Up()
	scaledToZero(server)
	return server
}

// peak is the most memory that the server has had, in bytes.
func peak(s *sheet, server *platform.Server) int64 {
	return kilobytes(fmt.Sprintf("/proc/%d/status", server.PID()), "VmHWM") << 10
}

// beyond: more services asked for at once than the machine can boot in time.
// Whoever gets no instance is told so and when to come again.
func beyond(s *sheet) {
	n := less(400, 60)
	f := s.figure(results.Figure{ID: "burst/beyond", Title: fmt.Sprintf("each of %d Flask services at once", n), Unit: "ms"})
	memory := s.figure(results.Figure{ID: "burst/beyond/memory", Title: fmt.Sprintf("each of %d Flask services at once: memory", n), Unit: "MiB"})
	server := many(s, flask(s, ""), n)
	free := available()
	v := fire(address(server), copyHosts(server, n), 0, patience)
	for _, a := range v.answers {
		name := "Sunya, refused"
		if a.Status == 200 {
			name = "Sunya, answered"
		}
		f.Add(name, ms(a.First))
	}
	memory.Add("server, at most", mib(peak(s, server)))
	memory.Add("machine, at most more than before", mib(free-v.free))
	f.Check("no request hangs", len(v.lost) == 0, v.String())
	f.Check("who is refused is told when to come again", v.helpful() == len(v.answers)-v.with(200), fmt.Sprintf("%d of %d", v.helpful(), len(v.answers)-v.with(200)))
	f.Check("the server is there afterwards", server.CLI("status").Code == 0, "")
}
