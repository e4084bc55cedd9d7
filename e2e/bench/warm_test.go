//go:build e2e

package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/sunya-cloud/sunya/e2e/bench/peer"
	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/bench/wrk"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// target is what wrk is pointed at.
type target struct {
	name, url, host string
	fields          []string // further header fields, NAME: VALUE
}

// spanSeconds is how long wrk runs at a time.
func spanSeconds() int { return less(2, 1) }

// BenchmarkWarm: requests a second and their latency at 1, 16 and 64 connections
// for a Go program: through the gateway, without anything between, and through
// other reverse proxies.
func BenchmarkWarm(b *testing.B) {
	s := begin(b, "warm")
	defer s.end()
	needWrk(s)
	app := bare(s, s.TempDir(), goProgram(s))
	defer app.Stop()
	server := platform.Start(s)
	// The class gives it the weight of a whole core and more, as the bare one has.
	host := server.Deploy(goApp(s, "instance_class: F4\nautomatic_scaling:\n  max_instances: 1\n  max_concurrent_requests: 80\n"))
	spliced, fields := splice(s, app.Addr), added(s, server)
	targets := []target{
		{name: "direct", url: "http://" + app.Addr},
		{name: cloudRun, url: server.URL(), host: goContainer(s, server)},
		{name: "Sunya, App Engine", url: server.URL(), host: host},
		{name: "splice in Go", url: spliced},
		{name: "splice in Go, App Engine's fields", url: spliced, fields: fields},
	}
	for _, t := range proxies(s, app.Addr) {
		targets = append(targets, t)
		if t.name == "nginx, logging" {
			targets = append(targets, target{name: t.name + ", App Engine's fields", url: t.url, fields: fields})
		}
	}
	for _, conns := range []int{1, 16, 64} {
		s.run(fmt.Sprintf("c=%d", conns), func(s *sheet) { warm(s, conns, targets) })
	}
}

// cloudRun is the subject that goals of the gateway are about: it adds five fields
// to a request, where a proxy adds two. Programs of App Engine have a dozen to read.
const cloudRun = "Sunya, Cloud Run"

// goContainer deploys the program as a container of Cloud Run.
func goContainer(s *sheet, server *platform.Server) (host string) {
	s.Helper()
	program, err := os.ReadFile(goProgram(s))
	if err != nil {
		s.Fatal(err)
	}
	image := server.Push(platform.Image(s, map[string][]byte{"hello": program}, v1.Config{Entrypoint: []string{"/hello"}}), "sunya/hello")
	server.OK("run", "deploy", "hello", "--image", image, "--allow-unauthenticated", "--cpu", "1", "--concurrency", "80", "--max-instances", "1", "--quiet")
	return "hello.localhost:" + server.Port
}

// connections is a number of them in words.
func connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}

func needWrk(s *sheet) {
	if !wrk.Installed() {
		s.Skip("SKIP: wrk is not installed: apt-get install wrk")
	}
}

// warm loads each target in turn.
func warm(s *sheet, conns int, targets []target) {
	at := connections(conns)
	rate := s.figure(results.Figure{ID: fmt.Sprintf("warm/rate/c=%d", conns), Title: at, Unit: "req/s", Higher: true, Base: "direct", Goals: rateGoals(conns)})
	median := s.figure(results.Figure{ID: fmt.Sprintf("warm/p50/c=%d", conns), Title: at + ": median latency", Unit: "us", Base: "direct", Undrawn: conns > 1, Goals: latencyGoals(conns)})
	tail := s.figure(results.Figure{ID: fmt.Sprintf("warm/p99/c=%d", conns), Title: at + ": p99 of latency", Unit: "us", Base: "direct", Undrawn: true})
	var turns []func()
	for _, t := range targets {
		turns = append(turns, func() {
			if rate.HasFailed(t.name) {
				return
			}
			r, err := load(s, t, conns)
			if err != nil {
				rate.Fail(t.name, err)
				return
			}
			rate.Add(t.name, r.RequestsPerSecond)
			median.Add(t.name, us(r.P50))
			tail.Add(t.name, us(r.P99))
		})
	}
	s.turns(5, turns...)
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// rateGoals are what the gateway shall reach: the rate of nginx that logs as it
// does, 0.9 of what Go can reach at all, and more than the other proxies in Go.
func rateGoals(conns int) []results.Goal {
	if conns == 1 {
		return nil
	}
	over := func(name string, limit float64) results.Goal {
		return results.Goal{Subject: cloudRun, As: results.AsRatio, Over: name, Limit: limit, AtLeast: true}
	}
	return []results.Goal{over("nginx, logging", 1), over("splice in Go", 0.9), over("Caddy, logging", 1.5), over("Traefik, logging", 1.5)}
}

// latencyGoals: at one connection the gateway shall add no more than nginx does.
func latencyGoals(conns int) []results.Goal {
	if conns != 1 {
		return nil
	}
	return []results.Goal{{Subject: cloudRun, As: results.AsRatio, Over: "nginx, logging", Limit: 1}}
}

// load runs wrk on a target, whose every request must succeed.
func load(s *sheet, t target, conns int) (wrk.Result, error) {
	return wrk.Run(s.Context(), wrk.Load{URL: t.url, Host: t.host, Fields: t.fields, Conns: conns, Seconds: spanSeconds()})
}

// mustLoad is load where there is nothing to measure without the target.
func mustLoad(s *sheet, t target, conns int) wrk.Result {
	s.Helper()
	r, err := load(s, t, conns)
	if err != nil {
		s.Fatalf("%s: %v", t.name, err)
	}
	return r
}

// proxies starts every proxy that is installed, or those with a name, in front of a
// backend.
func proxies(s *sheet, backend string, names ...string) []target {
	s.Helper()
	var targets []target
	for _, p := range peer.Proxies() {
		if len(names) > 0 && !slices.Contains(names, p.Name) {
			continue
		}
		listen := "127.0.0.1:" + freePort(s)
		cmd, err := p.Command(scratch(s, "proxy"), listen, backend)
		if errors.Is(err, peer.ErrMissing) {
			s.Logf("without %s: %v", p.Name, err)
			continue
		}
		if err != nil {
			s.Fatal(err)
		}
		proxy, err := answering(cmd, listen)
		if err != nil {
			s.Fatalf("%s: %v", p.Name, err)
		}
		s.Cleanup(proxy.Stop)
		targets = append(targets, target{name: p.Name, url: "http://" + listen})
	}
	return targets
}

// splice starts the copier of bytes that says what Go can reach at all.
func splice(s *sheet, backend string) (url string) {
	s.Helper()
	listen := "127.0.0.1:" + freePort(s)
	app, err := answering(exec.Command(goBuild(s, "splice", "splice"), "-listen", listen, "-backend", backend), listen)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(app.Stop)
	return "http://" + listen
}
