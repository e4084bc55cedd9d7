package disk

import (
	"errors"
	"os"
)

// syncDir makes the names in dir durable.
func (*Layers) syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
