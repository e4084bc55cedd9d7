//go:build e2e

package e2e

import (
	"net/url"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// The callers fetch an identity token for the audience aud, if there is one,
// call url with it, and answer with the status and the body that came back.
const (
	callerPython = `import http.server, os, urllib.error, urllib.parse, urllib.request

METADATA = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity?audience="

def call(url, aud):
    request = urllib.request.Request(url)
    if aud:
        asked = urllib.request.Request(METADATA + urllib.parse.quote(aud, safe=""), headers={"Metadata-Flavor": "Google"})
        request.add_header("Authorization", "Bearer " + urllib.request.urlopen(asked).read().decode())
    try:
        with urllib.request.urlopen(request) as answer:
            return f"{answer.status} {answer.read().decode()}"
    except urllib.error.HTTPError as e:
        return f"{e.code} {e.read().decode()}"
    except urllib.error.URLError as e:
        return str(e.reason)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        body = call(query["url"][0], query.get("aud", [""])[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`
	callerNode = `const http = require('http');
const metadata = 'http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity?audience=';

async function call(url, aud) {
  const headers = {};
  if (aud) {
    const token = await fetch(metadata + encodeURIComponent(aud), {headers: {'Metadata-Flavor': 'Google'}});
    headers.authorization = 'Bearer ' + await token.text();
  }
  const answer = await fetch(url, {headers});
  return answer.status + ' ' + await answer.text();
}

http.createServer(async (req, res) => {
  const query = new URL(req.url, 'http://x').searchParams;
  res.end(await call(query.get('url'), query.get('aud')).catch(e => String(e.cause || e)));
}).listen(process.env.PORT);
`
	callerGo = `package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
)

const metadata = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity?audience="

func get(url string, header http.Header) (int, string, error) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func call(to, aud string) (int, string, error) {
	header := http.Header{}
	if aud != "" {
		_, token, err := get(metadata+url.QueryEscape(aud), http.Header{"Metadata-Flavor": {"Google"}})
		if err != nil {
			return 0, "", err
		}
		header.Set("Authorization", "Bearer "+token)
	}
	return get(to, header)
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		status, body, err := call(r.FormValue("url"), r.FormValue("aud"))
		if err != nil {
			body = err.Error()
		}
		fmt.Fprint(w, status, " ", body)
	})
	http.ListenAndServe(":"+os.Getenv("PORT"), nil)
}
`
	// secretFunction shows what its caller's token has become.
	secretFunction = `import functions_framework

@functions_framework.http
def secret(request):
    return f"{request.host} {request.headers.get('Authorization', '').rsplit('.')[-1]} {request.headers['X-Forwarded-For']}"
`
)

// TestServicesCallEachOther: a private service is reached from inside other
// instances, by its internal and its public name, with an identity token and
// not without one, and with it never by what it has seen of the token.
func TestServicesCallEachOther(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	s.OK("functions", "deploy", "secret", "--runtime", "python311", "--source", platform.Files(t, map[string]string{"main.py": secretFunction}),
		"--region", "us-central1", "--no-allow-unauthenticated", "--quiet")
	public := "secret.localhost:" + s.Port
	callers := map[string]map[string]string{
		"default": {"app.yaml": "runtime: python311\nentrypoint: python3 main.py\n", "main.py": callerPython},
		"node":    {"app.yaml": "runtime: nodejs20\nservice: node\n", "server.js": callerNode, "package.json": `{"scripts":{"start":"node server.js"}}`},
		"go":      {"app.yaml": "runtime: go122\nservice: go\n", "main.go": callerGo, "go.mod": "module caller\n\ngo 1.22\n"},
	}
	for _, name := range []string{"default", "node", "go"} { // the first service of an app is default
		t.Run(name, func(t *testing.T) {
			s := s.For(t)
			host := s.Deploy(platform.Files(t, callers[name]))
			ask := func(to, aud string) string {
				return s.Get(host, "/?"+url.Values{"url": {to}, "aud": {aud}}.Encode())
			}
			for _, c := range []struct{ to, aud, want string }{
				{"http://secret.sunya.internal/", "http://" + public, "200 secret.sunya.internal SIGNATURE_REMOVED_BY_GOOGLE 10.213.0.2"},
				{"http://secret.sunya.internal/", "http://secret.sunya.internal", "200 secret.sunya.internal SIGNATURE_REMOVED_BY_GOOGLE 10.213.0.2"},
				{"http://" + public + "/", "http://" + public, "200 " + public + " SIGNATURE_REMOVED_BY_GOOGLE 10.213.0.2"},
				{"http://functions.localhost:" + s.Port + "/sunya/us-central1/secret", "http://" + public, "200 functions.localhost:" + s.Port},
				{"http://secret.sunya.internal/", "", "403 "},
				{"http://" + public + "/", "", "403 "},
				{"http://" + public + "/", "http://other.localhost", "401 "},
			} {
				if got := ask(c.to, c.aud); !strings.HasPrefix(got, c.want) {
					t.Errorf("%s with a token for %q: %q, want %q", c.to, c.aud, got, c.want)
				}
			}
			for _, to := range []string{"http://10.213.0.1:" + s.Port + "/v1/apps/sunya", "http://nobody.sunya.internal/", "http://api.localhost:" + s.Port + "/healthz"} {
				if got := ask(to, ""); strings.HasPrefix(got, "200") {
					t.Errorf("%s: %q, want no answer of the API", to, got)
				}
			}
		})
	}
}
