package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func me() Owner { return Owner{UID: os.Getuid(), GID: os.Getgid()} }

func TestSecondServerIsRefusedAndToldWho(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	d, err := Open(path, me())
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, me())
	if sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Fatalf("second Open: %v, want FailedPrecondition", err)
	}
	if want := fmt.Sprintf("pid %d", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not name the holder (%s)", err, want)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, me())
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	again.Close()
}

func TestADirectoryOfOtherFilesIsLeftAsItWas(t *testing.T) {
	path := t.TempDir()
	if err := os.Chmod(path, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(path, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	letter := filepath.Join(path, "letter.txt")
	if err := os.WriteFile(letter, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path, me())
	if sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(err.Error(), "letter.txt") {
		t.Fatalf("Open: %v, want FailedPrecondition that names the file", err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o750 {
		t.Errorf("the directory was changed: %v %v", fi, err)
	}
	if err := os.Remove(letter); err != nil {
		t.Fatal(err)
	}
	d, err := Open(path, me())
	if err != nil {
		t.Fatalf("a file system of its own: %v", err)
	}
	d.Close()
}

func TestAFileIsLeftAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Owner{os.Getuid(), os.Getgid()}); sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("err = %v, want that it is not a directory", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("info = %v, %v: the file was changed", info, err)
	}
}

func TestEphemeralLeavesNothing(t *testing.T) {
	d, err := Open("", me())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Join("blobs", "x"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Path()); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", d.Path(), err)
	}
}

func TestWorkspacesOfADeadServerAreCleared(t *testing.T) {
	path := t.TempDir()
	d, err := Open(path, me())
	if err != nil {
		t.Fatal(err)
	}
	ws, err := d.Create("b1")
	if err != nil {
		t.Fatal(err)
	}
	shut := filepath.Join(ws, "shut") // as a build may leave it: without root nobody gets in
	if err := errors.Join(os.Mkdir(shut, 0o755), os.WriteFile(filepath.Join(shut, "main.py"), nil, 0o600), os.Chmod(shut, 0)); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d, err = Open(path, me())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := os.Stat(ws); !os.IsNotExist(err) {
		t.Errorf("workspace is still there: %v", err)
	}
	if err := d.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if old, _ := filepath.Glob(d.Join("builds.*")); len(old) > 0 {
		t.Errorf("left after the sweep: %v", old)
	}
}

// TestTheLockIsPassedOn: both servers hold it until the first has left, and no
// third one gets in.
func TestTheLockIsPassedOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	first, err := Open(path, me())
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(first.Lock().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Inherit(path, me(), os.NewFile(uintptr(fd), "passed"))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Leave(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, me()); sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("a third server: %v, want FailedPrecondition", err)
	}
	other, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Inherit(path, me(), other); sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("another file: %v, want FailedPrecondition", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	third, err := Open(path, me())
	if err != nil {
		t.Fatal(err)
	}
	third.Close()
}
