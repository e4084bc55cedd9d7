package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Upload is a resumable upload: what it will become and how far it is. It is
// kept in the Store, so it survives a restart of the server.
type Upload struct {
	ID         string
	Object     NewObject
	Total      int64 // bytes in all, -1 while unknown
	CreateTime time.Time
	Generation int64   // of the object, once finished
	Chunks     []Chunk `json:"-"` // in order, without gaps; none once finished
	// Multipart says that it is one in parts (see StartParts): gaps are allowed,
	// and each chunk is a part.
	Multipart bool `json:",omitempty"`
}

// Chunk is a part of an upload that arrived whole.
type Chunk struct {
	Start  int64
	Size   int64
	Blob   string
	CRC32C uint32
	MD5    []byte
}

// Received is how many bytes of the upload are stored.
func (u *Upload) Received() int64 {
	if len(u.Chunks) == 0 {
		return 0
	}
	last := u.Chunks[len(u.Chunks)-1]
	return last.Start + last.Size
}

// ChunkUnit is what the size of every chunk but the last is a multiple of.
const ChunkUnit = 256 << 10

// StartUpload begins a resumable upload; total is below 0 when unknown. Whoever
// knows the ID may continue it.
func (s *Service) StartUpload(ctx context.Context, n NewObject, total int64) (*Upload, error) {
	if err := s.admit(ctx, &n); err != nil {
		return nil, fmt.Errorf("start upload: %w", err)
	}
	u := &Upload{ID: rand.Text(), Object: n, Total: max(total, -1), CreateTime: s.now()}
	if err := s.fits(u, u.Total); err != nil {
		return nil, err
	}
	if err := s.store.CreateUpload(ctx, u); err != nil {
		return nil, fmt.Errorf("start upload: %w", err)
	}
	return u, nil
}

func (s *Service) fits(u *Upload, size int64) error {
	if size <= s.opts.MaxObjectBytes {
		return nil
	}
	m := metered{what: path(u.Object.Bucket, u.Object.Name), limit: s.opts.MaxObjectBytes}
	return m.tooLarge()
}

// GetUpload returns how far an upload is, and its object when it is finished.
// NotFound when it does not exist or has expired.
func (s *Service) GetUpload(ctx context.Context, id string) (*Upload, *Object, error) {
	u, err := s.store.GetUpload(ctx, id)
	if err != nil {
		return nil, nil, fmt.Errorf("get upload: %w", err)
	}
	if s.now().Sub(u.CreateTime) > s.opts.UploadLife {
		return nil, nil, sunya.Errorf(sunya.NotFound, id, "the upload has expired: start a new one")
	}
	if u.Generation == 0 {
		return u, nil, nil
	}
	o, err := s.Get(ctx, u.Object.Bucket, u.Object.Name, u.Generation, Conditions{})
	return u, o, err
}

// Part is what one request brings to an upload.
type Part struct {
	Start  int64     // offset of the first byte
	Size   int64     // below 0: until Body ends, and the upload ends there
	Total  int64     // of the whole upload, below 0 when still unknown
	Body   io.Reader // nil: nothing but the Total
	Expect Checksums // of the whole object, where the last request brings them
}

// AppendUpload stores a part and finishes the upload when it was the last. The
// object is nil while more is to come. What has arrived of a part that breaks off
// is kept: the client continues at Received.
func (s *Service) AppendUpload(ctx context.Context, id string, p Part) (*Upload, *Object, error) {
	u, o, err := s.GetUpload(ctx, id)
	if err != nil || o != nil {
		return u, o, err
	}
	if u.Multipart {
		return nil, nil, sunya.Errorf(sunya.NotFound, id, "the upload is not a resumable one")
	}
	if err := p.settle(u); err != nil {
		return nil, nil, err
	}
	if err := s.fits(u, max(u.Total, p.Start+p.Size)); err != nil {
		return nil, nil, err
	}
	if err := s.addPart(ctx, u, p); err != nil {
		return nil, nil, fmt.Errorf("append to upload: %w", overtaken(id, err))
	}
	if u.Received() != u.Total {
		return u, nil, nil
	}
	o, err = s.finish(ctx, u)
	if err != nil {
		return nil, nil, fmt.Errorf("finish upload: %w", overtaken(id, err))
	}
	return u, o, nil
}

