package static

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya/internal/core/memo"
)

const (
	indexName  = "index.json"
	contentDir = "files"
)

// Encoding is a content coding of HTTP that files are kept in.
type Encoding string

// The codings, the best first. Identity is the file as it is.
const (
	Brotli   Encoding = "br"
	Gzip     Encoding = "gzip"
	Identity Encoding = ""
)

// suffix is what the file of an encoding is called.
func (e Encoding) suffix() string {
	switch e {
	case Brotli:
		return ".br"
	case Gzip:
		return ".gz"
	}
	return ""
}

// File is one file of a site.
type File struct {
	Sum    string `json:"sum"`            // sha256 of the content, hex
	Size   int64  `json:"size"`           // bytes
	Type   string `json:"type"`           // Content-Type
	Brotli int64  `json:"br,omitempty"`   // bytes of that form; 0: not kept
	Gzip   int64  `json:"gzip,omitempty"` // bytes of that form; 0: not kept
}

// Site is the static files of a revision. It is immutable.
type Site struct {
	dir      string
	files    map[string]File
	contents *memo.Map[string, []byte]
}

// index is the form of index.json.
type index struct {
	Files map[string]File `json:"files"`
}

func openSite(dir string) (*Site, error) {
	data, err := os.ReadFile(filepath.Join(dir, indexName))
	if err != nil {
		return nil, fmt.Errorf("open site: %w", err)
	}
	var x index
	if err := json.Unmarshal(data, &x); err != nil {
		return nil, fmt.Errorf("open site %s: %w", dir, err)
	}
	return &Site{dir: dir, files: x.Files}, nil
}

// Has reports whether the site has a file of this path.
func (s *Site) Has(path string) bool {
	_, ok := s.files[path]
	return ok
}

// open returns the content of a file in one of its forms, and what closes it.
func (s *Site) open(f File, e Encoding) (content io.ReadSeeker, done func(), err error) {
	if f.size(e) <= smallFile {
		data, err := s.read(f, e)
		return bytes.NewReader(data), func() {}, err
	}
	file, err := os.Open(s.name(f, e))
	return file, func() { file.Close() }, err
}

// read returns the content of a small file, from memory if it is there.
func (s *Site) read(f File, e Encoding) ([]byte, error) {
	return s.contents.Get(f.Sum+e.suffix(), func() ([]byte, int64, error) {
		data, err := os.ReadFile(s.name(f, e))
		return data, int64(len(data)), err
	})
}

func (s *Site) name(f File, e Encoding) string {
	return filepath.Join(s.dir, contentDir, f.Sum+e.suffix())
}

// MaxWhole is the size in bytes of what ReadAll returns. Google takes error
// pages of 10 KB.
const MaxWhole = smallFile

// ReadAll returns the content of a file of at most MaxWhole, such as an error
// page.
func (s *Site) ReadAll(path string) ([]byte, bool) {
	f, ok := s.files[path]
	if !ok || f.Size > MaxWhole {
		return nil, false
	}
	data, err := s.read(f, Identity)
	return data, err == nil
}

// What is held in memory; beyond that it is read again when it is asked for.
const (
	maxOpen     = 200_000  // files of sites, about 200 bytes each
	maxContents = 32 << 20 // bytes of small files
	smallFile   = 64 << 10 // bytes of one that is held
)

// Sites opens sites by the digest of their layer and remembers them, and the
// files that are asked for often. It is safe for concurrent use.
type Sites struct {
	path     func(digest string) (dir string, err error)
	open     *memo.Map[string, *Site]
	contents *memo.Map[string, []byte] // by file name in contentDir
}

// NewSites returns the sites of a layer store; path says where it has a layer.
func NewSites(path func(digest string) (string, error)) *Sites {
	return &Sites{path: path, open: memo.New[string, *Site](maxOpen), contents: memo.New[string, []byte](maxContents)}
}

// Open returns the site that a layer holds.
func (s *Sites) Open(digest string) (*Site, error) {
	return s.open.Get(digest, func() (*Site, int64, error) {
		dir, err := s.path(digest)
		if err != nil {
			return nil, 0, err
		}
		site, err := openSite(dir)
		if err != nil {
			return nil, 0, err
		}
		site.contents = s.contents
		return site, int64(len(site.files)) + 1, nil
	})
}
