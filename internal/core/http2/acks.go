package http2

// Acks takes the first answers to settings out of the frames of one direction.
type Acks struct {
	left int // to be taken out
	skip int // bytes before the next frame
	head [headSize]byte
	n    int // of head
}

// Expect returns an Acks that takes out n answers, behind so many bytes.
func Expect(n, behind int) Acks { return Acks{left: n, skip: behind} }

// Done reports whether everything passes from now on.
func (a *Acks) Done() bool { return a.left == 0 && a.n == 0 }

// Strip appends what passes of p to dst. The head of a frame passes as a whole.
func (a *Acks) Strip(dst, p []byte) []byte {
	for len(p) > 0 && !a.Done() {
		if a.skip > 0 {
			n := min(a.skip, len(p))
			dst, p = append(dst, p[:n]...), p[n:]
			a.skip -= n
			continue
		}
		n := copy(a.head[a.n:], p)
		a.n, p = a.n+n, p[n:]
		if a.n < headSize {
			return dst
		}
		a.n = 0
		h := headOf(a.head[:])
		if h.kind == typeSettings && h.flags&flagAck != 0 && h.length == 0 {
			a.left--
			continue
		}
		dst = append(dst, a.head[:]...)
		a.skip = h.length
	}
	return append(dst, p...)
}
