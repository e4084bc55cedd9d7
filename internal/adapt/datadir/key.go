package datadir

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// SigningKey keeps the private key keys/signing.pem.
type SigningKey struct{ dir *Dir }

// SigningKey returns where the platform's private key is kept.
func (d *Dir) SigningKey() SigningKey { return SigningKey{d} }

// Key implements identity.Keys: the key in the file, or what make returns. A
// crash leaves it whole or absent.
func (k SigningKey) Key(_ context.Context, make func() ([]byte, error)) ([]byte, error) {
	path := k.dir.Join("keys", "signing.pem")
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
