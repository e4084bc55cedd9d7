package logdb

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/logtest"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// childEnv makes the test binary a process that appends until it is killed.
const childEnv = "SUNYA_LOGDB_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

// child prints the number of each batch once it is acknowledged.
func child(dir string) {
	ctx, cancel := contextForChild()
	defer cancel()
	s, err := Open(ctx, dir, time.Now, discard, Options{SegmentBytes: 256 << 10})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for i := 0; ctx.Err() == nil; i++ {
		var batch []logs.Entry
		for j := range 10 {
			batch = append(batch, logtest.Entry("p", "l", i*10+j))
		}
		if err := s.Append(ctx, batch, nil); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
	os.Exit(0)
}

func TestAcknowledgedEntriesSurviveKill(t *testing.T) {
	for round := range 3 {
		dir := t.TempDir()
		acked := killAfter(t, dir, 20+40*round)
		s := open(t, dir, time.Now, Options{})
		got := map[string]bool{}
		found, err := s.Query(t.Context(), logs.Query{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			got[e.InsertID] = true
		}
		for i := range (acked + 1) * 10 {
			if id := fmt.Sprintf("%08d", i); !got[id] {
				t.Fatalf("round %d: entry %s of %d acknowledged ones is lost", round, id, (acked+1)*10)
			}
		}
		if len(found)%10 != 0 {
			t.Errorf("round %d: half a batch was kept: %d entries", round, len(found))
		}
		if c := s.Check(t.Context()); c[0].Status != "ok" {
			t.Errorf("round %d: %+v", round, c)
		}
	}
}

// killAfter runs a child, kills it after n acknowledged batches and returns the
// last one that it acknowledged.
func killAfter(t *testing.T, dir string, n int) (acked int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		if acked, err = strconv.Atoi(line); err != nil || strings.HasPrefix(line, "error") {
			t.Fatalf("child: %s", line)
		}
		if acked == n {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // killed
	return acked
}
