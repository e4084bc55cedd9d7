package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
)

// writerEnv makes the test binary a process that writes until it is killed.
const writerEnv = "SUNYA_SQLITE_TEST_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		fmt.Fprintln(os.Stderr, writeForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForever prints the name of each operation once it is acknowledged.
func writeForever(path string) error {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer db.Close()
	failed := make(chan error)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				op := sunya.Operation{Name: fmt.Sprintf("%d/%d/%d", os.Getpid(), w, i), Stage: strings.Repeat("x", 500*w)}
				if err := db.PutOperation(ctx, &op); err != nil {
					failed <- err
					return
				}
				fmt.Println(op.Name)
			}
		}()
	}
	return <-failed
}

func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	var acknowledged []string
	for round := range 5 {
		acknowledged = append(acknowledged, killWriter(t, path, 20+round*60)...)
		db, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range acknowledged {
			if _, err := db.GetOperation(t.Context(), name); err != nil {
				t.Errorf("round %d: acknowledged %s: %v", round, name, err)
			}
		}
		for _, c := range db.Check(t.Context()) {
			if c.Status != "ok" {
				t.Errorf("round %d: %+v", round, c)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// killWriter runs a writer, kills it after n acknowledgements and returns all
// that it gave.
func killWriter(t *testing.T, path string, n int) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		got = append(got, lines.Text())
		if len(got) == n {
			cmd.Process.Kill()
		}
	}
	cmd.Wait() // it was killed
	if len(got) < n {
		t.Fatalf("the writer ended after %d writes: %s", len(got), stderr.String())
	}
	return got
}

// TestTornTail opens copies of the files as a power cut may leave them: with
// all that was synced, and anything behind it.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, filepath.Join(dir, "state.db"))
	const n = 20
	for i := range n {
		if err := db.PutOperation(t.Context(), &sunya.Operation{Name: fmt.Sprint("op", i)}); err != nil {
			t.Fatal(err)
		}
	}
	main, err := os.ReadFile(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(filepath.Join(dir, "state.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tail := range [][]byte{nil, []byte("torn"), make([]byte, 512), bytes.Repeat([]byte{0xa5}, 4096+24+100), wal[32 : 32+4096+24]} {
		copied := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(copied, main, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+"-wal", append(bytes.Clone(wal), tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		ops, err := openAt(t, copied).ListOperations(t.Context(), "", "", 0)
		if err != nil || len(ops) != n {
			t.Errorf("tail of %d bytes: %d operations, %v; want %d", len(tail), len(ops), err, n)
		}
	}
}

func TestNewerSchemaIsRefusedUntouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	before := digest(t, path)
	_, err = sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(fmt.Sprint(err), "9999") {
		t.Errorf("Open = %v, want FailedPrecondition that names the schema", err)
	}
	if digest(t, path) != before {
		t.Error("the refused database was changed")
	}
}

func TestNotADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	before := digest(t, path)
	if _, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler)); sunya.CodeOf(err) != sunya.DataLoss {
		t.Errorf("Open = %v, want DataLoss", err)
	}
	if digest(t, path) != before {
		t.Error("the file was changed")
	}
}

func TestCheckFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		op := sunya.Operation{Name: fmt.Sprintf("op%03d", i), Stage: strings.Repeat("y", 300)}
		if err := db.PutOperation(t.Context(), &op); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, path, "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'operations_by_time'")
	found := false
	for _, c := range openAt(t, path).Check(t.Context()) {
		found = found || c.Name == "state integrity" && c.Status == "fail" && c.Fix != ""
	}
	if !found {
		t.Error("Check finds a lost index's pages in order")
	}
}

func TestDamageToTheSchemaIsNamedAtOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for page := range 4 {
		bad := bytes.Clone(good)
		for i := range 4096 {
			bad[page*4096+i] ^= byte(i*7 + 13)
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
		if err == nil {
			_ = db.Close() // the page holds nothing that opening needs: Check finds it
			continue
		}
		if sunya.CodeOf(err) != sunya.DataLoss {
			t.Errorf("page %d: %v, want DataLoss", page, err)
		}
	}
}

// execute changes a database behind the store's back.
func execute(t *testing.T, path, query string) {
	t.Helper()
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func digest(t *testing.T, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

func TestCloseWhileWriting(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	started := make(chan struct{}, 8)
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				err := db.PutOperation(t.Context(), &sunya.Operation{Name: fmt.Sprintf("%d/%d", w, i)})
				if i == 0 {
					started <- struct{}{}
				}
				if err == nil {
					continue
				}
				if sunya.CodeOf(err) != sunya.Unavailable {
					t.Errorf("writer %d: %v, want Unavailable", w, err)
				}
				return
			}
		})
	}
	for range 8 {
		<-started
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}
