//go:build e2e

package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestFullDisk (F7): writes are refused with a reason, what serves goes on
// serving, and everything works again once there is room.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP: needs root to mount a small file system")
	}
	small, err := os.MkdirTemp("", "sunya-small-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(small) })
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=96m,mode=755", "tmpfs", small).CombinedOutput(); err != nil {
		t.Skipf("SKIP: mount: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", small).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	s := platform.Start(t, "--data", filepath.Join(small, "data"))
	host := s.Deploy(platform.Bare(t, "before"))
	if got := s.Get(host, "/"); got != "before" {
		t.Fatalf("%q", got)
	}

	filler := filepath.Join(small, "filler")
	fill(t, filler)
	big := platform.Bare(t, "during")
	if err := os.WriteFile(filepath.Join(big, "data.bin"), bytes.Repeat([]byte("x"), 4<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	r := s.CLI("app", "deploy", big, "--quiet")
	if r.Code == 0 {
		t.Error("a deploy succeeded on a full disk")
	}
	if !strings.Contains(r.Stderr, "ERROR:") || !strings.Contains(strings.ToLower(r.Stderr), "space") && !strings.Contains(r.Stderr, "full") {
		t.Errorf("the error does not say that the disk is full:\n%s", r.Stderr)
	}
	if got := s.Get(host, "/"); got != "before" {
		t.Errorf("while the disk is full: %q", got)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.Eventually(60*time.Second, "deploys work again", func() error {
		if r := s.CLI("app", "deploy", platform.Bare(t, "after"), "--quiet"); r.Code != 0 {
			return fmt.Errorf("%s", r.Stderr)
		}
		return nil
	})
	if got := s.Get(host, "/"); got != "after" {
		t.Errorf("after there was room again: %q", got)
	}
	s.NoOrphans()
	s.Stop()
}

// fill writes until nothing fits any more.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4 << 10} {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
}

// TestUploadOverQuota: a file above the limit is refused and leaves nothing.
func TestUploadOverQuota(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	s.OK("app", "services", "list") // makes the application's bucket known
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	target := s.URL() + "/upload/storage/v1/b/staging.sunya.appspot.com/o?uploadType=media&name=big"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, io.LimitReader(zeros{}, 65<<30))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 65 << 30
	resp, err := platform.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode < 400 || resp.StatusCode >= 500 || !strings.Contains(string(body), "64 GiB") {
		t.Errorf("%s %s: want a refusal that names the limit", resp.Status, body)
	}
	blobs := 0
	_ = filepath.WalkDir(filepath.Join(s.Data, "blobs"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			blobs++
		}
		return nil
	})
	if blobs > 0 && os.Getuid() == 0 {
		t.Errorf("%d blobs were left behind", blobs)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestHostileArchives (S12): a source archive with names that lead out of it is
// refused, naming the entry.
func TestHostileArchives(t *testing.T) {
	s := platform.Start(t)
	s.OK("app", "services", "list")
	for _, name := range []string{"../evil.py", "/etc/evil", "a/../../evil", `..\evil.py`, "C:/evil"} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, f := range []struct{ name, content string }{{"main.py", "app = None\n"}, {name, "x"}} {
			w, err := z.CreateRaw(&zip.FileHeader{Name: f.name, Method: zip.Store, UncompressedSize64: uint64(len(f.content)), CompressedSize64: uint64(len(f.content)), CRC32: crc(f.content)})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(w, f.content)
		}
		z.Close()
		post(t, s.URL()+"/upload/storage/v1/b/staging.sunya.appspot.com/o?uploadType=media&name=src.zip", "application/zip", b.Bytes())
		op := post(t, s.URL()+"/v1/apps/sunya/services/default/versions", "application/json",
			[]byte(`{"id":"evil","runtime":"python311","entrypoint":{"shell":"python3 main.py"},"deployment":{"zip":{"sourceUrl":"https://storage.googleapis.com/staging.sunya.appspot.com/src.zip"}}}`))
		opName := between(string(op), `"name":`, `,`)
		opName = strings.Trim(strings.TrimSpace(opName), `"`)
		s.Eventually(30*time.Second, "refused "+name, func() error {
			resp, err := platform.Client.Get(s.URL() + "/v1/" + opName)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			doc, _ := io.ReadAll(resp.Body)
			if !strings.Contains(string(doc), `"error"`) {
				return fmt.Errorf("%s", doc)
			}
			if !strings.Contains(string(doc), "evil") {
				t.Errorf("%s: the error does not name the entry: %s", name, doc)
			}
			return nil
		})
	}
	if left, _ := filepath.Glob(filepath.Join(s.Data, "builds", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if out := s.OK("app", "versions", "list", "--format", "json").Stdout; strings.TrimSpace(out) != "[]" {
		t.Errorf("versions left behind: %s", out)
	}
}

func post(t *testing.T, target, contentType string, body []byte) []byte {
	t.Helper()
	if _, err := url.Parse(target); err != nil {
		t.Fatal(err)
	}
	resp, err := platform.Client.Post(target, contentType, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("POST %s: %s %v %s", target, resp.Status, err, out)
	}
	return out
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func crc(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }
