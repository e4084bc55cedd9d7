package source

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// perEntry is how many bytes of an unpacked tar an entry may have besides its
// content: headers, padding and extended headers.
const perEntry = 16 << 10

// tarGzip unpacks a tar.gz archive.
func (a *unpacker) tarGzip(r io.Reader) error {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return broken("tar.gz", err)
	}
	defer gz.Close()
	most := a.limits.Bytes + int64(a.limits.Files)*perEntry
	tr := tar.NewReader(&boundedReader{r: contextReader{a.ctx, gz}, left: most})
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken("tar.gz", err)
		}
		if err := a.tarEntry(h, intact{"tar.gz", tr}); err != nil {
			return err
		}
	}
}

func (a *unpacker) tarEntry(h *tar.Header, r io.Reader) error {
	if why := refused(h); why != "" {
		return sunya.Invalid("source", "archive entry %s is %s", quote(h.Name), why)
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	mode := fs.FileMode(h.Mode & 0o777)
	switch h.Typeflag {
	case tar.TypeDir:
		mode |= fs.ModeDir
	case tar.TypeSymlink:
		mode |= fs.ModeSymlink
	}
	return a.add(h.Name, mode, func() (string, error) { return h.Linkname, nil }, r)
}

// refused names what an entry is, if it is nothing that a source needs.
func refused(h *tar.Header) string {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return "a sparse file"
		}
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeXGlobalHeader:
		return ""
	case tar.TypeLink:
		return "a hard link"
	case tar.TypeChar, tar.TypeBlock:
		return "a device"
	case tar.TypeFifo:
		return "a pipe"
	case tar.TypeGNUSparse:
		return "a sparse file"
	}
	return "of an unknown type"
}

// boundedReader ends an archive that unpacks to more than it may, wherever
// in it the bytes are.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, sunya.Invalid("source", "the archive unpacks to more than is allowed")
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