// settle checks a part against its upload and takes over what it says of the
// whole.
func (p *Part) settle(u *Upload) error {
	if p.Total >= 0 {
		if u.Total >= 0 && u.Total != p.Total {
			return sunya.Invalid("Content-Range", "a total of %d bytes, but %d were announced before", p.Total, u.Total)
		}
		u.Total = p.Total
	}
	if u.Total >= 0 && (p.Start+max(p.Size, 0) > u.Total || u.Received() > u.Total) {
		return sunya.Invalid("Content-Range", "bytes behind the total of %d", u.Total)
	}
	if p.Body != nil && p.Start > u.Received() {
		return sunya.Invalid("Content-Range", "begins at byte %d, but only %d are stored: continue there", p.Start, u.Received())
	}
	last := p.Size < 0 || p.Start+p.Size == u.Total
	if p.Body != nil && !last && p.Size%ChunkUnit != 0 {
		return sunya.Invalid("Content-Range", "%d bytes: every part but the last is a multiple of %v", p.Size, sunya.Bytes(ChunkUnit))
	}
	if p.Expect.CRC32C != nil {
		u.Object.Expect.CRC32C = p.Expect.CRC32C
	}
	if p.Expect.MD5 != nil {
		u.Object.Expect.MD5 = p.Expect.MD5
	}
	return nil
}

// overtaken is the error of an upload that another request has continued meanwhile:
// after Unavailable clients ask how far it is, after Aborted they do not.
func overtaken(id string, err error) error {
	if sunya.CodeOf(err) != sunya.Aborted {
		return err
	}
	return &sunya.Error{Code: sunya.Unavailable, Resource: id, Message: "another request continued the upload: ask how far it is", Err: err}
}

// addPart stores the bytes of p that are not stored yet.
func (s *Service) addPart(ctx context.Context, u *Upload, p Part) error {
	if p.Body == nil {
		return nil
	}
	have := u.Received()
	if _, err := io.CopyN(io.Discard, p.Body, have-p.Start); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read upload: %w", err)
	}
	size := int64(-1)
	if p.Size >= 0 {
		size = max(p.Start+p.Size-have, 0)
	}
	if size == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx) // whoever sent it may be gone
	body := &cutOff{Reader: p.Body}
	w, done, err := s.write(ctx, path(u.Object.Bucket, u.Object.Name), body, size, s.opts.MaxObjectBytes-have)
	if err != nil {
		return err
	}
	defer done()
	c := Chunk{Start: have, Size: w.Size, Blob: w.Blob, CRC32C: w.CRC32C, MD5: w.MD5}
	err = s.addChunk(ctx, u, c)
	for n := 0; n < 3 && sunya.CodeOf(err) == sunya.Aborted; n++ { // it may still be at it
		err = s.addRest(ctx, u, c, err)
	}
	if err != nil {
		s.freeRefused(ctx, err, w.Blob)
		return err
	}
	if body.err != nil {
		return fmt.Errorf("read upload: %w", body.err)
	}
	if size < 0 {
		u.Total = u.Received()
	}
	return nil
}

// addRest adds what of a chunk is not stored, when another request has stored its
// beginning meanwhile: one that broke off, whose client has sent it again.
func (s *Service) addRest(ctx context.Context, u *Upload, c Chunk, aborted error) error {
	now, err := s.store.GetUpload(ctx, u.ID)
	if err != nil {
		return err
	}
	have := now.Received()
	if now.Generation != 0 || have <= c.Start {
		return aborted
	}
	u.Chunks = now.Chunks
	if have >= c.Start+c.Size {
		s.free(ctx, c.Blob)
		return nil
	}
	body, err := s.blobs.Open(ctx, c.Blob)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := body.Seek(have-c.Start, io.SeekStart); err != nil {
		return fmt.Errorf("read upload: %w", err)
	}
	w, err := s.blobs.Write(ctx, body, c.Size)
	if err != nil {
		return err
	}
	if err := s.addChunk(ctx, u, Chunk{Start: have, Size: w.Size, Blob: w.Blob, CRC32C: w.CRC32C, MD5: w.MD5}); err != nil {
		s.freeRefused(ctx, err, w.Blob)
		return err
	}
	s.free(ctx, c.Blob)
	return nil
}

// cutOff is a body that ends where its connection breaks.
type cutOff struct {
	io.Reader
	err error // why
}

