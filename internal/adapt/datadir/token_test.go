package datadir

import (
	"os"
	"testing"
)

func TestTokenIsMadeOnceAndPrivate(t *testing.T) {
	d, err := Open(t.TempDir(), me())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	// What a crash in the middle of writing leaves is never taken for a token.
	if err := os.WriteFile(d.Join("keys", "admin.token.new"), []byte("A"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := d.Token("admin")
	if err != nil || len(first) < 20 {
		t.Fatalf("Token = %q, %v", first, err)
	}
	again, err := d.Token("admin")
	if err != nil || again != first {
		t.Errorf("second Token = %q, %v, want the first", again, err)
	}
	info, err := os.Stat(d.Join("keys", "admin.token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
}
