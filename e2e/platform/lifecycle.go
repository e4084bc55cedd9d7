package platform

import "testing"

// Lifecycle is an app that remembers what it was asked, says which version and
// instance it is, and notes its end. yaml is added to its app.yaml.
func Lifecycle(t testing.TB, yaml string) string {
	return Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\n" + yaml,
		"main.py":  lifecycleMain,
	})
}

const lifecycleMain = `import http.server, json, os, signal, sys, time

CALLS = []

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer

    def do_GET(self):
        path, _, query = self.path.partition("?")
        status, body = 200, os.environ["GAE_VERSION"] + " " + os.environ["GAE_INSTANCE"]
        if path == "/calls":
            body = json.dumps(CALLS)
        elif path.startswith("/_ah/"):
            CALLS.append([path, self.headers.get("Host"), self.headers.get("X-Forwarded-For")])
            print("asked for", path, flush=True)
            status = int(os.environ.get("STATUS" + path.replace("/", "_").upper(), "200"))
        elif path == "/wait":
            time.sleep(float(query))
        elif path == "/crash" and query == os.environ["GAE_INSTANCE"]:
            os._exit(3)  # and not the next one, which is asked again
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

def end(*_):
    print("terminated", flush=True)
    os._exit(0)

signal.signal(signal.SIGTERM, end)
Server(("", int(os.environ["PORT"])), Handler).serve_forever()
`
