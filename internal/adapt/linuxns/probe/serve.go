package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// serve is the tests' program: "listen ADDRESS", "eat" memory, "fork",
// "udp ADDRESS", "wait", "sleep", "stubborn".
func serve(args []string) {
	switch args[0] {
	case "listen":
		listen(args[1])
	case "eat":
		eat()
	case "udp":
		udp(args[1])
	case "fork":
		fork()
	case "wait":
		terminated := make(chan os.Signal, 1)
		signal.Notify(terminated, syscall.SIGTERM)
		fmt.Println("waiting")
		fmt.Println(<-terminated)
	case "sleep":
		time.Sleep(time.Minute)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("waiting")
		time.Sleep(time.Hour)
	}
}

// listen answers every connection with what it reads.
func listen(address string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
	}
}

// udp sends a datagram and prints the answer.
func udp(address string) {
	conn, err := net.Dial("udp", address)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	buf := make([]byte, 64)
	if _, err := conn.Write([]byte("question")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	n, err := conn.Read(buf)
	fmt.Println(string(buf[:n]), err)
}

// eat takes memory, a mebibyte at a time, up to a gibibyte.
func eat() {
	var all [][]byte
	for range 1024 {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = 1
		}
		all = append(all, block)
	}
	fmt.Println("ate", len(all))
}

// fork starts processes until one is refused, and says how many there were.
func fork() {
	for n := range 4096 {
		_, err := syscall.ForkExec("/proc/self/exe", []string{"probe", "sleep"}, &syscall.ProcAttr{Env: []string{"GOMAXPROCS=1"}})
		if err != nil {
			fmt.Println("refused after", n, err)
			return
		}
	}
	fmt.Println("never refused")
}
