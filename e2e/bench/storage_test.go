//go:build e2e

package bench

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/sunya-cloud/sunya/e2e/bench/peer"
	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

const (
	fakeGCS  = "fake-gcs-server"
	fileCopy = "file copy"
)

// BenchmarkStorage: an object up and down in one request of Cloud Storage's API,
// over fake-gcs-server with its files on the same disk, and over a copy of a file
// that ends in fsync. Sunya syncs the bytes and what is known of them before it
// answers. The client neither hashes nor checks anything.
func BenchmarkStorage(b *testing.B) {
	s := begin(b, "storage")
	defer s.end()
	server := platform.Start(s)
	subjects := []storageSubject{{"Sunya", server.URL()}}
	if u := startFakeGCS(s); u != "" {
		subjects = append(subjects, storageSubject{fakeGCS, u})
	}
	for _, sub := range subjects {
		sub.bucket(s)
	}
	for _, size := range []struct {
		name, title   string
		bytes, rounds int
	}{
		{"1KiB", "1 KiB", 1 << 10, 200},
		{"1MiB", "1 MiB", 1 << 20, 40},
		{"1GiB", "1 GiB", less(1<<30, 64<<20), 3},
	} {
		s.run(size.name, func(s *sheet) { transfer(s, subjects, size.title, size.bytes, size.rounds) })
	}
	s.run("list", func(s *sheet) { listing(s, server) })
}

// transfer measures one size, up and down by turns.
func transfer(s *sheet, subjects []storageSubject, title string, size, rounds int) {
	dir, content := scratch(s, "storage"), noise(size)
	source := filepath.Join(dir, "source")
	if err := os.WriteFile(source, content, 0o644); err != nil {
		s.Fatal(err)
	}
	put := s.figure(results.Figure{ID: s.id + "/put", Title: "put of " + title, Unit: "ms", Base: fakeGCS})
	get := s.figure(results.Figure{ID: s.id + "/get", Title: "get of " + title, Unit: "ms", Base: fakeGCS})
	put.Goals = []results.Goal{{Subject: "Sunya", As: results.AsRatio, Over: fakeGCS, Limit: 1}}
	get.Goals = []results.Goal{{Subject: "Sunya", As: results.AsRatio, Over: fakeGCS, Limit: 1}}
	if size >= 1<<30 { // 0.7 of its speed
		put.Goals = append(put.Goals, results.Goal{Subject: "Sunya", As: results.AsRatio, Over: fileCopy, Limit: 1 / 0.7})
	}
	turns := []func(){func() {
		put.Add(fileCopy, ms(took(s, func() error { return copySynced(source, filepath.Join(dir, "copy")) })))
	}}
	for _, sub := range subjects {
		turns = append(turns, func() {
			put.Add(sub.name, ms(took(s, func() error { return sub.put("object", content) })))
			get.Add(sub.name, ms(took(s, func() error { return sub.get("object", size) })))
		})
	}
	s.turns(rounds, turns...)
}

// copySynced copies a file and returns once it is on the disk.
func copySynced(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// storageSubject is one of the servers.
type storageSubject struct{ name, url string }

const storageBucket = "bench-bucket"

func (t storageSubject) bucket(tb testing.TB) {
	resp, err := http.Post(t.url+"/storage/v1/b?project=sunya", "application/json", strings.NewReader(`{"name":"`+storageBucket+`"}`))
	if err == nil {
		err = answered(resp, -1)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func (t storageSubject) put(name string, content []byte) error {
	resp, err := http.Post(t.url+"/upload/storage/v1/b/"+storageBucket+"/o?uploadType=media&name="+url.QueryEscape(name),
		"application/octet-stream", bytes.NewReader(content))
	if err != nil {
		return err
	}
	return answered(resp, -1)
}

func (t storageSubject) get(name string, size int) error {
	resp, err := http.Get(t.url + "/storage/v1/b/" + storageBucket + "/o/" + url.PathEscape(name) + "?alt=media")
	if err != nil {
		return err
	}
	return answered(resp, int64(size))
}

// answered reads all of an answer of so many bytes, any number below 0.
func answered(resp *http.Response, size int64) error {
	n, err := io.Copy(io.Discard, resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err == nil && (resp.StatusCode != http.StatusOK || size >= 0 && n != size) {
		err = fmt.Errorf("%s %s: %s, %d bytes", resp.Request.Method, resp.Request.URL, resp.Status, n)
	}
	return err
}

// startFakeGCS returns the URL of a fake-gcs-server, empty where it is not
// installed.
func startFakeGCS(s *sheet) string {
	s.Helper()
	bin, err := peer.Find(fakeGCS)
	if err != nil {
		s.Log("fake-gcs-server is not installed: SUNYA_DEPS=bench scripts/deps.sh")
		return ""
	}
	port := freePort(s)
	cmd := exec.Command(bin, "-scheme", "http", "-host", "127.0.0.1", "-port", port, "-public-host", "127.0.0.1:"+port,
		"-backend", "filesystem", "-filesystem-root", scratch(s, fakeGCS), "-log-level", "error")
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	u := "http://127.0.0.1:" + port
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if resp, err := http.Get(u + "/storage/v1/b?project=sunya"); err == nil {
			_ = answered(resp, -1)
			return u
		} else if time.Now().After(limit) {
			s.Fatal(err)
		}
	}
}

// manyListed is how many objects the bucket has that is manyListed.
const manyListed = 100_000

// listing measures a page of a bucket that is large, all through it.
func listing(s *sheet, server *platform.Server) {
	sub := storageSubject{"Sunya", server.URL()}
	if err := sub.put("model", []byte("x")); err != nil {
		s.Fatal(err)
	}
	n := less(manyListed, 5000)
	server.Stop()
	manyObjects(s, filepath.Join(server.Data, "state.db"), n)
	server.Up()
	f := s.figure(results.Figure{ID: s.id, Title: fmt.Sprintf("listing %d objects: a page of 1000", n), Unit: "ms"})
	if !quick {
		f.Goals = []results.Goal{{Subject: "Sunya", Quantile: 0.99, As: results.AsValue, Limit: 200}}
	}
	for range s.rounds(2) {
		for token := ""; ; {
			f.Add("Sunya", ms(took(s, func() (err error) { token, err = page(sub.url, token); return err })))
			if token == "" {
				break
			}
		}
	}
}

// page asks for one page of a bucket and returns where the next begins.
func page(base, token string) (string, error) {
	resp, err := http.Get(base + "/storage/v1/b/" + storageBucket + "/o?maxResults=1000&pageToken=" + url.QueryEscape(token))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("list: %s, %w", resp.Status, err)
	}
	_, rest, _ := strings.Cut(string(body), `"nextPageToken":"`)
	next, _, _ := strings.Cut(rest, `"`)
	return next, nil
}

// manyObjects writes objects like the one called model into the store of a
// server that does not run.
func manyObjects(s *sheet, path string, n int) {
	s.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT name FROM pragma_table_info('objects') WHERE name <> 'name'")
	if err != nil {
		s.Fatal(err)
	}
	var columns []string
	for rows.Next() {
		var c string
		if err := rows.Scan(&c); err != nil {
			s.Fatal(err)
		}
		columns = append(columns, c)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		s.Fatal(err)
	}
	list := strings.Join(columns, ", ")
	_, err = db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO objects (name, `+list+`) SELECT printf('folder-%03d/object-%06d', i / 1000, i), `+list+` FROM n, objects WHERE name = 'model'`, n)
	if err != nil {
		s.Fatal(err)
	}
}
