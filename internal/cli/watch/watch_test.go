package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// observe watches dir and returns a function that waits until a path changed.
func observe(t *testing.T, dir string, o Options) (w *Watcher, await func(path string)) {
	t.Helper()
	w, err := New(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 10_000)
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, func(path string) { seen <- path }) }()
	end := errors.New("the end")
	t.Cleanup(func() {
		cancel(end)
		if err := <-ended; !errors.Is(err, end) {
			t.Errorf("Run returned %v", err)
		}
	})
	return w, func(want string) {
		t.Helper()
		limit := time.After(20 * time.Second)
		for {
			select {
			case got := <-seen:
				if got == want {
					return
				}
				if strings.Contains(got, "skipped") {
					t.Errorf("saw %s", got)
				}
			case <-limit:
				t.Fatalf("no change of %s was seen", want)
			}
		}
	}
}

func skip(path string, dir bool) bool {
	return path == "skipped" || strings.HasSuffix(path, ".skipped")
}

func TestWatch(t *testing.T) {
	for _, poll := range []bool{false, true} {
		t.Run(fmt.Sprintf("poll=%v", poll), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			main, deep := filepath.Join(dir, "main.py"), filepath.Join(dir, "lib", "deep", "x.py")
			put(t, main, "one")
			put(t, filepath.Join(dir, "skipped", "y.py"), "one")
			_, await := observe(t, dir, Options{Skip: skip, Poll: poll})
			put(t, filepath.Join(dir, "skipped", "y.py"), "two!")
			put(t, filepath.Join(dir, "a.skipped"), "two!")
			put(t, main, "two!")
			await(main)
			put(t, deep, "new")
			await(deep)
			put(t, deep, "newer")
			await(deep)
			// As editors save: the new file takes the place of the old one.
			put(t, main+".new", "three!!")
			if err := os.Rename(main+".new", main); err != nil {
				t.Fatal(err)
			}
			await(main)
			if err := os.RemoveAll(filepath.Join(dir, "lib")); err != nil {
				t.Fatal(err)
			}
			await(deep)
		})
	}
}

func TestTheRootIsReplaced(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "app")
	main := filepath.Join(dir, "main.py")
	put(t, main, "one")
	told := make(chan error, 1)
	_, await := observe(t, dir, Options{Fallback: func(err error) { told <- err }})
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if err := <-told; !errors.Is(err, errGone) {
		t.Errorf("told %v", err)
	}
	put(t, main, "two!")
	await(dir)
	put(t, main, "three!!")
	await(main)
}

func TestWithoutTheKernel(t *testing.T) {
	t.Parallel()
	for _, err := range []error{syscall.ENOSPC, syscall.EMFILE, fmt.Errorf("add: %w", syscall.ENOSPC)} {
		if !limited(err) {
			t.Errorf("%v ends the watching", err)
		}
	}
	if limited(syscall.ENOENT) {
		t.Error("a directory that is not there is no limit")
	}
	if _, err := New(filepath.Join(t.TempDir(), "none"), Options{}); err == nil {
		t.Error("a directory that is not there is watched")
	}
}

func TestALostEventMeansLookAtAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, await := observe(t, dir, Options{})
	w.notify.Errors <- fsnotify.ErrEventOverflow
	await(dir)
}
