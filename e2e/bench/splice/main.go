//go:build linux

// Command splice says what a proxy in Go can reach at all: it copies bytes
// between a client's connection and one of its own to the backend, one message
// each way in turn, and looks at none of them. No HTTP proxy in Go is faster than
// that, so its throughput over that without any proxy is the R that the gateway
// is measured against (docs/adr/0021-the-common-request.md).
//
//	splice -mode goroutine|epoll -listen ADDR -backend ADDR
//
// Mode goroutine is a goroutine for each connection over the runtime's poller,
// epoll a loop of its own over the same sockets, to see what the runtime costs.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"
)

func main() {
	mode := flag.String("mode", "goroutine", "goroutine or epoll")
	listen := flag.String("listen", "127.0.0.1:8090", "address to listen on")
	backend := flag.String("backend", "127.0.0.1:8091", "address of the backend")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	switch *mode {
	case "goroutine":
		err = serve(l, *backend)
	case "epoll":
		err = serveByEpoll(l, *backend)
	default:
		fmt.Fprintf(os.Stderr, "splice: %q is not a mode: use goroutine or epoll\n", *mode)
		os.Exit(2)
	}
	log.Fatal(err)
}

// serve gives each connection a goroutine.
func serve(l net.Listener, backend string) error {
	for {
		client, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer client.Close()
			upstream, err := net.Dial("tcp", backend)
			if err != nil {
				log.Print(err)
				return
			}
			defer upstream.Close()
			inTurn(client, upstream)
		}()
	}
}

// inTurn copies a message there and one back until one side ends. It takes what
// one read gives for a whole message, as with the small ones of the benchmark.
func inTurn(client, upstream net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		for _, way := range [][2]net.Conn{{client, upstream}, {upstream, client}} {
			n, err := way[0].Read(buf)
			if err != nil {
				return
			}
			if _, err := way[1].Write(buf[:n]); err != nil {
				return
			}
		}
	}
}
