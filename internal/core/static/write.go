package static

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
)

// What is compressed: at most maxCompress bytes, since it is held in memory, at
// least minCompress, and only if it saves a tenth.
const (
	maxCompress = 32 << 20
	minCompress = 256
)

// brotliLevel compresses better than gzip's best at the speed of gzip's
// default; the highest levels take a second a megabyte.
const brotliLevel = 5

// Write makes the site in an empty directory.
func (s *Selection) Write(ctx context.Context, dir string) error {
	src, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("write site: %w", err)
	}
	defer src.Close()
	if err := os.Mkdir(filepath.Join(dir, contentDir), 0o755); err != nil {
		return fmt.Errorf("write site: %w", err)
	}
	x := index{Files: make(map[string]File, len(s.files))}
	contents := map[string]content{} // what is there already
	for _, f := range s.files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c, ok := contents[f.sum]
		if !ok {
			if c, err = writeContent(src, f, filepath.Join(dir, contentDir)); err != nil {
				return fmt.Errorf("write site: %s: %w", f.path, err)
			}
			contents[f.sum] = c
		}
		c.Type = contentType(f.path, c.utf8)
		x.Files[f.path] = c.File
	}
	data, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("write site: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, indexName), data, 0o644)
}

// content is what several files may have in common: all of File but the Type.
type content struct {
	File
	utf8 bool
}

// writeContent writes one content in all its forms.
func writeContent(src *os.Root, f selected, dir string) (content, error) {
	out := content{File: File{Sum: f.sum, Size: f.size}}
	path := filepath.Join(dir, f.sum)
	if f.size > maxCompress || !isText(f.path) {
		return out, copyContent(src, f.path, path)
	}
	data, err := src.ReadFile(f.path)
	if err != nil {
		return out, err
	}
	out.utf8 = utf8.Valid(data)
	if err := os.WriteFile(path, data, 0o644); err != nil || f.size < minCompress {
		return out, err
	}
	if out.Gzip, err = writeSmaller(path+Gzip.suffix(), data, gzipped); err != nil {
		return out, err
	}
	out.Brotli, err = writeSmaller(path+Brotli.suffix(), data, brotlied)
	return out, err
}

// writeSmaller writes a compressed form if it is worth it, and returns its size.
func writeSmaller(path string, data []byte, compress func(io.Writer) io.WriteCloser) (int64, error) {
	var buf bytes.Buffer
	w := compress(&buf)
	if _, err := w.Write(data); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	if buf.Len() > len(data)-len(data)/10 {
		return 0, nil
	}
	return int64(buf.Len()), os.WriteFile(path, buf.Bytes(), 0o644)
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

func brotlied(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, brotliLevel) }

func copyContent(src *os.Root, from, to string) (err error) {
	in, err := src.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
