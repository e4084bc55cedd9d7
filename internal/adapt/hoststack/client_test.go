package hoststack

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClientInheritsByAllowList(t *testing.T) {
	p := fakePlaces(t, nil)
	c, _ := p.client([]string{
		"PIP_INDEX_URL=https://pypi.example/simple", "PIP_TRUSTED_HOST=pypi.example", "https_proxy=http://proxy:3128", "GOPROXY=direct",
		"HOME=/root", "AWS_SECRET_ACCESS_KEY=x", "PATH=/bin", "PYTHONPATH=/x", "PIP_CONFIG_FILE=/root/pip.conf", "UV_CACHE_DIR=/root/uv",
		"PIP_TARGET=/x", "UV_PYTHON=3.9", "NPM_CONFIG_USERCONFIG=/root/.npmrc", "UV_HTTP_TIMEOUT=",
	})
	want := map[string]string{
		"PIP_INDEX_URL": "https://pypi.example/simple", "UV_DEFAULT_INDEX": "https://pypi.example/simple",
		"PIP_TRUSTED_HOST": "pypi.example", "UV_INSECURE_HOST": "pypi.example", "https_proxy": "http://proxy:3128", "GOPROXY": "direct",
	}
	if diff := cmp.Diff(want, c.Env); diff != "" {
		t.Error(diff)
	}
}

func TestClientReadsPipFiles(t *testing.T) {
	p := fakePlaces(t, nil)
	put(t, filepath.Join(p.root, "etc/pip.conf"), "[global]\nindex-url = https://machine/simple\ntimeout=60\n[freeze]\ntimeout = 1\n", 0o644)
	put(t, filepath.Join(p.home, ".config/pip/pip.conf"), "# mine\n[install]\nextra-index-url =\n    https://one/simple\n    https://two/simple\n[global]\nindex_url: https://owner/simple\ncache-dir = /home/x\n", 0o644)
	c, _ := p.client([]string{"PIP_TIMEOUT=5"})
	want := map[string]string{
		"PIP_INDEX_URL": "https://owner/simple", "UV_DEFAULT_INDEX": "https://owner/simple", "PIP_TIMEOUT": "5",
		"PIP_EXTRA_INDEX_URL": "https://one/simple https://two/simple", "UV_INDEX": "https://one/simple https://two/simple",
	}
	if diff := cmp.Diff(want, c.Env); diff != "" {
		t.Error(diff)
	}
}

func TestClientCopiesFiles(t *testing.T) {
	p := fakePlaces(t, nil)
	ca := filepath.Join(p.root, "ca.pem")
	put(t, ca, "certificates", 0o600)
	c, _ := p.client([]string{"PIP_CERT=" + ca, "REQUESTS_CA_BUNDLE=" + ca, "CURL_CA_BUNDLE=/none.pem", "SSL_CERT_DIR=" + p.root})
	if len(c.Files) != 1 || string(c.Files[0].Content) != "certificates" || strings.Contains(c.Files[0].Name, "/") {
		t.Fatalf("files = %+v", c.Files)
	}
	want := []string{"PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
	if diff := cmp.Diff(want, c.Files[0].Vars); diff != "" {
		t.Error(diff)
	}
	for _, gone := range []string{"CURL_CA_BUNDLE", "SSL_CERT_DIR"} {
		if v, ok := c.Env[gone]; ok {
			t.Errorf("%s = %s is of no use in a sandbox", gone, v)
		}
	}
}

func TestClientShowsPackageFolders(t *testing.T) {
	p := fakePlaces(t, nil)
	wheels := filepath.Join(p.root, "wheels")
	put(t, filepath.Join(wheels, "x.whl"), "", 0o644)
	put(t, filepath.Join(p.home, "x"), "", 0o644)
	c, _ := p.client([]string{"PIP_FIND_LINKS=" + wheels + " /none https://links.example/ " + p.home})
	if diff := cmp.Diff([]string{wheels}, c.Paths); diff != "" {
		t.Error(diff)
	}
}

func TestLoopback(t *testing.T) {
	tests := map[string][]string{
		"http://127.0.0.1:3141/root/pypi":               {"127.0.0.1:3141"},
		"local=http://localhost:8000/simple?a=b":        {"localhost:8000"},
		"https://[::1]/simple http://127.1.2.3:9/":      {"127.1.2.3:9", "[::1]:443"},
		"https://pypi.org/simple":                       nil,
		"http://127.0.0.1.example.com/":                 nil,
		"localhost,127.0.0.1":                           nil, // NO_PROXY: nothing to reach
		"http://user:secret@localhost:3128":             {"localhost:3128"},
		"https://proxy.example|http://localhost,direct": {"localhost:80"},
		"%zz": nil,
	}
	for value, want := range tests {
		if diff := cmp.Diff(want, loopback(map[string]string{"X": value})); diff != "" {
			t.Errorf("%s:\n%s", value, diff)
		}
	}
}

func FuzzParsePip(f *testing.F) {
	f.Add("[global]\nindex-url = x\n  more\n")
	f.Add("[install\n=\n \n")
	f.Fuzz(func(t *testing.T, text string) {
		for name := range parsePip(text) {
			if !strings.HasPrefix(name, "PIP_") {
				t.Errorf("%q", name)
			}
		}
	})
}
