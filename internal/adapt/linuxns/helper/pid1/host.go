package pid1

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// systemDirs are what the host stack shows of the host. On a merged-usr
// machine all but the first are links into it.
var systemDirs = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// etcAllowed are the entries of the host's /etc that are shown, as patterns:
// what runtimes and their TLS need, nothing about users or services.
var etcAllowed = []string{
	"alternatives", "java*", "ld.so.cache", "localtime", "mime.types", "nodejs", "php", "pki", "protocols",
	"python3*", "ruby", "services", "ssl/certs", "ssl/openssl.cnf", "timezone",
}

// copyBytes is up to which size a file is copied: every mount takes a lock of
// the whole machine, for making and again for ending it.
const copyBytes = 128 << 10

// entry is one thing of the host: a link to repeat, a small file to copy, or a
// tree to mount.
type entry struct {
	path string
	link string
	data []byte
	tree int
}

// cloneHost gathers what is shown of the host.
func cloneHost() ([]entry, error) {
	paths := append([]string(nil), systemDirs...)
	for _, pattern := range etcAllowed {
		matches, err := filepath.Glob("/etc/" + pattern)
		if err != nil {
			return nil, fmt.Errorf("list /etc: %w", err)
		}
		paths = append(paths, matches...)
	}
	var entries []entry
	for _, path := range paths {
		e, err := cloneEntry(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func cloneEntry(path string) (entry, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return entry{}, err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := os.Readlink(path)
		return entry{path: path, link: link}, err
	case info.Mode().IsRegular() && info.Size() <= copyBytes:
		data, err := os.ReadFile(path)
		return entry{path: path, data: data}, err
	}
	tree, err := clone(unix.AT_FDCWD, path, readOnly)
	return entry{path: path, tree: tree}, err
}

func (r *root) attachHost(entries []entry) error {
	for _, e := range entries {
		var err error
		switch {
		case e.link != "":
			err = r.symlink(e.link, e.path)
		case e.tree > 0:
			err = r.attach(e.tree, e.path)
		default:
			err = r.writeFile(e.path, e.data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// generated is a file that says who or where the sandbox is.
type generated struct{ path, text string }

// whereabouts are the files that say where it is.
func whereabouts(hostname string) []generated {
	return []generated{
		{"/etc/hostname", hostname + "\n"},
		{"/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n" + sandbox.GuestIP + " " + hostname + "\n"},
		{"/etc/resolv.conf", "nameserver " + sandbox.MetadataIP + "\noptions timeout:5 attempts:2\n"},
	}
}

// accounts are the files of /etc that the host stack has instead of the host's.
var accounts = []generated{
	{"/etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\napp:x:1000:1000:app:/tmp:/bin/sh\n" +
		"nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"},
	{"/etc/group", "root:x:0:\napp:x:1000:\nnogroup:x:65534:\n"},
	{"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"},
}

func (r *root) writeFiles(files []generated) error {
	for _, f := range files {
		if err := r.writeFile(f.path, []byte(f.text)); err != nil {
			return err
		}
	}
	return nil
}

func (r *root) writeFile(path string, data []byte) error {
	dir, err := r.target(filepath.Dir(path), true)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = unix.Close(dir) }()
	fd, err := unix.Openat(dir, filepath.Base(path), unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = unix.Write(fd, data)
	return errors.Join(err, unix.Close(fd))
}

func (r *root) symlink(link, path string) error {
	dir, err := r.target(filepath.Dir(path), true)
	if err != nil {
		return fmt.Errorf("link %s: %w", path, err)
	}
	defer func() { _ = unix.Close(dir) }()
	if err := unix.Symlinkat(link, dir, filepath.Base(path)); err != nil {
		return fmt.Errorf("link %s: %w", path, err)
	}
	return nil
}
