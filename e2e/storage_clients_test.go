//go:build e2e

package e2e

import (
	"testing"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestStorageClients does with Google's clients what programs do with objects.
func TestStorageClients(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	for _, c := range []struct {
		lib    library
		script string
	}{
		{pythonLibrary, "storage_everyday.py"},
		{pythonLibrary, "storage_signed.py"},
		{nodeLibrary, "storage_everyday.js"},
		{javaLibrary, "StorageEveryday.java"},
	} {
		t.Run(c.lib.name+"/"+c.script, func(t *testing.T) {
			t.Parallel()
			c.lib.run(t, s.For(t), c.script)
		})
	}
}
