"""Answers what the contract of every language asks: see e2e/languages_test.go."""
import http.server
import json
import os
import signal
import sys

GREETING = "Hello World!"


def attempt(path):
    try:
        with open(path, "w") as f:
            f.write("x")
        return "written"
    except OSError as exc:
        return "refused: %s" % exc


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = GREETING
        if self.path == "/env":
            body = json.dumps(dict(os.environ))
        elif self.path == "/disk":
            body = json.dumps({"app": attempt(os.path.join(os.getcwd(), "x")), "tmp": attempt("/tmp/x")})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())


def end(*_):
    print("SIGTERM received", flush=True)
    sys.exit(0)


signal.signal(signal.SIGTERM, end)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
