package static

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
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
	dir   string
	files map[string]File
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

// open returns the content of a file in one of its forms.
func (s *Site) open(f File, e Encoding) (*os.File, error) {
	return os.Open(filepath.Join(s.dir, contentDir, f.Sum+e.suffix()))
}

// ReadAll returns the content of a small file, such as an error page.
func (s *Site) ReadAll(path string) ([]byte, bool) {
	f, ok := s.files[path]
	if !ok {
		return nil, false
	}
	data, err := os.ReadFile(filepath.Join(s.dir, contentDir, f.Sum))
	return data, err == nil
}

// maxOpen is how many sites are held in memory; beyond that all are read again
// when they are asked for.
const maxOpen = 256

// Sites opens sites by the digest of their layer and remembers them. It is safe
// for concurrent use; a site that is open costs no lock.
type Sites struct {
	path func(digest string) (dir string, err error)
	open sync.Map // digest to *Site
	size atomic.Int64
}

// NewSites returns the sites of a layer store; path says where it has a layer.
func NewSites(path func(digest string) (string, error)) *Sites {
	return &Sites{path: path}
}

// Open returns the site that a layer holds.
func (s *Sites) Open(digest string) (*Site, error) {
	if site, ok := s.open.Load(digest); ok {
		return site.(*Site), nil
	}
	dir, err := s.path(digest)
	if err != nil {
		return nil, err
	}
	site, err := openSite(dir)
	if err != nil {
		return nil, err
	}
	if s.size.Add(1) > maxOpen {
		s.open.Clear()
		s.size.Store(1)
	}
	s.open.Store(digest, site)
	return site, nil
}
