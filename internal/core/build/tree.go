package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// copyTree copies regular files, directories and symbolic links from one
// directory into another, empty one. Links are copied as they are and never
// followed.
func copyTree(from, to string) error {
	src, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	return fs.WalkDir(src.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		return copyEntry(src, dst, name, d)
	})
}

func copyEntry(src, dst *os.Root, name string, d fs.DirEntry) error {
	switch d.Type() {
	case fs.ModeDir:
		return dst.Mkdir(name, 0o755)
	case fs.ModeSymlink:
		target, err := src.Readlink(name)
		if err != nil {
			return err
		}
		return dst.Symlink(target, name)
	case 0:
		return copyFile(src, dst, name)
	}
	return fmt.Errorf("%s: not a file, folder or link", name)
}

func copyFile(src, dst *os.Root, name string) (err error) {
	in, err := src.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := dst.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, plainMode(fi.Mode()))
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// plainMode keeps of a mode only whether the file is a program.
func plainMode(m fs.FileMode) fs.FileMode {
	if m&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

// tidy gives everything below dir one of two modes, so that an instance can
// read it whatever umask the build had, and the digest depends on content.
// Sockets and pipes that a build left are removed.
func tidy(ctx context.Context, dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil { // a build may shut even its own mount
		return err
	}
	return tree.Walk(ctx, dir, func(in *os.Root, name, _ string, fi fs.FileInfo) error {
		return tidyEntry(in, name, fi)
	})
}

func tidyEntry(root *os.Root, name string, fi fs.FileInfo) error {
	want := fs.FileMode(0o755)
	switch fi.Mode().Type() {
	case fs.ModeSymlink:
		return nil
	case fs.ModeDir:
	case 0:
		want = plainMode(fi.Mode())
	default:
		return root.Remove(name)
	}
	if fi.Mode()&^fs.ModeType == want {
		return nil
	}
	return root.Chmod(name, want)
}

// treeSum returns the sha256 of names, modes and content below dir.
func treeSum(dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	h := sha256.New()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %s\n", name, d.Type())
		switch d.Type() {
		case fs.ModeSymlink:
			target, err := root.Readlink(name)
			fmt.Fprintf(h, "%q\n", target)
			return err
		case 0:
			return sumFile(h, root, name)
		}
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func sumFile(h io.Writer, root *os.Root, name string) error {
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(h, "%s %d\n", plainMode(fi.Mode()), fi.Size())
	_, err = io.Copy(h, f)
	return err
}
