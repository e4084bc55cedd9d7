package http2

// Drop takes what a server says at its beginning out of what it writes, where
// somebody has said it before: its first settings, and its first answer to the
// client's.
type Drop struct {
	settings, answer bool // have been taken out
	skip             int  // bytes before the next frame, or of one that is taken out
	out              bool
	head             [headSize]byte
	n                int // of head
}

// Done reports whether everything passes from now on.
func (d *Drop) Done() bool { return d.settings && d.answer && d.n == 0 && !d.out }

// Strip appends what passes of p to dst. The head of a frame passes as a whole.
func (d *Drop) Strip(dst, p []byte) []byte {
	for len(p) > 0 && !d.Done() {
		if d.skip > 0 {
			n := min(d.skip, len(p))
			if !d.out {
				dst = append(dst, p[:n]...)
			}
			p, d.skip = p[n:], d.skip-n
			d.out = d.out && d.skip > 0
			continue
		}
		n := copy(d.head[d.n:], p)
		d.n, p = d.n+n, p[n:]
		if d.n < headSize {
			return dst
		}
		d.n = 0
		h := headOf(d.head[:])
		switch {
		case h.kind == typeSettings && h.flags&flagAck != 0 && h.length == 0 && !d.answer:
			d.answer = true
			continue
		case h.kind == typeSettings && h.flags&flagAck == 0 && !d.settings:
			d.settings = true
			d.out = h.length > 0
		default:
			dst = append(dst, d.head[:]...)
		}
		d.skip = h.length
	}
	return append(dst, p...)
}
