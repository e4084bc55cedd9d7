// Package program carries the builder, a separate static program, inside the
// server's binary, compressed. `make build` builds it before the server; it is
// not committed: bin holds a placeholder so that the package compiles without
// it.
package program

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed all:bin
var bin embed.FS

const name = "bin/sunya-builder.gz"

// Write puts the program into a directory, under a name that follows from its
// content, and returns its path. One that is there already is kept.
func Write(dir string) (string, error) {
	packed, err := bin.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("this binary was built without the builder of Dockerfiles: run `make build`")
	}
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(packed)
	target := filepath.Join(dir, "builder-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	if err := unpack(packed, target); err != nil {
		return "", fmt.Errorf("write builder: %w", err)
	}
	return target, nil
}

// unpack writes beside the target and renames: a program is complete or absent.
func unpack(packed []byte, target string) error {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(target), ".builder-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	err = errors.Join(err, f.Chmod(0o755), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
