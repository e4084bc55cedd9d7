package hoststack

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNodeBinaries(t *testing.T) {
	p := fakePlaces(t, map[string]string{"FNM_DIR": "/none"})
	elf := "\x7fELF and so on"
	p.path = []string{filepath.Join(p.home, ".volta/bin")}
	put(t, filepath.Join(p.home, ".volta/bin/node"), "#!/bin/sh\nexec volta-shim\n", 0o755)
	for _, name := range []string{".volta/tools/image/node/22.1.0/bin", ".nvm/versions/node/v18.2.0/bin", ".local/share/mise/installs/node/21.0.0/bin", ".asdf/installs/nodejs/16.1.0/bin"} {
		put(t, filepath.Join(p.home, name, "node"), elf, 0o755)
	}
	put(t, filepath.Join(p.root, "usr/bin/nodejs"), elf, 0o755)
	put(t, filepath.Join(p.root, "usr/bin/node-gyp"), elf, 0o755)
	var got []string
	for _, bin := range programs(p.nodeDirs(), nodeRE) {
		got = append(got, strings.TrimPrefix(bin, filepath.Dir(p.home)))
	}
	slices.Sort(got)
	want := []string{"/home/.asdf/installs/nodejs/16.1.0/bin/node", "/home/.local/share/mise/installs/node/21.0.0/bin/node", "/home/.nvm/versions/node/v18.2.0/bin/node",
		"/home/.volta/tools/image/node/22.1.0/bin/node", "/root/usr/bin/nodejs"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPrefixOf(t *testing.T) {
	for bin, want := range map[string]string{"/usr/bin/node": "", "/opt/node/bin/node": "/opt/node", "/opt/tools/node": "/opt/tools"} {
		if got := strings.Join(prefixOf(bin), " "); got != want {
			t.Errorf("prefixOf(%s) = %q, want %q", bin, got, want)
		}
	}
}
