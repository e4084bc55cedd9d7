package logdb

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/logtest"
	"github.com/sunya-cloud/sunya/internal/core/health"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// clock is a time that the test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock { return &clock{time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

// fill appends n entries from the i-th on and returns how many bytes of text
// each has.
func fill(t testing.TB, s *Store, i, n int) {
	t.Helper()
	var batch []logs.Entry
	for j := i; j < i+n; j++ {
		e := logtest.Entry("p", "l", j)
		e.Text = strings.Repeat("x", 1000)
		batch = append(batch, e)
	}
	if err := s.Append(t.Context(), batch, nil); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

func count(t testing.TB, s *Store) int {
	t.Helper()
	got, err := s.Query(t.Context(), logs.Query{})
	if err != nil {
		t.Fatalf("Query: %v", err)
	}
	return len(got)
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestOldSegmentsAreDeleted(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	s := open(t, dir, c.now, Options{})
	for day := range 10 {
		fill(t, s, day*10, 10)
		c.t = c.t.Add(24 * time.Hour)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Of the ten days those that ended more than seven days ago are gone.
	if got := count(t, s); got != 70 {
		t.Errorf("%d entries are left, want those of 7 days", got)
	}
	if got := len(files(t, dir)); got != 8 {
		t.Errorf("%d files, want 7 days and the current one", got)
	}
}

func TestQuietLogAgesToo(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.now, Options{})
	fill(t, s, 0, 10)
	for range 9 {
		c.t = c.t.Add(24 * time.Hour)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := count(t, s); got != 0 {
		t.Errorf("%d entries of nine days ago are left", got)
	}
}

func TestLogStaysWithinItsSize(t *testing.T) {
	dir := t.TempDir()
	o := Options{MaxBytes: 1 << 20, SegmentBytes: 256 << 10}
	s := open(t, dir, time.Now, o)
	for i := range 30 {
		fill(t, s, i*100, 100) // 3 MB in all
	}
	var total int64
	for _, f := range files(t, dir) {
		total += size(f)
	}
	if total > o.MaxBytes+2*o.SegmentBytes { // the current one is on top
		t.Errorf("%d bytes on disk, want at most %d", total, o.MaxBytes)
	}
	got, err := s.Query(t.Context(), logs.Query{Newest: true})
	if err != nil || len(got) < 400 || got[0].InsertID != "00002999" {
		t.Errorf("%d entries, %v; want the newest 400 at least", len(got), err)
	}
}

func TestQueryOutlivesTheDeletionOfItsSegments(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.now, Options{})
	fill(t, s, 0, 200)
	c.t = c.t.Add(24 * time.Hour)
	fill(t, s, 200, 1)
	swept := false
	got, err := s.Query(t.Context(), logs.Query{Match: func(*logs.Entry) bool {
		if !swept {
			swept = true
			c.t = c.t.Add(30 * 24 * time.Hour)
			if err := s.Sweep(t.Context()); err != nil {
				t.Errorf("Sweep: %v", err)
			}
		}
		return true
	}})
	if err != nil || len(got) != 201 {
		t.Errorf("%d entries, %v; want 201", len(got), err)
	}
	// The second segment was the current one until the sweep.
	if got := count(t, s); got != 1 {
		t.Errorf("%d entries are left, want 1", got)
	}
}

func TestSchemaVersionIsThatOfTheNewestMigration(t *testing.T) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) != schemaVersion {
		t.Errorf("%d migrations, %v; schemaVersion is %d", len(files), err, schemaVersion)
	}
}

