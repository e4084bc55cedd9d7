package requestlog

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/served"
)

// The compact form of requests, one behind the other. It is stored: what is
// written here keeps its meaning for ever. A record is
//
//	uvarint  flags
//	varint   begin, nanoseconds: since 1970 in a fresh record, else since the one before
//	uvarint  latency in nanoseconds; status; bytes received; bytes sent
//	8 bytes  span id, little endian
//	strings  those in the order of fields that are neither empty nor as in the one before
//
// A string is its length as uvarint and its bytes. Ids of 32 hex digits are
// their 16 bytes, without a length.
const (
	fresh    = 1 << iota // nothing is as in the record before
	cold                 // ColdStart
	oddID                // ID is a string, not 32 hex digits
	oddTrace             // TraceID is a string, not 32 hex digits
	lowFlags = iota      // above: two bits for each field
)

// The two bits of a field.
const (
	isEmpty  = 0
	isSame   = 1 // as in the record before
	isString = 2
)

// The fields, in their order; new ones go to the end.
const (
	fieldMethod = iota
	fieldScheme
	fieldHost
	fieldTarget
	fieldProtocol
	fieldUserAgent
	fieldReferer
	fieldRemoteIP
	fieldInstance
	fieldProblem
	fields
)

// A field is cut here: what an entry may hold is bounded by what the gateway
// takes as head, and this bounds what damage can make of it.
const maxField = 1 << 20

// of returns the fields of a request.
func of(r *served.Request) [fields]*string {
	return [fields]*string{
		&r.Method, &r.Scheme, &r.Host, &r.Target, &r.Protocol, &r.UserAgent, &r.Referer, &r.RemoteIP, &r.Instance, &r.Problem,
	}
}

// encoder appends records to buf. The zero value is ready.
type encoder struct {
	buf   []byte
	begun bool
	begin int64              // of the record before
	prev  [fields]prevString // its strings
}

// prevString is where a string lies in the buffer.
type prevString struct{ from, to int }

// add appends a record. It keeps nothing of r.
func (e *encoder) add(r *served.Request) {
	begin := r.Begin.UnixNano()
	strs := of(r)
	flags := e.flags(r, &strs)
	e.buf = binary.AppendUvarint(e.buf, flags)
	e.buf = binary.AppendVarint(e.buf, begin-e.begin)
	e.buf = binary.AppendUvarint(e.buf, uint64(max(r.Latency, 0)))
	e.buf = binary.AppendUvarint(e.buf, uint64(max(r.Status, 0)))
	e.buf = binary.AppendUvarint(e.buf, uint64(max(r.Received, 0)))
	e.buf = binary.AppendUvarint(e.buf, uint64(max(r.Sent, 0)))
	e.buf = binary.LittleEndian.AppendUint64(e.buf, r.SpanID)
	e.buf = appendID(e.buf, r.ID, flags&oddID != 0)
	e.buf = appendID(e.buf, r.TraceID, flags&oddTrace != 0)
	for i, s := range strs {
		if flags>>(lowFlags+2*i)&3 == isString {
			e.string(i, *s)
		}
	}
	e.begun, e.begin = true, begin
}

func (e *encoder) flags(r *served.Request, strs *[fields]*string) (flags uint64) {
	if !e.begun {
		flags |= fresh
	}
	if r.ColdStart {
		flags |= cold
	}
	if !isHexID(r.ID) {
		flags |= oddID
	}
	if !isHexID(r.TraceID) {
		flags |= oddTrace
	}
	for i, s := range strs {
		switch p := e.prev[i]; {
		case *s == "":
		case string(e.buf[p.from:p.to]) == *s:
			flags |= isSame << (lowFlags + 2*i)
		default:
			flags |= isString << (lowFlags + 2*i)
		}
	}
	return flags
}

func (e *encoder) string(field int, s string) {
	s = s[:min(len(s), maxField)]
	e.buf = binary.AppendUvarint(e.buf, uint64(len(s)))
	from := len(e.buf)
	e.buf = append(e.buf, s...)
	e.prev[field] = prevString{from, len(e.buf)}
}

func isHexID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range 32 {
		if hexDigit[s[i]] < 0 {
			return false
		}
	}
	return true
}

// hexDigit is the value of each lower-case hex digit, -1 for what is none.
var hexDigit = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = int8(i)
	}
	return t
}()

func appendID(buf []byte, id string, odd bool) []byte {
	if odd {
		id = id[:min(len(id), maxField)]
		return append(binary.AppendUvarint(buf, uint64(len(id))), id...)
	}
	for i := 0; i < 32; i += 2 {
		buf = append(buf, byte(hexDigit[id[i]]<<4|hexDigit[id[i+1]]))
	}
	return buf
}

// errDamaged is about a body that no encoder wrote.
var errDamaged = errors.New("the requests of a pack are damaged")

// decoder reads what an encoder wrote.
type decoder struct {
	rest []byte
	prev served.Request // its Begin and the last string of each field
	err  error
}

// next reads a record into r, except for its Revision, and reports whether there
// was one.
func (d *decoder) next(r *served.Request) bool {
	if len(d.rest) == 0 || d.err != nil {
		return false
	}
	flags := d.uvarint()
	if flags&fresh != 0 {
		d.prev = served.Request{Begin: time.Unix(0, 0)}
	}
	*r = served.Request{
		ColdStart: flags&cold != 0,
		Begin:     time.Unix(0, d.prev.Begin.UnixNano()+d.varint()).UTC(),
		Latency:   time.Duration(d.uvarint()),
		Status:    int(d.uvarint()),
		Received:  int64(d.uvarint()),
		Sent:      int64(d.uvarint()),
		SpanID:    d.span(),
		ID:        d.id(flags&oddID != 0),
		TraceID:   d.id(flags&oddTrace != 0),
	}
	d.prev.Begin = r.Begin
	prev := of(&d.prev)
	for i, field := range of(r) {
		switch flags >> (lowFlags + 2*i) & 3 {
		case isSame:
			*field = *prev[i]
		case isString:
			*field = string(d.bytes(d.uvarint()))
			*prev[i] = *field
		}
	}
	return d.err == nil
}

func (d *decoder) fail() { d.err, d.rest = errDamaged, nil }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if n > maxField || n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) span() uint64 {
	b := d.bytes(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (d *decoder) id(odd bool) string {
	if odd {
		return string(d.bytes(d.uvarint()))
	}
	return hex.EncodeToString(d.bytes(16))
}

// decode reads all requests of a body, in the order in which they were added.
func decode(body []byte) ([]served.Request, error) {
	d := decoder{rest: body}
	var out []served.Request
	for {
		var r served.Request
		if !d.next(&r) {
			break
		}
		out = append(out, r)
	}
	if d.err != nil {
		return nil, fmt.Errorf("record %d: %w", len(out), d.err)
	}
	return out, nil
}
