package objects

import (
	"context"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/sunya-cloud/sunya"
)

// Get returns the live object, or with a generation that one, live or archived.
func (s *Service) Get(ctx context.Context, bucket, name string, generation int64, cond Conditions) (*Object, error) {
	o, err := s.get(ctx, bucket, name, generation)
	if err == nil && o.Soft() {
		err = noGeneration(bucket, name, generation)
	}
	if err != nil {
		return nil, fmt.Errorf("get object: %w", err)
	}
	if err := cond.holds(bucket, name, o); err != nil {
		return nil, err
	}
	return o, nil
}

// GetSoftDeleted returns a generation that can be restored; NotFound.
func (s *Service) GetSoftDeleted(ctx context.Context, bucket, name string, generation int64, cond Conditions) (*Object, error) {
	o, err := s.get(ctx, bucket, name, generation)
	if err == nil && !o.Soft() {
		err = sunya.Errorf(sunya.NotFound, path(bucket, name), "generation %d is not a soft-deleted one", generation)
	}
	if err != nil {
		return nil, fmt.Errorf("get object: %w", err)
	}
	if err := cond.holds(bucket, name, o); err != nil {
		return nil, err
	}
	return o, nil
}

// get tells a missing bucket from a missing object.
func (s *Service) get(ctx context.Context, bucket, name string, generation int64) (*Object, error) {
	o, err := s.store.GetObject(ctx, bucket, name, generation)
	if sunya.CodeOf(err) != sunya.NotFound {
		return o, err
	}
	if _, berr := s.store.GetBucket(ctx, bucket); berr != nil {
		return nil, berr
	}
	return nil, err
}

func noGeneration(bucket, name string, generation int64) error {
	return sunya.Errorf(sunya.NotFound, path(bucket, name), "generation %d of the object does not exist", generation)
}

// readTries is how often a read begins again because the object was replaced
// between finding it and opening its bytes.
const readTries = 100

// Read returns an object with its bytes, of one generation. The caller closes
// body. Reading all of it from the beginning checks it against its checksum:
// damaged bytes end in DataLoss instead of io.EOF.
func (s *Service) Read(ctx context.Context, bucket, name string, generation int64, cond Conditions) (o *Object, body io.ReadSeekCloser, err error) {
	missing := "" // blob that was not there
	for range readTries {
		if o, err = s.Get(ctx, bucket, name, generation, cond); err != nil {
			return nil, nil, err
		}
		if o.Blob == missing {
			return nil, nil, damaged(o, "its bytes are missing from the data directory")
		}
		body, err = s.open(ctx, o.Blob)
		if err == nil {
			return s.verified(o, body)
		}
		if sunya.CodeOf(err) != sunya.NotFound {
			return nil, nil, fmt.Errorf("read object: %w", err)
		}
		missing = o.Blob
	}
	return nil, nil, sunya.Errorf(sunya.Aborted, path(bucket, name), "the object is being replaced all the time: try again")
}

// Open returns the bytes of a live object for a deploy; the caller closes it.
// Damaged bytes end in DataLoss.
func (s *Service) Open(ctx context.Context, bucket, name string) (io.ReadCloser, error) {
	_, body, err := s.Read(ctx, bucket, name, 0, Conditions{})
	return body, err
}

// verified checks what can be checked at once, the size, and the rest while it
// is read.
func (s *Service) verified(o *Object, body io.ReadSeekCloser) (*Object, io.ReadSeekCloser, error) {
	size, err := body.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = body.Seek(0, io.SeekStart)
	}
	if err == nil && size != o.Size {
		err = damaged(o, fmt.Sprintf("it has %d bytes instead of %d", size, o.Size))
	}
	if err != nil {
		body.Close()
		return nil, nil, fmt.Errorf("read object: %w", err)
	}
	return o, &checked{ReadSeekCloser: body, o: o, crc: crc32.New(castagnoli())}, nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func damaged(o *Object, how string) error {
	return sunya.Errorf(sunya.DataLoss, path(o.Bucket, o.Name), "the stored object is damaged: %s; upload it again", how)
}

// checked compares the checksum at the end of a read from the beginning.
type checked struct {
	io.ReadSeekCloser
	o    *Object
	crc  hash.Hash32
	at   int64 // offset of the next byte
	seen int64 // bytes from the beginning in crc
}

// Read implements io.Reader.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.ReadSeekCloser.Read(p)
	if c.at == c.seen {
		c.crc.Write(p[:n])
		c.seen += int64(n)
	}
	c.at += int64(n)
	if c.seen == c.o.Size && c.at == c.o.Size && c.crc.Sum32() != c.o.CRC32C {
		return 0, damaged(c.o, fmt.Sprintf("its crc32c is %08x instead of %08x", c.crc.Sum32(), c.o.CRC32C))
	}
	return n, err
}

// Seek implements io.Seeker.
func (c *checked) Seek(offset int64, whence int) (int64, error) {
	at, err := c.ReadSeekCloser.Seek(offset, whence)
	c.at = at
	return at, err
}
