package source

import (
	"archive/zip"
	"cmp"
	"io"
	"math"
	"slices"

	"github.com/sunya-cloud/sunya"
)

// zip unpacks a zip archive.
func (a *unpacker) zip(r io.ReadSeeker) error {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return broken("zip", err)
	}
	zr, err := zip.NewReader(&readerAt{r: r, size: size}, size)
	if err != nil {
		return broken("zip", err)
	}
	if len(zr.File) > a.limits.Files {
		return sunya.Invalid("source", "the archive has %d entries: at most %d are allowed", len(zr.File), a.limits.Files)
	}
	if err := a.checkSizes(zr.File); err != nil {
		return err
	}
	for _, f := range zr.File {
		if err := a.zipEntry(f); err != nil {
			return err
		}
	}
	return nil
}

// checkSizes refuses, before anything is written, what says itself that it is
// too large, and entries that share bytes: the trick of the densest bombs.
func (a *unpacker) checkSizes(files []*zip.File) error {
	type span struct {
		name       string
		begin, end int64
	}
	var total uint64
	spans := make([]span, 0, len(files))
	for _, f := range files {
		if total += min(f.UncompressedSize64, math.MaxUint64-total); total > uint64(a.limits.Bytes) {
			return sunya.Invalid("source", "archive entry %s: the source is larger than %v", quote(f.Name), sunya.Bytes(a.limits.Bytes))
		}
		begin, err := f.DataOffset()
		if err != nil || f.CompressedSize64 > math.MaxInt64-uint64(begin) {
			return broken("zip", err)
		}
		spans = append(spans, span{f.Name, begin, begin + int64(f.CompressedSize64)})
	}
	slices.SortFunc(spans, func(x, y span) int { return cmp.Compare(x.begin, y.begin) })
	for i := 1; i < len(spans); i++ {
		if spans[i].begin < spans[i-1].end+localHeader || spans[i].begin == spans[i-1].begin {
			return sunya.Invalid("source", "archive entry %s overlaps %s", quote(spans[i].name), quote(spans[i-1].name))
		}
	}
	return nil
}

// localHeader is the least number of bytes between one entry's data and the
// next one's (APPNOTE 4.3.7).
const localHeader = 30

func (a *unpacker) zipEntry(f *zip.File) error {
	if f.Flags&1 != 0 {
		return sunya.Invalid("source", "archive entry %s is encrypted", quote(f.Name))
	}
	mode := f.Mode()
	if mode.IsDir() {
		return a.add(f.Name, mode, nil, nil)
	}
	rc, err := f.Open()
	if err != nil {
		return broken("zip", err)
	}
	defer rc.Close()
	r := intact{"zip", rc}
	target := func() (string, error) {
		b, err := io.ReadAll(io.LimitReader(r, maxPath+1))
		return string(b), err
	}
	return a.add(f.Name, mode, target, r)
}

// readerAt makes a seeker an io.ReaderAt for one goroutine.
type readerAt struct {
	r    io.ReadSeeker
	size int64
}

func (s *readerAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= s.size {
		return 0, io.EOF
	}
	if _, err := s.r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.r, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}
