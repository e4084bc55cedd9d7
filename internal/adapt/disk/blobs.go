package disk

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Blobs keeps the bytes of objects, each blob a file:
//
//	ab/abcd…   a complete blob; the name is 128 random bits in hex
//	tmp/ID/    blobs being written by one server, which holds a lock on the
//	           directory, and large ones being removed; emptied at the next
//	           start after its end
//
// Names are random and not hashes of the content: two uploads never meet in one
// file, so deleting an object can delete its blob. It implements objects.Blobs
// and is safe for concurrent use.
type Blobs struct {
	dir   string
	tmp   *os.File // where blobs are written, locked
	grace time.Duration
	now   func() time.Time

	removing sync.Mutex // of large blobs, one after the other
}

var _ objects.Blobs = (*Blobs)(nil)

var blobRE = regexp.MustCompile(`^[0-9a-f]{32}$`)

// OpenBlobs opens the store in dir, which is made when missing, and removes what a
// crash left half-written, not what another server is still writing. Sweep spares what
// was written less than grace ago; an upload must be recorded within that time.
func OpenBlobs(dir string, grace time.Duration, now func() time.Time) (*Blobs, error) {
	b := &Blobs{dir: dir, grace: grace, now: now}
	if err := b.openTmp(filepath.Join(dir, "tmp")); err != nil {
		return nil, fmt.Errorf("open blobs: %w", diskError(err))
	}
	for i := range 256 {
		err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("%02x", i)), 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("open blobs: %w", diskError(err))
		}
	}
	if err := syncBlobDir(dir); err != nil {
		return nil, fmt.Errorf("open blobs: %w", diskError(err))
	}
	return b, nil
}

// openTmp makes this server's own directory in all and removes those that nobody
// holds a lock on any more.
func (b *Blobs) openTmp(all string) error {
	if err := os.MkdirAll(all, 0o700); err != nil {
		return err
	}
	left, err := os.ReadDir(all)
	if err != nil {
		return err
	}
	for _, e := range left {
		path := filepath.Join(all, e.Name())
		f, err := lockFile(path)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(path), f.Close()); err != nil {
			return err
		}
	}
	own, err := os.MkdirTemp(all, "")
	if err != nil {
		return err
	}
	b.tmp, err = lockFile(own)
	return err
}

// lockFile opens a file or a directory and locks it until it is closed.
func lockFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (b *Blobs) path(blob string) string { return filepath.Join(b.dir, blob[:2], blob) }

// Write copies r to a new blob. An error of r comes back as it is; the disk's
// are ResourceExhausted when it is full and Unavailable otherwise.
func (b *Blobs) Write(ctx context.Context, r io.Reader, limit int64) (objects.Written, error) {
	f, err := os.CreateTemp(b.tmp.Name(), "blob-")
	if err != nil {
		return objects.Written{}, fmt.Errorf("write blob: %w", diskError(err))
	}
	s := newSums()
	if err := copyBlob(ctx, &flowing{File: f}, s, r, limit); err != nil {
		return objects.Written{}, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	var id [16]byte
	rand.Read(id[:])
	blob := hex.EncodeToString(id[:])
	if err := b.publish(f, blob); err != nil {
		return objects.Written{}, fmt.Errorf("write blob: %w", diskError(err))
	}
	return s.written(blob), nil
}

// publish gives a file its name and makes both durable, or removes it. The name
// comes first: syncing the file then writes the name with it on most file
// systems, so that syncing the directory finds nothing left to do. Until Write
// returns nobody knows the name, and what a crash leaves half-written is swept.
func (b *Blobs) publish(f *os.File, blob string) error {
	path := b.path(blob)
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err := errors.Join(f.Sync(), f.Close(), syncBlobDir(filepath.Dir(path))); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// Open returns a blob's bytes; NotFound when there is no such blob.
func (b *Blobs) Open(_ context.Context, blob string) (io.ReadSeekCloser, error) {
	if !blobRE.MatchString(blob) {
		return nil, sunya.Errorf(sunya.NotFound, blob, "not the name of a blob")
	}
	f, err := os.Open(b.path(blob))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, sunya.Errorf(sunya.NotFound, blob, "the blob does not exist")
	}
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", diskError(err))
	}
	return f, nil
}

// largeBlob is from which size on nobody waits until a blob's space is free: for a
// GiB that takes a third of a second.
const largeBlob = 16 << 20

// Delete removes a blob. One that is gone is not an error.
func (b *Blobs) Delete(_ context.Context, blob string) error {
	if !blobRE.MatchString(blob) {
		return sunya.Errorf(sunya.NotFound, blob, "not the name of a blob")
	}
	path := b.path(blob)
	if info, err := os.Stat(path); err == nil && info.Size() >= largeBlob {
		aside := filepath.Join(b.tmp.Name(), blob)
		if err := os.Rename(path, aside); err == nil {
			go func() {
				b.removing.Lock()
				defer b.removing.Unlock()
				_ = os.Remove(aside) // or the next start does
			}()
			return nil
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete blob: %w", diskError(err))
	}
	return nil
}

// Sweep removes what inUse does not know. It goes on past blobs that cannot be
// removed and returns their errors.
func (b *Blobs) Sweep(ctx context.Context, inUse func(blob string) (bool, error)) error {
	old := b.now().Add(-b.grace)
	var errs []error
	for i := range 256 {
		entries, err := os.ReadDir(filepath.Join(b.dir, fmt.Sprintf("%02x", i)))
		if err != nil {
			return fmt.Errorf("sweep blobs: %w", diskError(err))
		}
		for _, e := range entries {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			errs = append(errs, b.sweep(ctx, e, old, inUse))
		}
	}
	return errors.Join(errs...)
}

func (b *Blobs) sweep(ctx context.Context, e fs.DirEntry, old time.Time, inUse func(string) (bool, error)) error {
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) || !blobRE.MatchString(e.Name()) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep blobs: %w", diskError(err))
	}
	if info.ModTime().After(old) {
		return nil
	}
	used, err := inUse(e.Name())
	if err != nil {
		return fmt.Errorf("sweep blobs: %w", err)
	}
	if used {
		return nil
	}
	return b.Delete(ctx, e.Name())
}
