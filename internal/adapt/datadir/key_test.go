package datadir

import (
	"bytes"
	"os"
	"testing"
)

func TestSigningKeyIsMadeOnceAndPrivate(t *testing.T) {
	d, err := Open(t.TempDir(), me())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	made := 0
	key := func() []byte {
		der, err := d.SigningKeys().Key(t.Context(), "signing", func() ([]byte, error) { made++; return []byte("secret"), nil })
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	if first := key(); !bytes.Equal(first, key()) || made != 1 || string(first) != "secret" {
		t.Errorf("made %d times, first %q", made, first)
	}
	info, err := os.Stat(d.Join("keys", "signing.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
	if err := os.WriteFile(d.Join("keys", "signing.pem"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.SigningKeys().Key(t.Context(), "signing", func() ([]byte, error) { return nil, nil }); err == nil {
		t.Error("a damaged key was accepted, or replaced")
	}
}
