package disk

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// upload is what is known of an upload besides its file.
type upload struct {
	turn chan struct{} // holds one token: whoever has it works on the upload
	sum  hash.Hash     // SHA-256 of the first n bytes
	n    int64
}

// An upload's id is 128 random bits and a hash of its owner, in hex: a client
// cannot go on with an upload of another repository, and no record is needed to
// know whose it is.
var uploadRE = regexp.MustCompile(`^[0-9a-f]{48}$`)

func ownerMark(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return hex.EncodeToString(sum[:8])
}

func noUpload(id string) error {
	return sunya.Errorf(sunya.NotFound, "", "there is no upload %.100q", id)
}

func (d *Images) uploadPath(id string) string { return filepath.Join(d.dir, "uploads", id) }

// Begin implements registry.Blobs.
func (d *Images) Begin(_ context.Context, owner string) (string, error) {
	var random [16]byte
	rand.Read(random[:])
	id := hex.EncodeToString(random[:]) + ownerMark(owner)
	f, err := os.OpenFile(d.uploadPath(id), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("begin upload: %w", diskError(err))
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("begin upload: %w", diskError(err))
	}
	return id, nil
}

// claim waits until nobody works on an upload and returns it; release ends the
// work. gone forgets the upload, too.
func (d *Images) claim(ctx context.Context, owner, id string) (u *upload, release func(gone bool), err error) {
	if !uploadRE.MatchString(id) || id[32:] != ownerMark(owner) {
		return nil, nil, noUpload(id)
	}
	d.mu.Lock()
	u = d.uploads[id]
	if u == nil {
		if _, err := os.Stat(d.uploadPath(id)); err != nil {
			d.mu.Unlock()
			return nil, nil, noUpload(id)
		}
		u = &upload{turn: make(chan struct{}, 1), sum: sha256.New()}
		u.turn <- struct{}{}
		d.uploads[id] = u
	}
	d.mu.Unlock()
	select {
	case <-u.turn:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	return u, func(gone bool) {
		if gone {
			d.mu.Lock()
			delete(d.uploads, id)
			d.mu.Unlock()
		}
		u.turn <- struct{}{}
	}, nil
}

// open returns the file of a claimed upload and its size.
func (d *Images) open(id string) (*os.File, int64, error) {
	f, err := os.OpenFile(d.uploadPath(id), os.O_RDWR|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, noUpload(id)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open upload: %w", diskError(err))
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open upload: %w", diskError(err)), f.Close())
	}
	return f, info.Size(), nil
}

// Uploaded implements registry.Blobs.
func (d *Images) Uploaded(ctx context.Context, owner, id string) (int64, error) {
	_, release, err := d.claim(ctx, owner, id)
	if err != nil {
		return 0, err
	}
	f, size, err := d.open(id)
	release(err != nil)
	if err != nil {
		return 0, err
	}
	return size, f.Close()
}

// Append implements registry.Blobs.
func (d *Images) Append(ctx context.Context, owner, id string, at int64, r io.Reader, limit int64) (int64, error) {
	u, release, err := d.claim(ctx, owner, id)
	if err != nil {
		return 0, err
	}
	defer release(false)
	f, size, err := d.open(id)
	if err != nil {
		return 0, err
	}
	if at >= 0 && at != size {
		return size, errors.Join(sunya.Errorf(sunya.OutOfRange, "", "the upload has %d bytes", size), f.Close())
	}
	n, err := u.extend(ctx, f, size, r, limit)
	return size + n, errors.Join(err, f.Close())
}

// extend copies r to the end of f, which has size bytes.
func (u *upload) extend(ctx context.Context, f *os.File, size int64, r io.Reader, limit int64) (n int64, err error) {
	buf := make([]byte, blobBuffer)
	for {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		got, rerr := r.Read(buf)
		if size+n+int64(got) > limit {
			return n, sunya.Errorf(sunya.ResourceExhausted, "", "the blob has more than %v", sunya.Bytes(limit))
		}
		wrote, err := f.Write(buf[:got])
		if u.n == size+n {
			u.sum.Write(buf[:wrote])
			u.n += int64(wrote)
		}
		n += int64(wrote)
		if err != nil {
			return n, fmt.Errorf("write blob: %w", diskError(err))
		}
		if rerr == io.EOF {
			return n, nil
		}
		if rerr != nil {
			return n, fmt.Errorf("read upload: %w", rerr)
		}
	}
}

// Commit implements registry.Blobs.
func (d *Images) Commit(ctx context.Context, owner, id, digest string) (int64, error) {
	u, release, err := d.claim(ctx, owner, id)
	if err != nil {
		return 0, err
	}
	gone := false
	defer func() { release(gone) }()
	f, size, err := d.open(id)
	if err != nil {
		return 0, err
	}
	got, err := u.digest(ctx, f, size, digest)
	if err == nil && got != digest {
		err = &sunya.Error{Code: sunya.InvalidArgument, Reason: "DIGEST_INVALID",
			Message: fmt.Sprintf("the %d bytes that were uploaded have the digest %s, not %s", size, got, digest)}
	}
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return 0, fmt.Errorf("write blob: %w", diskError(err))
	}
	if err := d.publish(d.uploadPath(id), digest); err != nil {
		return 0, err
	}
	gone = true
	return size, nil
}

// digest returns the digest of a file, by the algorithm of the one that is
// wanted. It reads the file again when it was not written by this process, or
// for another algorithm.
func (u *upload) digest(ctx context.Context, f *os.File, size int64, want string) (string, error) {
	if strings.HasPrefix(want, "sha256:") && u.n == size {
		return "sha256:" + hex.EncodeToString(u.sum.Sum(nil)), nil
	}
	algorithm, sum := "sha256:", sha256.New()
	if strings.HasPrefix(want, "sha512:") {
		algorithm, sum = "sha512:", sha512.New()
	}
	_, err := io.Copy(sum, &cancelable{ctx: ctx, r: io.NewSectionReader(f, 0, size)})
	if err != nil {
		return "", fmt.Errorf("read upload: %w", err)
	}
	return algorithm + hex.EncodeToString(sum.Sum(nil)), nil
}

// cancelable is a reader that ends with its context.
type cancelable struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (c *cancelable) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// Cancel implements registry.Blobs.
func (d *Images) Cancel(ctx context.Context, owner, id string) error {
	_, release, err := d.claim(ctx, owner, id)
	if err != nil {
		return err
	}
	defer release(true)
	err = os.Remove(d.uploadPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return noUpload(id)
	}
	if err != nil {
		return fmt.Errorf("cancel upload: %w", diskError(err))
	}
	return nil
}

// sweepUploads removes uploads that nobody has gone on with.
func (d *Images) sweepUploads() error {
	entries, err := os.ReadDir(filepath.Join(d.dir, "uploads"))
	if err != nil {
		return fmt.Errorf("sweep uploads: %w", diskError(err))
	}
	var errs []error
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.ModTime().After(d.now().Add(-d.life)) {
			continue
		}
		d.mu.Lock()
		delete(d.uploads, e.Name())
		errs = append(errs, err, os.Remove(d.uploadPath(e.Name())))
		d.mu.Unlock()
	}
	return errors.Join(errs...)
}
