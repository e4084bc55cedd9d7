package gateway_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
)

// backend is a program that speaks HTTP/2 badly: it has read a request's
// headers, and writes until it cannot any more.
type backend struct {
	*http2.Framer
	c      net.Conn
	stream uint32
	buf    bytes.Buffer
	enc    *hpack.Encoder
}

// head is a block of headers.
func (b *backend) head(pairs ...string) []byte {
	b.buf.Reset()
	for i := 0; i < len(pairs); i += 2 {
		b.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}) // a buffer takes everything
	}
	return bytes.Clone(b.buf.Bytes())
}

func (b *backend) headers(end bool, block []byte) error {
	return b.WriteHeaders(http2.HeadersFrameParam{StreamID: b.stream, BlockFragment: block, EndHeaders: end})
}

// serve reads the client's frames on its own, and lets answer write once there
// is a request.
func serveBadly(settings []http2.Setting, answer func(*backend) error) func(net.Conn) {
	return func(c net.Conn) {
		defer c.Close()
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		b := &backend{Framer: http2.NewFramer(c, c), c: c}
		b.enc = hpack.NewEncoder(&b.buf)
		asked := make(chan uint32, 1)
		go func() {
			for {
				f, err := b.ReadFrame()
				if err != nil {
					return
				}
				if h, ok := f.(*http2.HeadersFrame); ok {
					select {
					case asked <- h.StreamID:
					default:
					}
				}
			}
		}()
		if b.WriteSettings(settings...) != nil {
			return
		}
		select {
		case b.stream = <-asked:
			_ = answer(b) // it ends when the gateway has enough
		case <-time.After(time.Second):
		}
	}
}

// TestHostileHTTP2Programs (F29): whatever a program of HTTP/2 does, its client
// gets an error inside the timeout, and the next request is served the same.
func TestHostileHTTP2Programs(t *testing.T) {
	const plenty = 100_000
	for _, c := range []struct {
		name     string
		settings []http2.Setting
		answer   func(*backend) error
		status   []int
	}{
		{"frames of no size", []http2.Setting{{ID: http2.SettingMaxFrameSize, Val: 0}}, func(b *backend) error { return b.headers(true, b.head(":status", "200")) }, []int{502}},
		{"endless 103", nil, func(b *backend) error {
			for range plenty {
				if err := b.headers(true, b.head(":status", "103", "link", "</a>")); err != nil {
					return err
				}
			}
			return nil
		}, []int{502}},
		{"headers without end", nil, func(b *backend) error {
			if err := b.headers(false, b.head(":status", "200")); err != nil {
				return err
			}
			for range plenty {
				if err := b.WriteContinuation(b.stream, false, b.head("x-filler", strings.Repeat("x", 1000))); err != nil {
					return err
				}
			}
			return nil
		}, []int{502}},
		{"one huge header", nil, func(b *backend) error {
			return b.headers(true, b.head(":status", "200", "x-large", strings.Repeat("x", 15<<10), "x-large2", strings.Repeat("y", 100)))
		}, []int{200}}, // 15 KiB are no offence
		{"GOAWAY instead", nil, func(b *backend) error { return b.WriteGoAway(0, http2.ErrCodeInternal, nil) }, []int{502}},
		{"reset", nil, func(b *backend) error { return b.WriteRSTStream(b.stream, http2.ErrCodeInternal) }, []int{502}},
		{"refused for ever", nil, func(b *backend) error {
			for {
				if err := b.WriteRSTStream(b.stream, http2.ErrCodeRefusedStream); err != nil {
					return err
				}
				b.stream += 2
				time.Sleep(time.Millisecond)
			}
		}, []int{502, 504}},
		{"no status", nil, func(b *backend) error { return b.headers(true, b.head("x-a", "b")) }, []int{502}},
		{"a status that is none", nil, func(b *backend) error { return b.headers(true, b.head(":status", "abc")) }, []int{502}},
		{"data before headers", nil, func(b *backend) error { return b.WriteData(b.stream, false, []byte("x")) }, []int{502}},
		{"noise", nil, func(b *backend) error {
			_, err := b.c.Write(bytes.Repeat([]byte{0xff}, 4096))
			return err
		}, []int{502}},
		{"silence", nil, func(b *backend) error {
			time.Sleep(1500 * time.Millisecond)
			return nil
		}, []int{504}},
		{"PING without end", nil, func(b *backend) error {
			for begin := time.Now(); time.Since(begin) < 3*time.Second; {
				if err := b.WritePing(false, [8]byte{}); err != nil {
					return err
				}
			}
			return nil
		}, []int{502, 504}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			engine := &instancetest.Engine{Raw: serveBadly(c.settings, c.answer)}
			w := newWorldOn(t, engine, func(r *sunya.Revision) { r.Protocol, r.RequestTimeout = sunya.H2C, time.Second })
			for range 2 {
				begin := time.Now()
				resp, err := w.client.Do(w.request("POST", "/", strings.NewReader("x")))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				late := resp.StatusCode == http.StatusGatewayTimeout && c.status[0] != http.StatusOK // on a busy machine
				if !late && !oneOf(resp.StatusCode, c.status) || time.Since(begin) > 10*time.Second {
					t.Errorf("%d after %v, want one of %v within the timeout", resp.StatusCode, time.Since(begin), c.status)
				}
				if c.status[0] == http.StatusOK {
					return
				}
			}
		})
	}
}

func oneOf(status int, want []int) bool {
	for _, w := range want {
		if status == w {
			return true
		}
	}
	return false
}

// TestRefusalIsRead: what net/http refuses by itself, with a body on its way, is
// answered all the same.
func TestRefusalIsRead(t *testing.T) {
	w := newWorld(t, func(http.ResponseWriter, *http.Request) {})
	for range 20 {
		c, err := net.Dial("tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		body := strings.Repeat("x", 64<<10)
		fmt.Fprintf(c, "POST /%% HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		answer, err := io.ReadAll(c)
		c.Close()
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
			t.Fatalf("%q, %v", answer, err)
		}
	}
}
