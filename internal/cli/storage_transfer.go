package cli

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
)

// largeFile is the size from which an upload is resumable: it goes in chunks,
// and one that breaks is sent again from its beginning.
const largeFile = 16 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc is a checksum as the API writes it.
func crc(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// upload sends a file or standard input.
func (c *copier) upload(ctx context.Context, j job) error {
	o := &storage.Object{Name: j.to.name}
	c.flags.meta.apply(o)
	if o.ContentType == "" {
		o.ContentType = typeOf(j.to.name)
	}
	if j.from.stream() {
		return c.uploadStream(ctx, j, o)
	}
	file, err := os.Open(j.from.name)
	if err != nil {
		return err
	}
	defer file.Close()
	if c.compresses(j.from.name) {
		packed, err := compressed(file)
		if err != nil {
			return err
		}
		defer packed.Close()
		file, o.ContentEncoding = packed, "gzip"
	}
	// The server compares the sum before the object is there for anybody.
	sum := crc32.New(castagnoli)
	size, err := io.Copy(sum, file)
	if err != nil {
		return err
	}
	o.Crc32c = crc(sum.Sum32())
	if c.flags.meta.stamp {
		stamp(o, file)
	}
	chunk := 0
	if size > largeFile {
		chunk = largeFile
	}
	return retry(ctx, func() error {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return c.insert(ctx, j, o, file, chunk)
	})
}

// uploadStream sends what nobody knows the sum of before: it is compared after.
func (c *copier) uploadStream(ctx context.Context, j job, o *storage.Object) error {
	sum := crc32.New(castagnoli)
	call := c.insertion(ctx, j, o, io.TeeReader(io.TeeReader(c.env.Stdin, sum), c.show), largeFile)
	made, err := call.Do()
	if err != nil {
		return err
	}
	c.made(made)
	if made.Crc32c == crc(sum.Sum32()) {
		return nil
	}
	err = c.api.Objects.Delete(made.Bucket, made.Name).IfGenerationMatch(made.Generation).Context(ctx).Do()
	return errors.Join(sunya.Errorf(sunya.DataLoss, j.to.String(), "the bytes were damaged on their way: send them again"), err)
}

func (c *copier) insert(ctx context.Context, j job, o *storage.Object, r io.Reader, chunk int) error {
	made, err := c.insertion(ctx, j, o, io.TeeReader(r, c.show), chunk).Do()
	if err == nil {
		c.made(made)
	}
	return err
}

func (c *copier) insertion(ctx context.Context, j job, o *storage.Object, r io.Reader, chunk int) *storage.ObjectsInsertCall {
	call := c.api.Objects.Insert(j.to.bucket, o).Context(ctx).Media(r, googleapi.ContentType(o.ContentType), googleapi.ChunkSize(chunk))
	if n := c.ifGeneration(); n >= 0 {
		call = call.IfGenerationMatch(n)
	}
	if n := c.flags.cond.metageneration; n >= 0 {
		call = call.IfMetagenerationMatch(n)
	}
	return call
}

// typeOf is the content type that a name stands for.
func typeOf(name string) string {
	kind, _, _ := strings.Cut(mime.TypeByExtension(filepath.Ext(name)), ";")
	if kind == "" {
		return "application/octet-stream"
	}
	return kind
}

func (c *copier) compresses(name string) bool {
	ending := strings.TrimPrefix(filepath.Ext(name), ".")
	return c.flags.gzipAll || ending != "" && slices.ContainsFunc(c.flags.gzip, func(e string) bool {
		return strings.TrimPrefix(e, ".") == ending
	})
}

// compressed is a file with gzip; it is gone once it is closed.
func compressed(from *os.File) (*os.File, error) {
	to, err := os.CreateTemp("", "sunya-gzip-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(to.Name()); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	w := gzip.NewWriter(to)
	_, err = io.Copy(w, from)
	if err = errors.Join(err, w.Close()); err == nil {
		_, err = to.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return to, nil
}

// download writes an object to a file, or to standard output.
func (c *copier) download(ctx context.Context, j job) error {
	if j.to.stream() {
		return c.api.fetch(ctx, j.object, extent{}, c.env.Stdout, c.show)
	}
	if _, err := os.Lstat(j.to.name); err == nil && c.flags.noClobber {
		return errExists
	}
	if n := c.flags.cond.generation; n >= 0 && n != j.object.Generation {
		return sunya.Errorf(sunya.FailedPrecondition, j.from.String(), "its generation is %d, not %d", j.object.Generation, n)
	}
	dir := filepath.Dir(j.to.name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	part := filepath.Join(dir, fmt.Sprintf(".%.200s.sunya-%08x", filepath.Base(j.to.name), rand.Uint32()))
	if err := c.downloadTo(ctx, j.object, part); err != nil {
		return errors.Join(err, removed(part))
	}
	if c.flags.meta.stamp {
		restamp(part, j.object)
	}
	if err := os.Rename(part, j.to.name); err != nil {
		return errors.Join(err, removed(part))
	}
	return nil
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// downloadTo fills a new file; what is stored with gzip is unpacked once its sum
// is right.
func (c *copier) downloadTo(ctx context.Context, o *storage.Object, path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	err = c.api.fetch(ctx, o, extent{}, file, c.show)
	if err == nil && o.ContentEncoding == "gzip" && !c.flags.compressed {
		err = unpacked(file, path)
	}
	return errors.Join(err, file.Close())
}

// unpacked replaces a file with what its gzip holds. One that is no gzip stays:
// anybody may say of an object what is not true.
func unpacked(file *os.File, path string) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r, err := gzip.NewReader(file)
	if err != nil {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r) //nolint:gosec // as large as its owner made it
	return errors.Join(err, out.Close())
}

// extent is a part of an object: length 0 is all of it.
type extent struct{ offset, length int64 }

// fetch writes an object's stored bytes to w. It goes on where a connection
// breaks, and compares the checksum of a whole object at the end.
func (a *storageAPI) fetch(ctx context.Context, o *storage.Object, part extent, w io.Writer, also ...io.Writer) error {
	sum, at, end := crc32.New(castagnoli), part.offset, int64(o.Size) //nolint:gosec // objects are below 8 EiB
	if part.length > 0 {
		end = min(end, part.offset+part.length)
	}
	to := io.MultiWriter(append([]io.Writer{w, sum}, also...)...)
	err := retry(ctx, func() error {
		if at >= end && end > 0 {
			return nil
		}
		resp, err := a.media(ctx, o, at, end, at > 0 || part.length > 0)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		n, err := io.Copy(to, network{resp.Body})
		at += n
		return err
	})
	switch {
	case err != nil:
		return err
	case at != end:
		return sunya.Errorf(sunya.DataLoss, o.Name, "%d bytes arrived of %d: try again", at, end)
	case part == (extent{}) && o.Crc32c != "" && o.Crc32c != crc(sum.Sum32()):
		return sunya.Errorf(sunya.DataLoss, o.Name, "the bytes were damaged on their way: their crc32c is %s instead of %s; try again", crc(sum.Sum32()), o.Crc32c)
	}
	return nil
}

// media asks for an object's bytes as they are stored, which the library's own
// call cannot: it leaves no choice of Accept-Encoding.
func (a *storageAPI) media(ctx context.Context, o *storage.Object, first, end int64, some bool) (*http.Response, error) {
	u := fmt.Sprintf("%s/storage/v1/b/%s/o/%s?alt=media&generation=%d", a.base, o.Bucket, url.PathEscape(o.Name), o.Generation)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	if some {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", first, end-1))
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	if err := googleapi.CheckResponse(resp); err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	return resp, nil
}

// network reads an answer: what fails is the connection.
type network struct{ io.Reader }

// Read implements io.Reader.
func (n network) Read(p []byte) (int, error) {
	k, err := n.Reader.Read(p)
	if err != nil && err != io.EOF && !errors.Is(err, context.Canceled) {
		err = &sunya.Error{Code: sunya.Unavailable, Message: "the connection to the server broke", Err: err}
	}
	return k, err
}

// rewrite copies within the server.
func (c *copier) rewrite(ctx context.Context, j job) error {
	o := &storage.Object{}
	if c.flags.meta.any() {
		*o = storage.Object{CacheControl: j.object.CacheControl, ContentDisposition: j.object.ContentDisposition, ContentEncoding: j.object.ContentEncoding,
			ContentLanguage: j.object.ContentLanguage, ContentType: j.object.ContentType, Metadata: j.object.Metadata}
		c.flags.meta.apply(o)
	}
	call := c.api.Objects.Rewrite(j.from.bucket, j.from.name, j.to.bucket, j.to.name, o).SourceGeneration(j.object.Generation).Context(ctx)
	if n := c.ifGeneration(); n >= 0 {
		call = call.IfGenerationMatch(n)
	}
	for {
		r, err := call.Do()
		if err != nil {
			return err
		}
		if r.Done {
			c.made(r.Resource)
			return nil
		}
		call = call.RewriteToken(r.RewriteToken)
	}
}

// remove ends a move. A source that has changed meanwhile stays.
func (c *copier) remove(ctx context.Context, j job) error {
	if j.from.stream() {
		return nil
	}
	if !j.from.cloud() {
		return os.Remove(j.from.name)
	}
	err := c.api.Objects.Delete(j.from.bucket, j.from.name).IfGenerationMatch(j.object.Generation).Context(ctx).Do()
	if err != nil {
		return fmt.Errorf("delete %s after it was copied: %w", j.from, err)
	}
	return nil
}
