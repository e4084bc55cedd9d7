//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestFiftyDeploysAtOnce (F19): of one service, ten of every version. Each ends:
// it was done, or it says that another one was under way. One wins, and what
// serves is a version that was acknowledged.
func TestFiftyDeploysAtOnce(t *testing.T) {
	s := platform.Start(t)
	var mu sync.Mutex
	good := map[string][]string{} // greetings by version
	refused := 0
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			greeting, version := fmt.Sprintf("deploy %d", i), fmt.Sprintf("v%d", i%5)
			r := s.CLI("app", "deploy", platform.Bare(t, greeting), "--quiet", "--version", version)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.Code == 0:
				good[version] = append(good[version], greeting)
			case strings.Contains(r.Stderr, "another") || strings.Contains(r.Stderr, "already") || strings.Contains(r.Stderr, "under way") || strings.Contains(r.Stderr, "being "):
				refused++
			default:
				t.Errorf("exit %d: %s", r.Code, platform.Tail(r.Stderr, 400))
			}
		})
	}
	wg.Wait()
	t.Logf("%d versions done, %d deploys refused", len(good), refused)
	host := "sunya.localhost:" + s.Port
	for version, greetings := range good {
		if got := s.Get(version+"-dot-"+host, "/"); !strings.Contains(strings.Join(greetings, "\n"), got) {
			t.Errorf("%s answers %q, acknowledged were %q", version, got, greetings)
		}
	}
	if len(good) != 5 {
		t.Errorf("%d of 5 versions were deployed by one of ten", len(good))
	}
	s.Get(host, "/")
	if err := operationsEnded(s); err != nil {
		t.Error(err)
	}
	checkNothingLeft(t, s)
}

// deploys is how many TestNothingGrows makes.
func deploys() int {
	if os.Getenv("SUNYA_TORTURE") != "" {
		return 500
	}
	return 40
}

// TestNothingGrows deploys, asks and lets go idle, again and again: server and
// launcher hold no more than in the beginning, and the disk what is described.
func TestNothingGrows(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--idle-timeout", "1s")
	round := func(i int) {
		host := s.Deploy(platform.Bare(t, fmt.Sprintf("round %d", i)), "--version", fmt.Sprintf("v%d", i%3))
		for range 5 {
			s.Get(host, "/")
		}
	}
	type sample struct {
		descriptors, threads int
		memory               int64
	}
	take := func(pid int) (p sample) {
		p.descriptors, p.threads, p.memory = platform.Resources(t, pid)
		return p
	}
	rest := func() (server, launcher sample) {
		s.Eventually(60*time.Second, "scaled to zero", func() error { return nothingRuns(s) })
		platform.Client.CloseIdleConnections()
		// After the last start the launcher makes further sandboxes ready.
		last, since := take(s.Launcher()), time.Now()
		s.Eventually(60*time.Second, "the launcher at rest", func() error {
			if now := take(s.Launcher()); now.descriptors != last.descriptors {
				last, since = now, time.Now()
			}
			if time.Since(since) < 2*time.Second {
				return fmt.Errorf("%d descriptors", last.descriptors)
			}
			return nil
		})
		return take(s.PID()), last
	}
	for i := range 10 {
		round(i)
	}
	server, launcher := rest()
	disk := size(t, s.Data)
	for i := range deploys() {
		round(10 + i)
	}
	server2, launcher2 := rest()
	disk2 := size(t, s.Data)
	t.Logf("server %+v, then %+v; launcher %+v, then %+v; disk %d KiB more a deploy",
		server, server2, launcher, launcher2, (disk2-disk)/int64(deploys())>>10)
	for _, p := range []struct {
		name          string
		before, after sample
	}{{"server", server, server2}, {"launcher", launcher, launcher2}} {
		if p.after.descriptors > p.before.descriptors+10 {
			t.Errorf("%s: %d descriptors, then %d", p.name, p.before.descriptors, p.after.descriptors)
		}
		if p.after.threads > p.before.threads+10 {
			t.Errorf("%s: %d threads, then %d", p.name, p.before.threads, p.after.threads)
		}
		if p.after.memory > p.before.memory+64<<20 {
			t.Errorf("%s: %d MiB, then %d", p.name, p.before.memory>>20, p.after.memory>>20)
		}
	}
	if os.Getuid() == 0 && len(s.Cgroups()) > 0 {
		t.Logf("cgroups at rest: %d", len(s.Cgroups()))
	}
	checkNothingLeft(t, s)
}
