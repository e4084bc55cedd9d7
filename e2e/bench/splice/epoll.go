//go:build linux

package main

import (
	"log"
	"net"

	"golang.org/x/sys/unix"
)

// serveByEpoll copies between all connections on one thread that waits in the
// kernel itself.
func serveByEpoll(l net.Listener, backend string) error {
	loop, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	pairs := make(chan [2]int, 64)
	go accept(l, backend, pairs)
	peer := map[int32]int{} // the other end of a connection
	events := make([]unix.EpollEvent, 256)
	buf := make([]byte, 16<<10)
	for {
		for len(pairs) > 0 || len(peer) == 0 {
			pair := <-pairs
			peer[int32(pair[0])], peer[int32(pair[1])] = pair[1], pair[0]
			for _, fd := range pair {
				e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd)}
				if err := unix.EpollCtl(loop, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
					return err
				}
			}
		}
		n, err := unix.EpollWait(loop, events, 10) // and look for new ones now and then
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			other, open := peer[e.Fd]
			if !open {
				continue // its peer has just ended
			}
			n, err := unix.Read(int(e.Fd), buf)
			if n > 0 {
				_, err = unix.Write(other, buf[:n])
			}
			if n <= 0 || err != nil {
				delete(peer, e.Fd)
				delete(peer, int32(other))
				unix.Close(int(e.Fd))
				unix.Close(other)
			}
		}
	}
}

// accept connects each client with the backend. The descriptors are taken out of
// the runtime's hands.
func accept(l net.Listener, backend string, pairs chan<- [2]int) {
	for {
		client, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		upstream, err := net.Dial("tcp", backend)
		if err != nil {
			log.Print(err)
			client.Close()
			continue
		}
		pairs <- [2]int{take(client), take(upstream)}
	}
}

func take(c net.Conn) int {
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		log.Fatal(err)
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		log.Fatal(err)
	}
	f.Close()
	c.Close()
	return fd
}
