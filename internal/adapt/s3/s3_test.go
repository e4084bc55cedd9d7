package s3

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/storetest"
)

// gateway starts Versity's S3 gateway over a directory: a server of its own,
// which checks signatures and checksums. scripts/deps.sh builds it for the tests.
func gateway(t *testing.T) (endpoint string, getenv func(string) string) {
	t.Helper()
	bin, err := filepath.Abs("../../../bin/tools/versitygw")
	if _, statErr := os.Stat(bin); statErr != nil {
		if bin, err = exec.LookPath("versitygw"); err != nil {
			t.Skip("SKIP: versitygw is not installed: SUNYA_DEPS=tests scripts/deps.sh")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	root := t.TempDir()
	if err := errorsOf(l.Close(), os.Mkdir(filepath.Join(root, "blobs"), 0o700)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "--port", address, "--access", "key", "--secret", "a secret", "--region", "here", "--quiet", "posix", "--sidecar", t.TempDir(), root)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/")
		if err == nil {
			_ = resp.Body.Close()
			break
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
	env := map[string]string{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "a secret", "AWS_REGION": "here"}
	return "http://" + address, func(name string) string { return env[name] }
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestBlobs(t *testing.T) {
	endpoint, getenv := gateway(t)
	n := 0
	storetest.Blobs(t, partSize+5<<20, func(t *testing.T, now func() time.Time) storetest.BlobStore {
		n++
		b, err := Open(t.Context(), "s3://blobs/p"+strings.Repeat("/x", n)+"?endpoint="+endpoint, getenv, time.Hour, now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = b.Sweep(t.Context(), func(string) (bool, error) { return false, nil })
		})
		return storetest.BlobStore{Blobs: b, Left: func() []string { return left(t, b) }, Broken: func() { broken(t, b) }, Parts: func() int { return parts(t, b) }}
	})
}

func left(t *testing.T, b *Blobs) []string {
	t.Helper()
	var out []string
	for o := range b.core.Client.ListObjects(t.Context(), b.bucket, minio.ListObjectsOptions{Prefix: b.prefix + "s3-", Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		out = append(out, strings.TrimPrefix(o.Key, b.prefix))
	}
	return out
}

// broken begins an upload in parts and never ends it.
func broken(t *testing.T, b *Blobs) {
	t.Helper()
	key := b.prefix + "s3-" + strings.Repeat("0a", 16)
	id, err := b.core.NewMultipartUpload(t.Context(), b.bucket, key, minio.PutObjectOptions{})
	if err == nil {
		_, err = b.core.PutObjectPart(t.Context(), b.bucket, key, id, 1, strings.NewReader("half"), 4, minio.PutObjectPartOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func parts(t *testing.T, b *Blobs) (n int) {
	t.Helper()
	for u := range b.core.Client.ListIncompleteUploads(t.Context(), b.bucket, b.prefix, true) {
		if u.Err != nil {
			t.Fatal(u.Err)
		}
		n++
	}
	return n
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	endpoint, getenv := gateway(t)
	for url, want := range map[string]string{
		"s3://nope?endpoint=" + endpoint:             "there is no bucket nope",
		"s3://blobs?endpoint=http://127.0.0.1:1":     "cannot be used",
		"s3://blobs?region=here&endpoint=ftp://x":    "is no address",
		"s3://?endpoint=" + endpoint:                 "it names no bucket",
		"http://blobs":                               "it names no bucket",
		"s3://key:secret@blobs?endpoint=" + endpoint: "AWS_ACCESS_KEY_ID",
		"s3://blobs?endpont=" + endpoint:             "there is no parameter endpont",
	} {
		if _, err := Open(t.Context(), url, getenv, time.Hour, time.Now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	wrong := func(name string) string {
		if name == "AWS_SECRET_ACCESS_KEY" {
			return "another secret"
		}
		return getenv(name)
	}
	if _, err := Open(t.Context(), "s3://blobs?endpoint="+endpoint, wrong, time.Hour, time.Now); sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("with a wrong secret: %v", err)
	}
	none := func(name string) string { return map[string]string{"AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}[name] }
	if _, err := Open(t.Context(), "s3://blobs?endpoint="+endpoint, none, time.Hour, time.Now); err == nil || !strings.Contains(err.Error(), "needs credentials") {
		t.Errorf("without credentials: %v", err)
	}
}

func TestParse(t *testing.T) {
	env := func(name string) string {
		return map[string]string{"AWS_ENDPOINT_URL_S3": "https://minio.example", "AWS_DEFAULT_REGION": "eu"}[name]
	}
	empty := func(string) string { return "" }
	for _, tt := range []struct {
		url    string
		getenv func(string) string
		want   Config
	}{
		{"s3://b", empty, Config{"b", "", "https://s3.amazonaws.com", ""}},
		{"s3://b/", env, Config{"b", "", "https://minio.example", "eu"}},
		{"s3://b/a/b/?endpoint=host:9000&region=us", env, Config{"b", "a/b/", "https://host:9000", "us"}},
		{"s3://b?endpoint=http://127.0.0.1:9000/", empty, Config{"b", "", "http://127.0.0.1:9000", ""}},
	} {
		if got, err := Parse(tt.url, tt.getenv); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v, want %+v", tt.url, got, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("s3://b/p?endpoint=http://h:1&region=r")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := Parse(s, func(string) string { return "" }); err == nil && (c.Bucket == "" || c.Endpoint == "") {
			t.Errorf("%q: %+v", s, c)
		}
	})
}

// TestBoth: what was written before a bucket was used stays, and so does what was
// written into it.
func TestBoth(t *testing.T) {
	endpoint, getenv := gateway(t)
	files, err := disk.OpenBlobs(filepath.Join(t.TempDir(), "blobs"), time.Hour, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := Open(t.Context(), "s3://blobs?endpoint="+endpoint, getenv, time.Hour, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	without, with := Both{Files: files}, Both{files, bucket}
	var blobs []string
	for _, b := range []Both{without, with} {
		w, err := b.Write(t.Context(), strings.NewReader("x"), 1)
		if err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, w.Blob)
	}
	if blobRE.MatchString(blobs[0]) || !blobRE.MatchString(blobs[1]) {
		t.Errorf("blobs = %v", blobs)
	}
	for _, blob := range blobs {
		r, err := with.Open(t.Context(), blob)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
	}
	if _, err := without.Open(t.Context(), blobs[1]); sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("without the bucket: %v", err)
	}
	if err := errorsOf(with.Sweep(t.Context(), func(string) (bool, error) { return false, nil }), with.Delete(t.Context(), blobs[0]), with.Delete(t.Context(), blobs[1])); err != nil {
		t.Error(err)
	}
	if got := left(t, bucket); !slices.Equal(got, nil) {
		t.Errorf("left: %v", got)
	}
}
