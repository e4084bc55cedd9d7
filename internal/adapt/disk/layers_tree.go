package disk

import (
	"errors"
	"io/fs"
	"os"
)

// removeTree removes dir and everything below it, also where a directory's
// mode forbids its owner to.
func removeTree(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err := openUp(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// openUp gives the owner all rights on the directories of a tree. It never
// leaves the tree: os.Root follows no link out of it.
func openUp(dir string) error {
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if d == nil || !d.IsDir() {
			return err
		}
		if err != nil { // the directory could not be read before the chmod below
			return nil
		}
		return root.Chmod(name, 0o700)
	})
}

// syncDir makes the names in dir durable.
func (*Layers) syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
