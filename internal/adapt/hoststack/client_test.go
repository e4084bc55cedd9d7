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

func TestLoopbackGoesThroughTheGateway(t *testing.T) {
	tests := map[string]struct {
		want  string
		addrs []string
	}{
		"http://127.0.0.1:3141/root/pypi":               {"http://10.213.0.1:3141/root/pypi", []string{"127.0.0.1:3141"}},
		"local=http://localhost:8000/simple?a=b":        {"local=http://10.213.0.1:8000/simple?a=b", []string{"127.0.0.1:8000"}},
		"https://[::1]/simple http://127.1.2.3:9/":      {"https://10.213.0.1:443/simple http://10.213.0.1:9/", []string{"127.0.0.1:443", "127.0.0.1:9"}},
		"http://user:secret@localhost:3128":             {"http://user:secret@10.213.0.1:3128", []string{"127.0.0.1:3128"}},
		"https://proxy.example|http://localhost,direct": {"https://proxy.example|http://10.213.0.1:80,direct", []string{"127.0.0.1:80"}},
		"https://pypi.example/simple":                   {"https://pypi.example/simple", nil},
		"http://127.0.0.1.example.com/":                 {"http://127.0.0.1.example.com/", nil},
		"http://localhosting.example/":                  {"http://localhosting.example/", nil},
		"localhost,127.0.0.1":                           {"localhost,127.0.0.1", nil},
	}
	for value, tt := range tests {
		env := map[string]string{"X": value}
		addrs := throughGateway(env)
		if diff := cmp.Diff(tt.addrs, addrs); diff != "" || env["X"] != tt.want {
			t.Errorf("%s: %s\n%s", value, env["X"], diff)
		}
	}
	env := map[string]string{"PIP_INDEX_URL": "http://localhost:1/", "NO_PROXY": "localhost"}
	throughGateway(env)
	want := map[string]string{"PIP_INDEX_URL": "http://10.213.0.1:1/", "NO_PROXY": "localhost,10.213.0.1", "PIP_TRUSTED_HOST": "10.213.0.1:1", "UV_INSECURE_HOST": "10.213.0.1:1"}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Error(diff)
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
