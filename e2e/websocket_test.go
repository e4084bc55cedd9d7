//go:build e2e

package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestWebSocketExample: the chat room of the examples, with Python's own library
// behind the gateway: what one client says, all hear, from outside and by the
// internal name from inside.
func TestWebSocketExample(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	files := map[string]string{"app.yaml": "runtime: python311\nentrypoint: python3 main.py\n"}
	for _, name := range []string{"main.py", "talk.py", "requirements.txt"} {
		b, err := os.ReadFile("../examples/run-websocket/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(b)
	}
	host := s.Deploy(platform.Files(t, files))
	files["app.yaml"] = "runtime: python311\nservice: visitor\nentrypoint: python3 hello.py\n"
	files["hello.py"] = visitor
	visit := s.Deploy(platform.Files(t, files))

	var clients []*websocket.Conn
	for range 2 {
		c, _, err := websocket.Dial(t.Context(), s.URL(), &websocket.DialOptions{Host: host})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		clients = append(clients, c)
	}
	hear := func(want string) {
		t.Helper()
		for n, c := range clients {
			if _, b, err := c.Read(t.Context()); err != nil || string(b) != want {
				t.Errorf("client %d hears %q, %v; want %q", n, b, err, want)
			}
		}
	}
	if err := clients[0].Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	hear("hello")
	time.Sleep(1500 * time.Millisecond) // longer than an instance without requests stays awake
	if err := clients[1].Write(t.Context(), websocket.MessageText, []byte("still there?")); err != nil {
		t.Fatal(err)
	}
	hear("still there?")
	if got := s.Get(visit, "/"); got != "from inside" {
		t.Errorf("the visitor heard %q", got)
	}
	hear("from inside")
}

// visitor says something in the room, by its internal name, and answers with
// what it hears.
const visitor = `import http.server, os
from websockets.sync.client import connect

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with connect("ws://sunya.sunya.internal/") as socket:
            socket.send("from inside")
            heard = socket.recv(timeout=10).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(heard)))
        self.end_headers()
        self.wfile.write(heard)

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`
