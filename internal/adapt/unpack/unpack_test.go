package unpack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// programs are the launcher and the unpacker, built from this tree.
var programs struct{ launcher, unpack []byte }

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sunya-unpack-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for pkg, to := range map[string]*[]byte{
		"../linuxns/helper/cmd/sunya-launcher": &programs.launcher, "./cmd/sunya-unpack": &programs.unpack,
	} {
		out := filepath.Join(dir, filepath.Base(pkg))
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		text, err := cmd.CombinedOutput()
		if err == nil {
			*to, err = os.ReadFile(out)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", pkg, err, text)
			return 1
		}
	}
	return m.Run()
}

// world is an engine, a store and an unpacker over one data directory.
type world struct {
	dir      string
	engine   *linuxns.Engine
	store    *disk.Layers
	unpacker *Unpacker
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "sunya-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	w := &world{dir: dir}
	if w.engine, err = linuxns.Open(t.Context(), linuxns.Config{DataDir: dir, Launcher: programs.launcher}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := w.engine.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	w.reopen(t, time.Hour)
	return w
}

// reopen is what a new server does.
func (w *world) reopen(t testing.TB, grace time.Duration) {
	t.Helper()
	var err error
	if w.store, err = disk.OpenLayers(filepath.Join(w.dir, "layers"), grace, time.Now); err != nil {
		t.Fatal(err)
	}
	if w.unpacker, err = New(Config{
		Engine: w.engine, Store: w.store, Dir: filepath.Join(w.dir, "run"), Log: slog.New(slog.DiscardHandler),
		Program: programs.unpack, MaxBytes: 8 << 20, MaxFiles: 5000,
	}); err != nil {
		t.Fatal(err)
	}
	w.store.SetRemover(w.unpacker)
}

// tarball packs files of the form "name=text", "name/" and "name -> target".
func tarball(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Mode: 0o755}
		name, text, ok := strings.Cut(e, "=")
		link, target, isLink := strings.Cut(e, " -> ")
		switch {
		case ok:
			h.Name, h.Size = name, int64(len(text))
		case isLink:
			h.Name, h.Linkname, h.Typeflag = link, target, tar.TypeSymlink
		default:
			h.Name, h.Typeflag = e, tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil && ok {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// packed is an archive of a tar.
func packed(plain, bytesOf []byte) layers.Archive {
	return layers.Archive{
		Digest: digest(bytesOf), DiffID: digest(plain), MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Size: int64(len(bytesOf)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(bytesOf)), nil },
	}
}

func busybox(t testing.TB) []byte {
	t.Helper()
	program, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("busybox is not installed: SUNYA_DEPS=tests scripts/deps.sh")
	}
	return tarball(t, "bin/", "bin/busybox="+string(program), "bin/sh -> busybox", "bin/cat -> busybox", "bin/ls -> busybox")
}

// TestUnpackAndRun: from archives to a program in their file system.
func TestUnpackAndRun(t *testing.T) {
	w := newWorld(t)
	base, top := busybox(t), tarball(t, "etc/", "etc/motd=hello", "bin/", "bin/.wh.ls=")
	var root []string
	for _, plain := range [][]byte{base, top} {
		l, err := w.unpacker.Unpack(t.Context(), packed(plain, gz(plain)))
		if err != nil {
			t.Fatal(err)
		}
		if l.Target != "/" || l.Digest != digest(plain) {
			t.Errorf("layer = %+v", l)
		}
		dir, err := w.store.Path(l.Digest)
		if err != nil {
			t.Fatal(err)
		}
		root = append(root, dir)
	}
	s, err := w.engine.Start(t.Context(), sandbox.Spec{
		ID: "run", Profile: sandbox.Container, Root: root, Args: []string{"sh", "-c", "cat /etc/motd; test -e /bin/ls || echo gone"}, UIDRange: 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop(context.Background(), 0) }()
	stdout, _ := s.Output()
	if text, err := io.ReadAll(stdout); err != nil || !strings.HasPrefix(string(text), "hellogone") {
		t.Errorf("output = %q, %v", text, err)
	}
}

// TestOnceForAll: who asks while a layer is unpacked waits for it; who asks
// later finds it.
func TestOnceForAll(t *testing.T) {
	w := newWorld(t)
	plain := tarball(t, "a=x")
	a := packed(plain, gz(plain))
	var opened atomic.Int32
	open := a.Open
	a.Open = func(ctx context.Context) (io.ReadCloser, error) {
		opened.Add(1)
		return open(ctx)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := w.unpacker.Unpack(t.Context(), a); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.reopen(t, time.Hour)
	if _, err := w.unpacker.Unpack(t.Context(), a); err != nil || opened.Load() != 1 {
		t.Errorf("opened %d times, %v", opened.Load(), err)
	}
}

// TestRefused: the error says what is wrong, and nothing is left.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	plain := tarball(t, "a="+strings.Repeat("x", 100<<10))
	upwards := tarball(t, "ok=x", "../evil=x")
	bomb := append(tarball(t, "a=x"), make([]byte, 64<<20)...)
	change := func(f func(*layers.Archive)) layers.Archive {
		a := packed(plain, gz(plain))
		f(&a)
		return a
	}
	reading := errors.New("the wire is cut")
	tests := []struct {
		name string
		a    layers.Archive
		code sunya.Code
		want string
	}{
		{"another digest", change(func(a *layers.Archive) { a.Digest = digest(nil) }), sunya.InvalidArgument, "what was read has the digest"},
		{"another diff id", change(func(a *layers.Archive) { a.DiffID = digest(nil) }), sunya.InvalidArgument, "unpacked it has the digest"},
		{"cut off", change(func(a *layers.Archive) {
			a.Open = func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(gz(plain)[:50])), nil
			}
		}), sunya.InvalidArgument, "what was read has the digest"},
		{"nothing", change(func(a *layers.Archive) {
			a.Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(nil)), nil }
		}), sunya.InvalidArgument, "what was read has the digest"},
		{"cannot be opened", change(func(a *layers.Archive) {
			a.Open = func(context.Context) (io.ReadCloser, error) { return nil, reading }
		}), sunya.Unknown, "the wire is cut"},
		{"cannot be read", change(func(a *layers.Archive) {
			a.Open = func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(bytes.NewReader(gz(plain)[:20]), failing{reading})), nil
			}
		}), sunya.Unknown, "the wire is cut"},
		{"leads outside", packed(upwards, gz(upwards)), sunya.InvalidArgument, `entry "../evil"`},
		{"bomb", packed(bomb, gz(bomb)), sunya.ResourceExhausted, "unpacks to more than 8 MiB"},
		{"media type", change(func(a *layers.Archive) { a.MediaType = "text/html" }), sunya.InvalidArgument, `media type "text/html"`},
		{"digest", change(func(a *layers.Archive) { a.Digest = "sha512:x" }), sunya.InvalidArgument, "is not sha256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.unpacker.Unpack(t.Context(), tt.a)
			if err == nil || sunya.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v (%v), want %v %q", err, sunya.CodeOf(err), tt.code, tt.want)
			}
			for _, dir := range []string{"layers/tmp", "layers/image"} {
				if left, err := os.ReadDir(filepath.Join(w.dir, dir)); err != nil || len(left) > 0 {
					t.Errorf("%s holds %v, %v", dir, left, err)
				}
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestGivenUp: the last who waits takes the work with him.
func TestGivenUp(t *testing.T) {
	w := newWorld(t)
	plain := tarball(t, "a=x")
	a := packed(plain, plain)
	begun := make(chan struct{})
	a.Open = func(ctx context.Context) (io.ReadCloser, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	if _, err := w.unpacker.Unpack(ctx, a); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	// The next begins anew.
	if _, err := w.unpacker.Unpack(t.Context(), packed(plain, plain)); err != nil {
		t.Error(err)
	}
}

// TestCollected: layers that nobody needs are removed, and what a crash left,
// although the server could not.
func TestCollected(t *testing.T) {
	w := newWorld(t)
	kept, gone := tarball(t, "a=x"), tarball(t, "b/", "b/c=x")
	for _, plain := range [][]byte{kept, gone} {
		if _, err := w.unpacker.Unpack(t.Context(), packed(plain, plain)); err != nil {
			t.Fatal(err)
		}
	}
	stage, err := w.store.StageUnpacked(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stage.Files, "half"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.reopen(t, 0)
	if err := w.store.Collect(t.Context(), map[string]bool{digest(kept): true}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Path(digest(kept)); err != nil {
		t.Error(err)
	}
	if _, err := w.store.Path(digest(gone)); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("error = %v", err)
	}
	left, err := filepath.Glob(filepath.Join(w.dir, "layers", "*", "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestOwners: no file on the disk belongs to root of the host, and only the
// program's sandboxes may write there.
func TestOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a user has no ranges")
	}
	w := newWorld(t)
	plain := tarball(t, "a=x", "d/")
	l, err := w.unpacker.Unpack(t.Context(), packed(plain, plain))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := w.store.Path(l.Digest)
	if err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("stat", "-c", "%u %g", dir, dir+"/a", dir+"/d").Output()
	base := fmt.Sprint(linuxns.UIDBase(sunya.LayersRange))
	if want := strings.Repeat(base+" "+base+"\n", 3); err != nil || string(text) != want {
		t.Errorf("owners = %q, %v, want %q", text, err, want)
	}
	_, err = w.engine.Start(t.Context(), sandbox.Spec{
		ID: "thief", Profile: sandbox.Build, Args: []string{"true"}, UIDRange: 30,
		Mounts: []sandbox.Mount{{Source: dir, Target: "/l", Writable: true, Owned: true}},
	})
	if sunya.CodeOf(err) != sunya.InvalidArgument {
		t.Errorf("error = %v", err)
	}
}

func BenchmarkUnpack(b *testing.B) {
	w := newWorld(b)
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("dir/%d=%s", i, strings.Repeat("x", 2000)))
	}
	for i := 0; b.Loop(); i++ {
		plain := tarball(b, append(names, fmt.Sprintf("n=%d", i))...)
		if _, err := w.unpacker.Unpack(b.Context(), packed(plain, gz(plain))); err != nil {
			b.Fatal(err)
		}
	}
}
