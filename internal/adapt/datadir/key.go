package datadir

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// SigningKeys keeps private keys, each in keys/NAME.pem.
type SigningKeys struct{ dir *Dir }

// SigningKeys returns where the platform's private keys are kept.
func (d *Dir) SigningKeys() SigningKeys { return SigningKeys{d} }

// Key implements identity.Keys: the key in the file, or what make returns. A
// crash leaves it whole or absent.
func (k SigningKeys) Key(_ context.Context, name string, make func() ([]byte, error)) ([]byte, error) {
	path := k.dir.Join("keys", name+".pem")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		der, err := make()
		if err != nil {
			return nil, err
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		return der, writeWhole(path, string(text))
	}
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("read signing key: %s is not in PEM", path)
	}
	return block.Bytes, nil
}
