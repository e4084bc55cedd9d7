//go:build e2e

package clients

import (
	"archive/zip"
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// zipped is an archive of files.
func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// post sends a body that the platform must take.
func post(t *testing.T, url, kind string, body []byte) {
	t.Helper()
	resp, err := http.Post(url, kind, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
}

// TestBuildClients runs Google's Cloud Build libraries for Python and Node.js
// against the platform.
func TestBuildClients(t *testing.T) {
	base := server(t)
	source := zipped(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY greeting /\n", "greeting": "hello\n"})
	post(t, base+"/storage/v1/b?project=sunya", "application/json", []byte(`{"name":"sources-of-clients"}`))
	post(t, base+"/upload/storage/v1/b/sources-of-clients/o?uploadType=media&name=source.zip", "application/zip", source)
	libraries(t, base, "builds", "SUNYA_SOURCE=sources-of-clients/source.zip")
}

// TestFunctionsClients runs Google's Cloud Functions libraries for Python and
// Node.js, in both versions of the API, against the platform.
func TestFunctionsClients(t *testing.T) {
	base := server(t)
	file := filepath.Join(t.TempDir(), "source.zip")
	source := zipped(t, map[string]string{"main.py": strings.Join([]string{"def hello(request):", "    return 'Hello World'", ""}, "\n")})
	if err := os.WriteFile(file, source, 0o644); err != nil {
		t.Fatal(err)
	}
	libraries(t, base, "functions", "SUNYA_ZIP="+file)
}
