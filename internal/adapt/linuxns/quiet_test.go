package linuxns

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestQuiet(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for rule, says := range map[string]func(net.Conn){
		"bytes":  func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\n") },
		"an end": func(c net.Conn) { c.Close() },
	} {
		t.Run(rule, func(t *testing.T) {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			there, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer there.Close()
			c.SetDeadline(time.Unix(1, 0)) // of an earlier use
			quiet := Quiet(c)
			for range 2 { // looking takes nothing
				if !quiet() {
					t.Fatal("nothing has come")
				}
			}
			if n := testing.AllocsPerRun(10, func() { quiet() }); n > 0 {
				t.Errorf("%v allocations", n)
			}
			says(there)
			for limit := time.Now().Add(5 * time.Second); quiet(); {
				if time.Now().After(limit) {
					t.Fatal("what came is not seen")
				}
			}
		})
	}
	if Quiet(struct{ net.Conn }{}) != nil {
		t.Error("of this one nothing can be told")
	}
}
