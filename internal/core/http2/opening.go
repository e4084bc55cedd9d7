package http2

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// Preface is what a client begins with (RFC 9113 §3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// MaxOpening is how much there may be before and of the first request's head; what
// is longer is odd.
const MaxOpening = 20 << 10

// Frames (RFC 9113 §6).
const (
	headSize = 9
	// AckSize is the size of the answer to settings.
	AckSize  = headSize
	maxFrame = 1 << 14 // until settings say otherwise

	typeHeaders      = 1
	typeSettings     = 4
	typeWindowUpdate = 8

	flagAck        = 1
	flagEndHeaders = 4
	flagPadded     = 8
	flagPriority   = 0x20

	settingPush = 2

	firstWindow = 1<<16 - 1
	maxWindow   = 1<<31 - 1
	// maxFrames is how many frames there are before the first request; common
	// clients send two to four.
	maxFrames = 8
)

// State is how far an opening has come.
type State int

// The states.
const (
	More  State = iota // the first request is not there yet
	Ready              // its head is
	Odd                // it is not to be judged here
)

// Opening is what a client has sent at the beginning of a connection.
type Opening struct {
	Settings int // frames that want an answer
	bytes    int // of these settings
	Acks     int // answers to the server's
	// Fields are those of the first request, in order, once it is Ready. Names
	// with a colon come first.
	Fields []hpack.HeaderField
}

// Get returns the first value of a field; "" when there is none.
func (o *Opening) Get(name string) string {
	for _, f := range o.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// frame is a frame's head.
type frame struct {
	length int
	kind   byte
	flags  byte
	stream uint32
}

func headOf(b []byte) frame {
	return frame{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		kind:   b[3],
		flags:  b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & maxWindow,
	}
}

// Read reads the beginning of a connection, all that has come of it so far.
func Read(b []byte) (o Opening, state State) {
	if len(b) > MaxOpening {
		return o, Odd
	}
	if len(b) < len(Preface) {
		if strings.HasPrefix(Preface, string(b)) {
			return o, More
		}
		return o, Odd
	}
	b, ok := bytes.CutPrefix(b, []byte(Preface))
	if !ok {
		return o, Odd
	}
	window := firstWindow
	for n := 0; len(b) >= headSize; n++ {
		h := headOf(b)
		if n == maxFrames || h.length > maxFrame || n == 0 && (h.kind != typeSettings || h.flags&flagAck != 0) {
			return o, Odd
		}
		if h.kind != typeSettings && h.kind != typeWindowUpdate && h.kind != typeHeaders {
			return o, Odd
		}
		if len(b) < headSize+h.length {
			break
		}
		payload := b[headSize : headSize+h.length]
		b = b[headSize+h.length:]
		switch h.kind {
		case typeHeaders:
			if o.Fields, ok = request(h, payload); !ok {
				return o, Odd
			}
			return o, Ready
		case typeSettings:
			ok = o.settings(h, payload)
		case typeWindowUpdate:
			ok = widen(&window, h, payload)
		}
		if !ok {
			return o, Odd
		}
	}
	return o, More
}

// Split returns a beginning with its first frames of settings, so many, in one, for a
// server that is to answer them once, and what else there is behind it. Read must have
// found them.
func Split(b []byte, settings int) (first, rest []byte) {
	var all []byte
	preface, b := b[:len(Preface)], b[len(Preface):]
	for settings > 0 {
		h := headOf(b)
		whole := b[:headSize+h.length]
		b = b[len(whole):]
		if h.kind == typeSettings && h.flags&flagAck == 0 {
			all = override(all, whole[headSize:])
			settings--
			continue
		}
		rest = append(rest, whole...)
	}
	n := len(all)
	first = append(append(first, preface...), byte(n>>16), byte(n>>8), byte(n), typeSettings, 0, 0, 0, 0, 0)
	return append(first, all...), append(rest, b...)
}

// override adds settings behind others without those that they replace: twice in one
// frame is too much for net/http.
func override(settings, later []byte) []byte {
	const size = 6
	var out []byte
	for s := range slices.Chunk(settings, size) {
		replaced := false
		for l := range slices.Chunk(later, size) {
			replaced = replaced || bytes.Equal(s[:2], l[:2])
		}
		if !replaced {
			out = append(out, s...)
		}
	}
	return append(out, later...)
}

// settings counts a frame; false when a server has to refuse it (RFC 9113 §6.5).
func (o *Opening) settings(h frame, payload []byte) bool {
	if h.stream != 0 {
		return false
	}
	if h.flags&flagAck != 0 {
		o.Acks++
		return h.length == 0
	}
	o.Settings++
	if o.bytes += h.length; o.bytes > maxFrame {
		return false
	}
	for ; len(payload) >= 6; payload = payload[6:] {
		v := binary.BigEndian.Uint32(payload[2:])
		switch binary.BigEndian.Uint16(payload) {
		case settingPush:
			if v > 1 {
				return false
			}
		case InitialWindowSize:
			if v > maxWindow {
				return false
			}
		case MaxFrameSize:
			if v < maxFrame || v >= 1<<24 {
				return false
			}
		}
	}
	return len(payload) == 0
}

// widen adds to the connection's window; false when that is more than can be
// (RFC 9113 §6.9).
func widen(window *int, h frame, payload []byte) bool {
	if h.stream != 0 || h.length != 4 {
		return false
	}
	by := int(binary.BigEndian.Uint32(payload) & maxWindow)
	*window += by
	return by > 0 && *window <= maxWindow
}

// request decodes the head of a request that is whole in one frame.
func request(h frame, payload []byte) ([]hpack.HeaderField, bool) {
	if h.stream%2 == 0 || h.flags&flagEndHeaders == 0 {
		return nil, false
	}
	padding := 0
	if h.flags&flagPadded != 0 {
		if len(payload) == 0 {
			return nil, false
		}
		padding, payload = int(payload[0]), payload[1:]
	}
	if h.flags&flagPriority != 0 {
		if len(payload) < 5 {
			return nil, false
		}
		payload = payload[5:]
	}
	if padding > len(payload) {
		return nil, false
	}
	fields, err := hpack.NewDecoder(4096, nil).DecodeFull(payload[:len(payload)-padding])
	return fields, err == nil
}

// Setting is one of a server's settings (RFC 9113 §6.5.2).
type Setting struct {
	ID    uint16
	Value uint32
}

// The settings that servers announce.
const (
	HeaderTableSize      = 1
	MaxConcurrentStreams = 3
	InitialWindowSize    = 4
	MaxFrameSize         = 5
	MaxHeaderListSize    = 6
)

// Answer is what a server says to an opening without a request: settings of its
// own, and that it has so many of the client's.
func Answer(own []Setting, settings int) []byte {
	out := []byte{0, 0, byte(6 * len(own)), typeSettings, 0, 0, 0, 0, 0}
	for _, s := range own {
		out = binary.BigEndian.AppendUint16(out, s.ID)
		out = binary.BigEndian.AppendUint32(out, s.Value)
	}
	for range settings {
		out = append(out, ack[:]...)
	}
	return out
}

// ack says that settings have come.
var ack = [headSize]byte{3: typeSettings, 4: flagAck}
