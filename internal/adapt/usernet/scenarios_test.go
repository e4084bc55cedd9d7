package usernet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// scenarios run inside the guest.
var scenarios = map[string]func(args []string) (string, error){
	"connect":  scenarioConnect,
	"echo":     scenarioEcho,
	"download": func(a []string) (string, error) { return scenarioDownload(a[0]) },
	"upload":   scenarioUpload,
	"many":     scenarioMany,
	"udp":      scenarioUDP,
	"lookup":   scenarioLookup,
	"held":     scenarioHeld,
	"hold":     scenarioHold,
	"sink":     scenarioSink,
	"reset":    scenarioReset,
}

// scenarioConnect says what becomes of connecting: ok, refused or else.
func scenarioConnect(args []string) (string, error) {
	c, err := dialGuest("tcp", args[0])
	switch {
	case err == nil:
		c.Close()
		return "ok", nil
	case errors.Is(err, unix.ECONNREFUSED):
		return "refused", nil
	}
	return err.Error(), nil
}

// scenarioEcho sends, ends its side, and returns all that comes back.
func scenarioEcho(args []string) (string, error) {
	c, err := dialGuest("tcp", args[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, args[1]); err != nil {
		return "", err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

// scenarioDownload returns the hash of everything that a server sends.
func scenarioDownload(addr string) (string, error) {
	c, err := dialGuest("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	h := sha256.New()
	n, err := io.Copy(h, c)
	return fmt.Sprintf("%d %x", n, h.Sum(nil)), err
}

// scenarioSink reads everything that a server sends.
func scenarioSink(args []string) (string, error) {
	c, err := dialGuest("tcp", args[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	// No io.Copy to io.Discard: its buffer is too small to measure with.
	buf := make([]byte, 1<<20)
	for {
		if _, err := c.Read(buf); err != nil {
			return "", nil
		}
	}
}

// held are the connections that stay open until the guest ends.
var held []net.Conn

// scenarioHold opens a connection that it leaves open.
func scenarioHold(args []string) (string, error) {
	c, err := dialGuest("tcp", args[0])
	held = append(held, c)
	return "", err
}

// scenarioHeld uses the first connection that was left open and says how that
// ends.
func scenarioHeld([]string) (string, error) {
	c := held[0]
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, err := c.Write([]byte("x"))
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	if errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) {
		return "reset", nil
	}
	return fmt.Sprint(err), nil
}

// scenarioUpload sends so many bytes and returns what the server says of them.
func scenarioUpload(args []string) (string, error) {
	size, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return "", err
	}
	c, err := dialGuest("tcp", args[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.Copy(c, pattern(size)); err != nil {
		return "", err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

// scenarioMany holds many connections at once and uses each.
func scenarioMany(args []string) (string, error) {
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	conns := make([]net.Conn, count)
	errs := make([]error, count)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() { conns[i], errs[i] = dialGuest("tcp", args[0]) })
		if i%100 == 99 {
			wg.Wait()
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	for i, c := range conns {
		msg := fmt.Appendf(nil, "%08d", i)
		if _, err := c.Write(msg); err != nil {
			return "", err
		}
		back := make([]byte, len(msg))
		if _, err := io.ReadFull(c, back); err != nil || !bytes.Equal(msg, back) {
			return "", fmt.Errorf("connection %d: %q, %w", i, back, err)
		}
	}
	for _, c := range conns {
		c.Close()
	}
	return "ok", nil
}

// scenarioUDP sends datagrams of the sizes given and waits for each echo.
func scenarioUDP(args []string) (string, error) {
	c, err := dialGuest("udp", args[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	for _, s := range args[1:] {
		size, err := strconv.Atoi(s)
		if err != nil {
			return "", err
		}
		msg := bytes.Repeat([]byte{'x'}, size)
		if _, err := c.Write(msg); err != nil {
			return "", fmt.Errorf("send %d: %w", size, err)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		back := make([]byte, 65536)
		n, err := c.Read(back)
		if err != nil {
			return "", fmt.Errorf("receive %d: %w", size, err)
		}
		if !bytes.Equal(back[:n], msg) {
			return "", fmt.Errorf("echo of %d bytes is %d bytes", size, n)
		}
	}
	return "ok", nil
}

// scenarioLookup resolves a name over the network given.
func scenarioLookup(args []string) (string, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if args[0] != "" {
			network = args[0]
		}
		var d net.Dialer
		return d.DialContext(ctx, network, dnsAddr.String())
	}}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ips, err := r.LookupHost(ctx, args[1])
	slices.Sort(ips)
	return strings.Join(ips, " "), err
}

// scenarioReset sends a byte and waits for the server's reset.
func scenarioReset(args []string) (string, error) {
	c, err := dialGuest("tcp", args[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		return "", err
	}
	_, err = c.Read(make([]byte, 1))
	if errors.Is(err, unix.ECONNRESET) {
		return "reset", nil
	}
	return fmt.Sprint(err), nil
}

// pattern is size bytes that repeat only after a prime number of them.
func pattern(size int64) io.Reader {
	return io.LimitReader(&cycle{}, size)
}

type cycle struct{ at int }

var cycleBytes = func() []byte {
	b := make([]byte, 65521)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}()

func (c *cycle) Read(b []byte) (int, error) {
	n := copy(b, cycleBytes[c.at:])
	c.at = (c.at + n) % len(cycleBytes)
	return n, nil
}
