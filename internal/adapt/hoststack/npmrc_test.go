package hoststack

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func TestNpmrc(t *testing.T) {
	p := fakePlaces(t, map[string]string{"TOKEN": "secret"})
	put(t, filepath.Join(p.home, ".npmrc"), `# mine
registry = http://localhost:4873/
@corp:registry=https://npm.corp.example/
//localhost:4873/:_authToken=${TOKEN}
//npm.corp.example/sub/:_password="cGFzcw=="
strict-ssl=false
prefix=/root/.local
init-author-name=Ann
script-shell=/root/bin/sh
; end
`, 0o600)
	c, loopback := p.client(nil)
	if len(c.Files) != 1 || c.Files[0].Name != "npmrc" || c.Files[0].Vars[0] != "npm_config_userconfig" {
		t.Fatalf("files %+v", c.Files)
	}
	at := "//" + sandbox.GatewayIP + ":4873/"
	want := at + ":_authToken=secret\n//npm.corp.example/sub/:_password=cGFzcw==\n@corp:registry=https://npm.corp.example/\nregistry=http:" + at + "\nstrict-ssl=false\n"
	if diff := cmp.Diff(want, string(c.Files[0].Content)); diff != "" {
		t.Error(diff)
	}
	if len(loopback) == 0 || loopback[0] != "127.0.0.1:4873" {
		t.Errorf("loopback %v", loopback)
	}
}

func TestNpmrcThatIsNotThere(t *testing.T) {
	p := fakePlaces(t, nil)
	c, _ := p.client([]string{"npm_config_registry=https://npm.example/"})
	if len(c.Files) != 0 || c.Env["YARN_NPM_REGISTRY_SERVER"] != "https://npm.example/" {
		t.Errorf("files %+v, environment %v", c.Files, c.Env)
	}
}
