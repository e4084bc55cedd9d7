package platform

import (
	"os"
	"path/filepath"
	"testing"
)

// Files writes a source tree and returns its directory.
func Files(t testing.TB, tree map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range tree {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Bare is an app that needs nothing but the interpreter, so that what a test
// measures is Sunya and not an installer. It answers with its environment, its
// pid and whatever greeting says.
func Bare(t testing.TB, greeting string) string {
	return Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\n",
		"main.py":  BareMain(greeting),
	})
}

// BareMain is the source of Bare.
func BareMain(greeting string) string {
	return `import http.server, json, os, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/env":
            body = json.dumps(dict(os.environ)).encode()
        elif path == "/headers":
            body = json.dumps(dict(self.headers.items())).encode()
        elif path == "/pid":
            body = str(BOOT).encode()
        elif path == "/slow":
            time.sleep(1)
            body = b"slow"
        elif path == "/log":
            print("a line on stdout", flush=True)
            print(json.dumps({"severity": "WARNING", "message": "a structured line", "n": 7}), flush=True)
            try:
                raise ValueError("a traceback")
            except ValueError:
                import traceback
                traceback.print_exc()
            body = b"logged"
        else:
            body = ` + "GREETING" + `.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

GREETING = ` + "\"" + greeting + "\"" + `
BOOT = time.time_ns()

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

Server(("", int(os.environ["PORT"])), Handler).serve_forever()
`
}
