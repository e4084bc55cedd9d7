package linuxns

import (
	"os"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// oneAtATime serves one connection after the other, each to its end, as
// gunicorn's sync worker does.
const oneAtATime = `
import socket
s = socket.create_server(("127.0.0.1", 8080))
while True:
    c, _ = s.accept()
    while True:
        data = c.recv(100)
        if not data:
            break
        c.sendall(data)
    c.close()
`

// TestProgramSeesThatTheServerHungUp: a copy of the socket that the launcher
// had kept held every connection open, so that such a program waited for ever.
func TestProgramSeesThatTheServerHungUp(t *testing.T) {
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("SKIP: no /usr/bin/python3")
	}
	e := engine(t)
	s := start(t, e, sandbox.Spec{Args: []string{"/usr/bin/python3", "-c", oneAtATime}, Port: 8080})
	for range 40 { // past the spare sockets that come with the ready event
		conn, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	echo(t, s)
}