// Read implements io.Reader.
func (c *cutOff) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && err != io.EOF {
		c.err, err = err, io.EOF
	}
	return n, err
}

// broken is why a body broke off that is taken as far as it came.
func broken(r io.Reader) error {
	if c, ok := r.(*cutOff); ok {
		return c.err
	}
	return nil
}

func (s *Service) addChunk(ctx context.Context, u *Upload, c Chunk) error {
	if c.Size == 0 {
		s.free(ctx, c.Blob)
		return nil
	}
	if err := s.store.AddChunk(ctx, u.ID, c); err != nil {
		return err
	}
	u.Chunks = append(u.Chunks, c)
	return nil
}

// finish makes the object of the chunks.
func (s *Service) finish(ctx context.Context, u *Upload) (*Object, error) {
	w, err := s.assemble(ctx, u)
	if err != nil {
		return nil, err
	}
	if err := u.Object.Expect.check(u.Object.Bucket, u.Object.Name, w); err != nil {
		return nil, errors.Join(err, s.abandon(ctx, u.ID, w.Blob))
	}
	return s.become(ctx, u, w)
}

// become makes the object of what u's chunks are together, and ends the upload.
func (s *Service) become(ctx context.Context, u *Upload, w Written) (*Object, error) {
	o := s.object(u.Object, w)
	err := s.change(ctx, func(t *work) error {
		if err := t.put(o, u.Object.Conditions); err != nil {
			return err
		}
		chunks, err := t.EndUpload(u.ID, o.Generation)
		for _, c := range chunks {
			t.dropped = append(t.dropped, c.Blob)
		}
		return err
	})
	if err != nil {
		if len(u.Chunks) != 1 {
			s.freeRefused(ctx, err, w.Blob)
		}
		return nil, err
	}
	u.Generation, u.Chunks = o.Generation, nil
	return o, nil
}

// assemble returns one blob with all the bytes: that of the only chunk, or a
// new one. The chunks are in the quota already.
func (s *Service) assemble(ctx context.Context, u *Upload) (Written, error) {
	if len(u.Chunks) == 1 {
		c := u.Chunks[0]
		return Written{Blob: c.Blob, Size: c.Size, CRC32C: c.CRC32C, MD5: c.MD5}, nil
	}
	r := &chain{open: func(blob string) (io.ReadCloser, error) { return s.open(ctx, blob) }, chunks: u.Chunks}
	w, err := s.blobs.Write(ctx, r, u.Total)
	return w, errors.Join(err, r.Close())
}

// abandon ends an upload whose bytes are not what the client meant.
func (s *Service) abandon(ctx context.Context, id string, blobs ...string) error {
	free, err := s.store.DeleteUpload(ctx, id)
	if err != nil {
		return fmt.Errorf("delete upload: %w", err)
	}
	s.free(ctx, append(free, blobs...)...)
	return nil
}

// CancelUpload ends an upload and frees what arrived; NotFound.
func (s *Service) CancelUpload(ctx context.Context, id string) error { return s.abandon(ctx, id) }

// expireUploads removes uploads that took too long.
func (s *Service) expireUploads(ctx context.Context) error {
	before := s.now().Add(-s.opts.UploadLife)
	for {
		ids, err := s.store.OldUploads(ctx, before, tidyBatch)
		if err != nil {
			return fmt.Errorf("find expired uploads: %w", err)
		}
		for _, id := range ids {
			if err := s.abandon(ctx, id); err != nil && sunya.CodeOf(err) != sunya.NotFound {
				return err
			}
		}
		if len(ids) < tidyBatch {
			return nil
		}
	}
}

// chain reads chunks one after the other, one open at a time.
type chain struct {
	open   func(blob string) (io.ReadCloser, error)
	chunks []Chunk
	now    io.ReadCloser
}

// Read implements io.Reader.
func (c *chain) Read(p []byte) (int, error) {
	for {
		if c.now == nil {
			if len(c.chunks) == 0 {
				return 0, io.EOF
			}
			next, err := c.open(c.chunks[0].Blob)
			if err != nil {
				return 0, err
			}
			c.now, c.chunks = next, c.chunks[1:]
		}
		n, err := c.now.Read(p)
		if err != io.EOF {
			return n, err
		}
		err = c.Close()
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Close closes the chunk that is open.
func (c *chain) Close() error {
	if c.now == nil {
		return nil
	}
	now := c.now
	c.now = nil
	return now.Close()
}
