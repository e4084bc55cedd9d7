//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya/e2e/platform"
	"github.com/sunya-cloud/sunya/e2e/testbench"
)

// retryProject is where Google's scenarios of retries play.
const retryProject = "my-project-id"

// TestStorageRetries runs the tests that Google's client for Go has of itself
// against Storage: its scenarios of what breaks, in each method, and what it then
// expects (retry_tests.json).
func TestStorageRetries(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	bench := testbench.Start(t, s.URL(), (&unlike{t: t, s: s}).before)
	t.Run("all", func(t *testing.T) {
		t.Run("python", func(t *testing.T) {
			t.Parallel()
			pythonLibrary.run(t, s.For(t), "storage_retries.py", "STORAGE_EMULATOR_HOST="+bench.URL)
		})
		runGoogles(t, bench)
	})
	checkGenerations(t, s)
}

// runGoogles runs them side by side.
func runGoogles(t *testing.T, bench *testbench.Bench) {
	program, dir := storageTests(t)
	for _, part := range []struct {
		name, run, skip string
		least           int
	}{
		// Those left out ask for KMS, for owners of objects, and, without saying so, for gRPC.
		{"everyday", `Emulated$/^http$`, `^Test(UpdateBucket|ObjectACLCRUD)Emulated|Unfinalized|Keepalive|CodecLeaks|GRPC`, 30},
		{"idempotent", `^TestRetryConformance$/^http-[1-4]-`, "", 50},
		{"errors", `^TestRetryConformance$/^http-[56]-`, "", 50},
		{"complex", `^TestRetryConformance$/^http-(7|8|9|1.)-`, "", 15},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			args := []string{"-test.v", "-test.short", "-test.run", part.run}
			if part.skip != "" {
				args = append(args, "-test.skip", part.skip)
			}
			cmd := exec.CommandContext(ctx, program, args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "STORAGE_EMULATOR_HOST="+bench.URL, "STORAGE_EMULATOR_HOST_GRPC=127.0.0.1:1")
			out, err := cmd.CombinedOutput()
			passed := len(passedRE.FindAll(out, -1))
			if err != nil || passed < part.least {
				t.Errorf("%d passed, %v\n%s", passed, err, strings.Join(failedRE.FindAllString(string(out), -1), "\n"))
			}
		})
	}
}

// checkGenerations reads all that is left in the buckets: no object has been made
// twice, and all are whole.
func checkGenerations(t *testing.T, s *platform.Server) {
	t.Helper()
	c := emulated(t, s.URL())
	found := 0
	buckets := c.Buckets(t.Context(), retryProject)
	for b, err := buckets.Next(); !errors.Is(err, iterator.Done); b, err = buckets.Next() {
		if err != nil {
			t.Fatal(err)
		}
		last := ""
		objects := c.Bucket(b.Name).Objects(t.Context(), &storage.Query{Versions: true})
		for o, err := objects.Next(); !errors.Is(err, iterator.Done); o, err = objects.Next() {
			if err != nil {
				t.Fatal(err)
			}
			if o.Name == last {
				t.Errorf("%s/%s has more than one generation", b.Name, o.Name)
			}
			last = o.Name
			r, err := c.Bucket(b.Name).Object(o.Name).Generation(o.Generation).NewReader(t.Context())
			if err != nil {
				t.Errorf("%s/%s: %v", b.Name, o.Name, err)
				continue
			}
			if n, err := io.Copy(io.Discard, r); err != nil || n != o.Size {
				t.Errorf("%s/%s: %d bytes of %d, %v", b.Name, o.Name, n, o.Size, err)
			}
			r.Close()
			found++
		}
	}
	if found < 100 {
		t.Errorf("%d objects are there", found)
	}
}

// emulated is Google's client at an address.
func emulated(t *testing.T, url string) *storage.Client {
	t.Helper()
	c, err := storage.NewClient(t.Context(), option.WithEndpoint(url+"/storage/v1/"), option.WithoutAuthentication(), storage.WithJSONReads())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

var (
	passedRE = regexp.MustCompile(`(?m)^    --- PASS: `)
	failedRE = regexp.MustCompile(`(?m)^ *--- FAIL: .*|^ +\S+_test.go:.*|^panic: .*`)
)

// storageTests builds the tests of Google's client, and returns where their data
// is.
func storageTests(t *testing.T) (program, dir string) {
	t.Helper()
	const module = "cloud.google.com/go/storage"
	where, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(t.TempDir(), "tests")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-o", program, module).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program, strings.TrimSpace(string(where))
}

// unlike makes requests that Google's testbench takes, and Storage refuses as Google
// does, into such that it takes.
type unlike struct {
	t    *testing.T
	s    *platform.Server
	keys atomic.Int64
}

func (u *unlike) before(r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/iam/testPermissions") && r.URL.RawQuery == "alt=json&prettyPrint=false": // some are asked for
		r.URL.RawQuery = "permissions=storage.objects.get"
	case r.Method != http.MethodPost:
	case strings.HasSuffix(r.URL.Path, "/b") && r.URL.Query().Get("project") == retryProject: // a second generation would show
		var b map[string]any
		if u.body(r, &b) {
			b["versioning"] = map[string]any{"enabled": true}
			u.setBody(r, b)
		}
	case strings.HasSuffix(r.URL.Path, "/notificationConfigs"): // the topic has to be there
		var n map[string]any
		if !u.body(r, &n) {
			return
		}
		u.setBody(r, n)
		topic, _ := n["topic"].(string)
		u.call(http.MethodPut, "/v1/"+strings.TrimPrefix(topic, "//pubsub.googleapis.com/"), "{}")
	case strings.HasSuffix(r.URL.Path, retryProject+"/hmacKeys"): // an account has ten keys
		q := r.URL.Query()
		q.Set("serviceAccountEmail", fmt.Sprintf("k%d-%s", u.keys.Add(1), q.Get("serviceAccountEmail")))
		r.URL.RawQuery = q.Encode()
	case strings.HasSuffix(r.URL.Path, "/lockRetentionPolicy"): // what is locked is there
		u.call(http.MethodPatch, strings.TrimSuffix(r.URL.Path, "/lockRetentionPolicy"), `{"retentionPolicy": {"retentionPeriod": "1"}}`)
		r.URL.RawQuery = "ifMetagenerationMatch=2"
	}
}

// body takes the document of a request.
func (u *unlike) body(r *http.Request, to any) bool {
	err := json.NewDecoder(r.Body).Decode(to)
	if err != nil && r.Context().Err() == nil {
		u.t.Errorf("%s: %v", r.URL, err)
	}
	return err == nil
}

func (u *unlike) setBody(r *http.Request, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		u.t.Error(err)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
}

func (u *unlike) call(method, path, body string) {
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.s.URL()+path, strings.NewReader(body))
	if err != nil {
		u.t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		u.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusConflict {
		u.t.Errorf("%s %s: %s", method, path, resp.Status)
	}
}
