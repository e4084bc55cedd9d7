package node

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/journal"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/meter"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// usageChild makes the test binary a process that counts requests in a directory
// until it is killed.
const usageChild = "SUNYA_USAGE_CHILD"

// usageBatch is how many requests the child counts before it says so.
const usageBatch = 10

// openMeter opens a meter with all that it stands on.
func openMeter(ctx context.Context, dir string) (m *meter.Meter, closeAll func(), err error) {
	log := slog.New(slog.DiscardHandler)
	state, err := sqlite.Open(ctx, filepath.Join(dir, "state.db"), log)
	if err != nil {
		return nil, nil, err
	}
	j, err := journal.Open(filepath.Join(dir, "usage"))
	if err != nil {
		return nil, nil, err
	}
	m, err = meter.Open(ctx, state, j, time.Now, log)
	return m, func() { j.Close(); state.Close() }, err
}

// countForever is what the killed process does.
func countForever(ctx context.Context, dir string) error {
	m, _, err := openMeter(ctx, dir)
	if err != nil {
		return err
	}
	go func() { _ = m.Run(ctx) }()
	rev := &sunya.Revision{Name: "apps/p/services/s/versions/v/d", Service: "apps/p/services/s", Project: "p"}
	life := m.Born(rev, "i")
	life.Ready(time.Now(), time.Second, true)
	for n := 0; ; n += usageBatch {
		fmt.Println("counted", n)
		life.Busy(time.Now())
		for range usageBatch {
			m.Observe(&served.Request{Revision: rev, Begin: time.Now(), Status: 200})
		}
		life.Idle(time.Now())
		time.Sleep(time.Millisecond)
	}
}

// TestKillCostsUsageASecondAtMost kills the one that counts at random moments and
// looks each time what is left: no more than there was, and not much less.
func TestKillCostsUsageASecondAtMost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := t.TempDir()
	var before int64
	for range 4 {
		lives := time.Duration(200+rand.IntN(4000)) * time.Millisecond
		sure, most := countUntilKilled(t, dir, lives)
		m, closeAll, err := openMeter(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := m.Usage(t.Context(), meter.Query{By: meter.ByService})
		if err != nil {
			t.Fatal(err)
		}
		closeAll()
		var now int64
		for _, r := range rows {
			now += r.Requests
		}
		if got := now - before; got < sure || got > most {
			t.Errorf("killed after %v: %d requests are left, want %d to %d", lives, got, sure, most)
		}
		before = now
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "usage", "*")); len(left) != 0 {
		t.Errorf("journals are left: %v", left)
	}
}

// countUntilKilled returns how many requests were counted long enough before the
// kill to be written down for sure, and how many at most.
func countUntilKilled(t *testing.T, dir string, lives time.Duration) (sure, most int64) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), usageChild+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var killed time.Time
	timer := time.AfterFunc(lives, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	seen := map[int64]time.Time{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var n int64
		if _, err := fmt.Sscanf(lines.Text(), "counted %d", &n); err == nil {
			seen[n], most = time.Now(), n+usageBatch
		}
		killed = time.Now()
	}
	_ = cmd.Wait()
	for n, at := range seen {
		if killed.Sub(at) > 2*time.Second { // one, and one for a busy machine
			sure = max(sure, n)
		}
	}
	t.Log("lived " + lives.String() + ", counted " + strconv.FormatInt(most, 10))
	return sure, most
}
