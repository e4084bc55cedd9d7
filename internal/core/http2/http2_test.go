package http2

import (
	"bytes"
	"testing"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// client writes frames behind a preface.
func client(t testing.TB, write func(f *xhttp2.Framer)) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(Preface)
	write(xhttp2.NewFramer(&b, nil))
	return b.Bytes()
}

func request1(f *xhttp2.Framer) {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, h := range []hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":path", Value: "/a.B/C"}, {Name: ":authority", Value: "localhost"}, {Name: "content-type", Value: "application/grpc"}} {
		_ = enc.WriteField(h)
	}
	_ = f.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, PadLength: 3, Priority: xhttp2.PriorityParam{Weight: 1}})
}

func TestRead(t *testing.T) {
	whole := client(t, func(f *xhttp2.Framer) {
		_ = f.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1 << 20})
		_ = f.WriteWindowUpdate(0, 1<<20)
		request1(f)
	})
	for n := range whole {
		if _, state := Read(whole[:n]); state != More {
			t.Fatalf("%d of %d bytes: state %d, want More", n, len(whole), state)
		}
	}
	o, state := Read(append(whole, "what follows"...))
	if state != Ready || o.Get(":path") != "/a.B/C" || o.Get("content-type") != "application/grpc" || o.Get("none") != "" || o.Settings != 1 {
		t.Errorf("state %d, %+v", state, o)
	}
}

func TestOdd(t *testing.T) {
	for name, b := range map[string][]byte{
		"another protocol":       []byte("GET / HTTP/1.1\r\n"),
		"no settings":            client(t, request1),
		"an answer first":        client(t, func(f *xhttp2.Framer) { _ = f.WriteSettingsAck() }),
		"a ping":                 client(t, func(f *xhttp2.Framer) { _ = f.WriteSettings(); _ = f.WritePing(false, [8]byte{}) }),
		"push that is no switch": client(t, func(f *xhttp2.Framer) { _ = f.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingEnablePush, Val: 2}) }),
		"a small frame size":     client(t, func(f *xhttp2.Framer) { _ = f.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingMaxFrameSize, Val: 1}) }),
		"half a setting":         client(t, func(f *xhttp2.Framer) { _ = f.WriteRawFrame(xhttp2.FrameSettings, 0, 0, []byte("12345")) }),
		"a window too wide": client(t, func(f *xhttp2.Framer) {
			_ = f.WriteSettings()
			_ = f.WriteWindowUpdate(0, 1<<31-1)
		}),
		"many frames": client(t, func(f *xhttp2.Framer) {
			for range maxFrames + 1 {
				_ = f.WriteSettings()
			}
		}),
		"a head that goes on": client(t, func(f *xhttp2.Framer) {
			_ = f.WriteSettings()
			_ = f.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
		}),
		"padding without end": client(t, func(f *xhttp2.Framer) {
			_ = f.WriteSettings()
			_ = f.WriteRawFrame(xhttp2.FrameHeaders, xhttp2.FlagHeadersEndHeaders|xhttp2.FlagHeadersPadded, 1, []byte{9, 0x82})
		}),
	} {
		if _, state := Read(b); state != Odd {
			t.Errorf("%s: state %d, want Odd", name, state)
		}
	}
}

// TestSplit: what the settings say stays, in their order, and nothing else is lost.
func TestSplit(t *testing.T) {
	tail := func(f *xhttp2.Framer) {
		request1(f)
		_ = f.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 9})
	}
	first, rest := Split(client(t, func(f *xhttp2.Framer) {
		_ = f.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1}, xhttp2.Setting{ID: xhttp2.SettingEnablePush, Val: 0})
		_ = f.WriteWindowUpdate(0, 1<<20)
		_ = f.WriteSettingsAck()
		_ = f.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 2})
		tail(f)
	}), 2)
	wantFirst := client(t, func(f *xhttp2.Framer) {
		_ = f.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingEnablePush, Val: 0}, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 2})
	})
	wantRest := client(t, func(f *xhttp2.Framer) { _ = f.WriteWindowUpdate(0, 1<<20); _ = f.WriteSettingsAck(); tail(f) })[len(Preface):]
	if !bytes.Equal(first, wantFirst) || !bytes.Equal(rest, wantRest) {
		t.Errorf("%q and %q,\nwant %q and %q", first, rest, wantFirst, wantRest)
	}
}

// TestDrop: the first settings and the first answer go, whatever the pieces in which they
// come.
func TestDrop(t *testing.T) {
	server := func(write func(f *xhttp2.Framer)) []byte {
		var b bytes.Buffer
		write(xhttp2.NewFramer(&b, nil))
		return b.Bytes()
	}
	rest := func(f *xhttp2.Framer) {
		_ = f.WriteSettingsAck()
		_ = f.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1})
		_ = f.WriteSettingsAck()
		_ = f.WriteData(1, false, []byte("data"))
	}
	all := server(func(f *xhttp2.Framer) {
		_ = f.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingMaxFrameSize, Val: 1 << 14}, xhttp2.Setting{ID: xhttp2.SettingMaxConcurrentStreams, Val: 250})
		_ = f.WriteWindowUpdate(0, 1<<20)
		_ = f.WriteSettingsAck()
		_ = f.WritePing(false, [8]byte{})
		rest(f)
	})
	want := server(func(f *xhttp2.Framer) {
		_ = f.WriteWindowUpdate(0, 1<<20)
		_ = f.WritePing(false, [8]byte{})
		rest(f)
	})
	for size := 1; size <= len(all); size++ {
		var d Drop
		var got []byte
		for rest := all; len(rest) > 0; {
			n := min(size, len(rest))
			got, rest = d.Strip(got, rest[:n]), rest[n:]
		}
		if !bytes.Equal(got, want) || !d.Done() {
			t.Fatalf("in pieces of %d: %q, want %q", size, got, want)
		}
	}
}

// TestAnswer reads it with another's eyes.
func TestAnswer(t *testing.T) {
	f := xhttp2.NewFramer(nil, bytes.NewReader(Answer([]Setting{{MaxConcurrentStreams, 250}, {InitialWindowSize, 1 << 20}}, 2)))
	for i := range 3 {
		frame, err := f.ReadFrame()
		s, ok := frame.(*xhttp2.SettingsFrame)
		if err != nil || !ok || s.IsAck() != (i > 0) {
			t.Fatalf("frame %d: %v, %v", i, frame, err)
		}
		if v, _ := s.Value(xhttp2.SettingMaxConcurrentStreams); i == 0 && v != 250 {
			t.Errorf("streams = %d", v)
		}
	}
}

// FuzzRead: nothing makes it fail, what is longer is judged no less surely, and
// what passes is what came but for answers.
func FuzzRead(f *testing.F) {
	f.Add(client(f, func(x *xhttp2.Framer) { _ = x.WriteSettings(); request1(x) }), 40)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		_, whole := Read(b)
		if cut < 0 || cut > len(b) {
			return
		}
		if o, state := Read(b); state != Odd && o.Settings > 0 {
			if first, rest := Split(b, o.Settings); len(first)+len(rest) > len(b)+headSize {
				t.Errorf("%q is split into %q and %q", b, first, rest)
			}
		}
		if o, part := Read(b[:cut]); part != More && part != whole && len(b) <= MaxOpening {
			t.Errorf("%d bytes are %d (%+v), all are %d", cut, part, o, whole)
		}
		var one, two Drop
		at := one.Strip(nil, b)
		if in := two.Strip(two.Strip(nil, b[:cut]), b[cut:]); !bytes.Equal(at, in) {
			t.Errorf("at once %q, in two %q", at, in)
		}
	})
}
