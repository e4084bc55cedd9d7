package source

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func tree(t *testing.T) (data, host string) {
	t.Helper()
	root := t.TempDir()
	data, host = filepath.Join(root, "data"), filepath.Join(root, "host")
	for _, dir := range []string{data + "/layers/a", data + "/keys/admin.token", data + "/state.db", data + "/state.db-wal", host + "/lib", root + "/secret"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		data + "/out": root + "/secret", data + "/in": "layers", host + "/in": "lib", host + "/out": root + "/secret",
	} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	return data, host
}

func TestOpen(t *testing.T) {
	data, host := tree(t)
	roots := Roots{Data: data, Host: []string{host}}
	tests := []struct {
		name     string
		path     string
		writable bool
		ok       bool
	}{
		{"data itself", data, true, false},
		{"data itself for reading", data, false, false},
		{"keys", data + "/keys", false, false},
		{"a key", data + "/keys/admin.token", false, false},
		{"state", data + "/state.db", false, false},
		{"log of the state", data + "/state.db-wal", false, false},
		{"beneath data", data + "/layers/a", true, true},
		{"link inside data", data + "/in/a", false, false},
		{"link out of data", data + "/out", false, false},
		{"neighbour of data", data + "x", false, false},
		{"parent", data + "/..", false, false},
		{"not clean", data + "//layers", false, false},
		{"relative", "layers", false, false},
		{"host", host + "/lib", false, true},
		{"host for writing", host + "/lib", true, false},
		{"link inside host", host + "/in", false, true},
		{"link out of host", host + "/out", false, false},
		{"elsewhere", "/etc", false, false},
		{"root", "/", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fd, err := roots.Open(tt.path, tt.writable)
			if err == nil {
				_ = unix.Close(fd)
			}
			if (err == nil) != tt.ok {
				t.Errorf("error = %v, want success %v", err, tt.ok)
			}
		})
	}
}

// TestSwappedSource is probe S4: a directory that user code exchanges for a
// link while it is being opened, 10,000 times.
func TestSwappedSource(t *testing.T) {
	data, _ := tree(t)
	roots := Roots{Data: data}
	var secret unix.Stat_t
	if err := unix.Stat(filepath.Join(filepath.Dir(data), "secret"), &secret); err != nil {
		t.Fatal(err)
	}
	stop, swapped := make(chan struct{}), make(chan error, 1)
	go func() { swapped <- swap(data+"/layers/a", data+"/out", stop) }()
	hits, opened := 0, 0
	for range 10000 {
		fd, err := roots.Open(data+"/layers/a", true)
		if err != nil {
			continue
		}
		opened++
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err == nil && st.Ino == secret.Ino {
			hits++
		}
		_ = unix.Close(fd)
	}
	close(stop)
	if err := <-swapped; err != nil {
		t.Fatal(err)
	}
	if hits > 0 || opened == 0 {
		t.Errorf("%d of %d opens led outside", hits, opened)
	}
}

// swap exchanges two names until stop is closed.
func swap(a, b string, stop chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
			return err
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, seed := range []string{"layers/a", "../secret", "in/../../secret", "out", "a\x00b", "/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rel string) {
		data, _ := tree(t)
		fd, err := Roots{Data: data}.Open(data+"/"+rel, true)
		if err != nil {
			return
		}
		defer func() { _ = unix.Close(fd) }()
		link, err := os.Readlink(filepath.Join("/proc/self/fd", strconv.Itoa(fd)))
		if err != nil || !strings.HasPrefix(link, data) {
			t.Errorf("%q opened %s, %v", rel, link, err)
		}
	})
}

func TestOutsideIsTold(t *testing.T) {
	if _, err := (Roots{}).Open("/etc", false); !errors.Is(err, ErrOutside) {
		t.Errorf("error = %v", err)
	}
}
