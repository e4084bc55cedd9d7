//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestStorageCommands is an afternoon with sunya storage.
func TestStorageCommands(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	dir, back := t.TempDir(), t.TempDir()
	large := make([]byte, 40<<20)
	_, _ = rand.Read(large)
	for name, content := range map[string][]byte{"a.txt": []byte("a"), "deep/xb.txt": []byte("b"), "deep/large.bin": large} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	says := func(want string, args ...string) {
		t.Helper()
		if r := s.OK(append([]string{"storage"}, args...)...); !strings.Contains(r.Stdout+r.Stderr, want) {
			t.Errorf("%v: %q is not in\n%s%s", args, want, r.Stdout, r.Stderr)
		}
	}
	says("Created bucket [photos]", "buckets", "create", "gs://photos")
	says("Copied 3 objects", "cp", "-r", dir, "gs://photos/in")
	says("gs://photos/in/deep/xb.txt\n", "ls", "gs://photos/**/x*.txt")
	says("Copied 3 objects", "rsync", "-r", "gs://photos/in", back)
	says("Copied 0 objects", "rsync", "-r", dir, "gs://photos/in", "--delete-unmatched-destination-objects")
	if got, err := os.ReadFile(filepath.Join(back, "deep/large.bin")); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	says("Skipping", "cp", "-n", filepath.Join(dir, "a.txt"), "gs://photos/in/deep/xb.txt")
	says("b", "cat", "gs://photos/in/deep/xb.txt")
	says("Copied 3 objects", "cp", "-r", "gs://photos/in", "gs://photos/copy")
	says("Moved 1 objects", "mv", "gs://photos/copy/a.txt", "gs://photos/moved.txt")
	says("a", "cat", "gs://photos/moved.txt")
	signed := strings.TrimSpace(s.OK("storage", "sign-url", "gs://photos/in/a.txt", "--duration", "10m").Stdout)
	for url, want := range map[string]string{signed: "200 OK a", strings.Replace(signed, "a.txt", "deep/xb.txt", 1): "403 Forbidden"} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.Body.Close() != nil || !strings.HasPrefix(resp.Status+" "+string(body), want) {
			t.Errorf("%s: %s %q, %v, want %s", url, resp.Status, body, err, want)
		}
	}
	if r := s.CLI("storage", "rm", "gs://photos/nope"); r.Code != 3 {
		t.Errorf("rm of nothing: %+v", r)
	}
	says("Removed bucket [gs://photos]", "rm", "-r", "--yes", "gs://photos")
}

// s3Gateway starts an S3-compatible server that has a bucket blobs, and leaves its
// keys in the environment.
func s3Gateway(t *testing.T) (url, root string) {
	t.Helper()
	bin, err := filepath.Abs("../bin/tools/versitygw")
	if _, statErr := os.Stat(bin); err != nil || statErr != nil {
		t.Skip("SKIP: versitygw is not installed: SUNYA_DEPS=tests scripts/deps.sh")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, root := l.Addr().String(), t.TempDir()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "blobs"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "--port", address, "--access", "key", "--secret", "a secret", "--region", "here", "--quiet", "posix", "--sidecar", t.TempDir(), root)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a secret")
	return "s3://blobs/sunya?region=here&endpoint=http://" + address, root
}

// TestStorageInABucketOfS3 keeps objects in an S3-compatible store: over a kill,
// and away from the data directory.
func TestStorageInABucketOfS3(t *testing.T) {
	url, root := s3Gateway(t)
	s := platform.Start(t, "--blobs", url)
	path := filepath.Join(t.TempDir(), "large.bin")
	large := make([]byte, 40<<20)
	_, _ = rand.Read(large)
	if err := os.WriteFile(path, large, 0o600); err != nil {
		t.Fatal(err)
	}
	s.OK("storage", "mb", "gs://photos")
	s.OK("storage", "cp", path, "gs://photos")
	s.Kill()
	s.Up()
	s.OK("storage", "cp", "gs://photos/large.bin", path)
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	kept, err := filepath.Glob(filepath.Join(root, "blobs/sunya/s3-*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("in the bucket: %v, %v", kept, err)
	}
	s.OK("storage", "rm", "-r", "--yes", "gs://photos")
	if kept, _ := filepath.Glob(filepath.Join(root, "blobs/sunya/s3-*")); len(kept) != 0 {
		t.Errorf("left in the bucket: %v", kept)
	}
}
