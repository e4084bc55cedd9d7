package journal

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childEnv makes the test binary a process that appends until it is killed.
const childEnv = "SUNYA_JOURNAL_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

// child prints each number once it is in the journal. Every fiftieth time it
// says "reset" first, and empties the journal.
func child(dir string) {
	j, err := Open(dir)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for i := 0; i < 1_000_000; i++ {
		if i%50 == 0 {
			fmt.Println("reset", i)
			err = j.Reset()
		}
		if err == nil {
			err = j.Append(fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", i%5000)))
		}
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
	os.Exit(0)
}

func open(t *testing.T, dir string) *Journal {
	t.Helper()
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func records(t *testing.T, j *Journal, writer string) (out []string) {
	t.Helper()
	if err := j.Replay(writer, func(r []byte) { out = append(out, string(r)) }); err != nil {
		t.Fatal(err)
	}
	return out
}

func orphans(t *testing.T, j *Journal) []string {
	t.Helper()
	out, err := j.Orphans()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOnlyTheDeadAreOrphans(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	for _, r := range []string{"one", "two"} {
		if err := a.Append([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
	if got := orphans(t, b); len(got) != 0 {
		t.Errorf("orphans %v while their process lives", got)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got := orphans(t, b); !slices.Equal(got, []string{a.Writer()}) {
		t.Errorf("orphans %v", got)
	}
	if got := records(t, b, a.Writer()); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("records %q", got)
	}
	if err := b.Remove(a.Writer()); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestDamagedLinesAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	for _, r := range []string{"one", "two", "three"} {
		if err := a.Append([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, a.Writer()+suffix)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.Replace(raw, []byte("two"), []byte("tvo"), 1)
	if err := os.WriteFile(path, raw[:len(raw)-1], 0o600); err != nil { // the last line is cut off
		t.Fatal(err)
	}
	a.torn = true
	if err := a.Append([]byte("four")); err != nil {
		t.Fatal(err)
	}
	if got := records(t, b, a.Writer()); !slices.Equal(got, []string{"one", "three", "four"}) {
		t.Errorf("records %q", got)
	}
}

func TestKillLosesNothingThatWasAppended(t *testing.T) {
	for range 8 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(20+rand.IntN(80))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		first, next := 0, 0
		resetting := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, ok := strings.CutPrefix(lines.Text(), "reset "); ok {
				resetting = true
				first, _ = strconv.Atoi(n)
				continue
			}
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatal(lines.Text())
			}
			resetting, next = false, n+1
		}
		_ = cmd.Wait()
		timer.Stop()
		j := open(t, dir)
		left := orphans(t, j)
		if len(left) == 0 {
			continue // killed before it had begun
		}
		got := records(t, j, left[0])
		for i, r := range got {
			if number(t, r) != number(t, got[0])+i {
				t.Fatalf("record %d is %.20q", i, r)
			}
		}
		if !resetting && len(got) < next-first {
			t.Errorf("%d records are there of %d", len(got), next-first)
		}
	}
}

func number(t *testing.T, record string) int {
	t.Helper()
	digits, _, _ := strings.Cut(record, " ")
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("00000000 \n"), []byte("record"))
	f.Add([]byte("torn"), []byte(""))
	f.Fuzz(func(t *testing.T, garbage, record []byte) {
		if bytes.ContainsAny(record, "\n") {
			return
		}
		file := append(bytes.Clone(garbage), '\n')
		file = fmt.Appendf(file, "%08x %s\n", checksum(record), record)
		var last []byte
		if err := read(bytes.NewReader(file), func(r []byte) { last = bytes.Clone(r) }); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(last, record) {
			t.Errorf("%q was read as %q", record, last)
		}
	})
}
