package datadir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Token returns the secret keys/NAME.token, which only the owner can read; it is
// made when there is none. A crash leaves it whole or absent.
func (d *Dir) Token(name string) (string, error) {
	path := d.Join("keys", name+".token")
	b, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := rand.Text()
	if err := writeWhole(path, token); err != nil {
		return "", fmt.Errorf("write token: %w", err)
	}
	return token, nil
}

// writeWhole writes a private file so that it is never seen in part.
func writeWhole(path, content string) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
