package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/ignore"
)

// pack makes a zip archive of a directory, as --source names it, without what
// its ignore rules leave out. runtime chooses the rules where the directory has
// none; it may be empty.
func pack(ctx context.Context, env *Env, source, runtime string) ([]byte, error) {
	return packBy(ctx, env, source, runtime, "")
}

// packBy is pack by the rules of a file in the directory; empty: its own.
func packBy(ctx context.Context, env *Env, source, runtime, ignoreFile string) ([]byte, error) {
	dir := source
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(env.Dir, dir)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, usagef("--source: there is no directory %s", source)
	}
	var rules *ignore.Rules
	var err error
	if ignoreFile != "" {
		rules, err = ignore.LoadFile(dir, ignoreFile)
	} else {
		rules, err = ignore.Load(dir, runtime)
	}
	if err != nil {
		return nil, err
	}
	files, err := rules.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, sunya.Errorf(sunya.InvalidArgument, source, "there is nothing to deploy: the rules in %s leave no file", rules.Origin)
	}
	archive, err := zipFiles(files)
	if err != nil {
		return nil, err
	}
	env.infof("%d files (by the rules of %s), %v", len(files), rules.Origin, sunya.Bytes(len(archive)))
	return archive, nil
}

func zipFiles(files []ignore.File) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, f := range files {
		if err := zipFile(w, f); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.Path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func zipFile(w *zip.Writer, f ignore.File) error {
	in, err := os.Open(f.Local)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	h := &zip.FileHeader{Name: f.Path, Method: zip.Deflate}
	h.SetMode(info.Mode().Perm())
	out, err := w.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}
