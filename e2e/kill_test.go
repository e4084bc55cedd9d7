//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// kills is how often TestKillServer kills: a few here, many in make torture.
func kills() int {
	if os.Getenv("SUNYA_TORTURE") != "" {
		return 200
	}
	return 20
}

// TestKillServer (F1) kills the server at random moments of deploys and
// requests. What was acknowledged serves afterwards, and a running instance is
// out of reach for no longer than the restart takes.
func TestKillServer(t *testing.T) {
	s := platform.Start(t)
	dir := platform.Bare(t, "round 0")
	host := s.Deploy(dir, "--version", "stable")
	boot := s.Get(host, "/pid")

	var mu sync.Mutex
	acknowledged := map[string]string{} // version to greeting
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	for i := range kills() {
		greeting := fmt.Sprintf("round %d", i+1)
		if err := os.WriteFile(filepath.Join(dir, "main.py"), []byte(platform.BareMain(greeting)), 0o644); err != nil {
			t.Fatal(err)
		}
		version := fmt.Sprintf("r%d", i%5)
		done := make(chan struct{})
		go func() {
			defer close(done)
			r := s.CLI("app", "deploy", dir, "--quiet", "--no-promote", "--version", version)
			mu.Lock()
			defer mu.Unlock()
			if r.Code == 0 {
				acknowledged[version] = greeting
			} else {
				delete(acknowledged, version) // either the old or the new one: both are right
			}
		}()
		time.Sleep(time.Duration(rng.IntN(900)) * time.Millisecond)
		s.Kill()
		s.Up()
		// A frozen or running instance answers at once: it was adopted.
		if got := s.Get(host, "/pid"); got != boot {
			t.Fatalf("kill %d: the instance was restarted", i)
		}
		<-done
	}

	for version, greeting := range acknowledged {
		vhost := version + "-dot-" + host
		if got := s.Get(vhost, "/"); got != greeting {
			t.Errorf("%s answers %q, acknowledged was %q", version, got, greeting)
		}
	}
	s.Eventually(60*time.Second, "unfinished deploys have ended", func() error {
		out := s.OK("status").Stdout
		if strings.Contains(out, "deploying") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	s.NoOrphans()
	t.Logf("%d kills, %d acknowledged deploys checked", kills(), len(acknowledged))
}