func TestFullDiskIsNamedAndPasses(t *testing.T) {
	s := open(t, t.TempDir(), time.Now, Options{})
	fill(t, s, 0, 10)
	limit := func(pages int) {
		if _, err := s.active.db.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(20) // SQLite says the same as for a disk without room
	var batch []logs.Entry
	for i := range 1000 {
		batch = append(batch, logtest.Entry("p", "l", 100+i))
	}
	if err := s.Append(t.Context(), batch, nil); sunya.CodeOf(err) != sunya.ResourceExhausted {
		t.Errorf("Append = %v, want ResourceExhausted", err)
	}
	limit(1 << 20)
	if err := s.Append(t.Context(), batch[:1], nil); err != nil {
		t.Errorf("Append with room again = %v", err)
	}
	if got := count(t, s); got != 11 {
		t.Errorf("%d entries, want those of the two good batches", got)
	}
}

func TestClosedLogRefusesWrites(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir(), time.Now, discard, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 0, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), []logs.Entry{logtest.Entry("p", "l", 1)}, nil); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("Append = %v", err)
	}
	if got := count(t, s); got != 0 {
		t.Errorf("a closed log serves %d entries", got)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Errorf("Sweep = %v", err)
	}
}

func TestEntriesOutliveTheStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, time.Now, Options{})
	fill(t, s, 0, 10)
	again := open(t, dir, time.Now, Options{}) // as after a kill: nobody closed it
	fill(t, again, 10, 10)
	if got := count(t, again); got != 20 {
		t.Errorf("%d entries, want 20", got)
	}
	if got := len(files(t, dir)); got != 1 {
		t.Errorf("%d files, want the one that had room", got)
	}
}

// segments makes a closed log of three segments with 10 entries each.
func segments(t *testing.T) (dir string, c *clock) {
	t.Helper()
	dir, c = t.TempDir(), newClock()
	s, err := Open(t.Context(), dir, c.now, discard, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		fill(t, s, i*10, 10)
		c.t = c.t.Add(24 * time.Hour)
	}
	c.t = c.t.Add(-time.Hour)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, c
}

func TestDamagedSegmentCostsOnlyItsOwnEntries(t *testing.T) {
	for rule, tt := range map[string]struct {
		file   int
		damage func(path string) error
		left   int
	}{
		"not a database":      {1, func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("garbage ", 4096)), 0o600) }, 20},
		"cut off":             {1, func(p string) error { return os.Truncate(p, 9000) }, 20},
		"cut off, the newest": {2, func(p string) error { return os.Truncate(p, 9000) }, 20},
		"garbage inside":      {0, garble, 20},
		"torn journal":        {2, func(p string) error { return os.WriteFile(p+"-wal", []byte("torn"), 0o600) }, 30},
	} {
		t.Run(rule, func(t *testing.T) {
			dir, c := segments(t)
			if err := tt.damage(files(t, dir)[tt.file]); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir, c.now, Options{})
			if got := count(t, s); got != tt.left {
				t.Errorf("%d entries are served, want %d", got, tt.left)
			}
			fill(t, s, 100, 1)
			if got := count(t, s); got != tt.left+1 {
				t.Errorf("%d entries after a write, want %d", got, tt.left+1)
			}
			checks := s.Check(t.Context())
			if bad := tt.left < 30; len(checks) != 1 || bad != (checks[0].Status == health.Warning) {
				t.Errorf("checks %+v", checks)
			}
			if tt.left < 30 && !strings.Contains(checks[0].Detail, filepath.Base(filePrefix)) {
				t.Errorf("the check does not name the file: %+v", checks[0])
			}
		})
	}
}

// garble overwrites the pages behind the schema.
func garble(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(strings.Repeat("garbage ", int(info.Size()-4096)/8)), 4096)
	return err
}

func TestDamageFoundByAQueryMovesTheActiveSegmentAside(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, time.Now, Options{})
	fill(t, s, 0, 10)
	s.quarantine(s.newest(), unsound("found by a query"))
	fill(t, s, 10, 10)
	if got := count(t, s); got != 10 {
		t.Errorf("%d entries, want those written since", got)
	}
}

func TestNewerSchemaIsLeftAlone(t *testing.T) {
	dir, c := segments(t)
	name := files(t, dir)[2]
	w, err := openWriter(t.Context(), &segment{path: name, log: discard})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, c.now, discard, Options{}); err == nil || !strings.Contains(err.Error(), "newer Sunya") {
		t.Errorf("Open = %v", err)
	}
	if _, err := os.Stat(name); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
}
