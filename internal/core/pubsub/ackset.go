package pubsub

import "math/bits"

// ChunkBits is how many messages one chunk of acknowledgements covers.
const ChunkBits = 4096

// ackSet is which messages of a topic a subscription is done with: all below a
// cursor, and single ones above, as bits. A million messages that are
// acknowledged out of order take 128 KiB.
type ackSet struct {
	cursor  int64 // all before it are acknowledged
	chunks  map[int64]*chunk
	dirty   map[int64]bool // chunks that differ from the store's
	changed bool           // so does the cursor
	renewed bool           // the store's chunks are another set's
}

// chunk is the bits of ChunkBits messages.
type chunk [ChunkBits / 64]uint64

func newAckSet(cursor int64) *ackSet {
	return &ackSet{cursor: cursor, chunks: map[int64]*chunk{}, dirty: map[int64]bool{}}
}

// load puts a stored chunk in.
func (s *ackSet) load(n int64, bytes []byte) {
	c := new(chunk)
	for i := range bytes {
		c[i/8] |= uint64(bytes[i]) << (i % 8 * 8)
	}
	s.chunks[n] = c
}

// bytes is what load takes.
func (c *chunk) bytes() []byte {
	out := make([]byte, ChunkBits/8)
	for i := range out {
		out[i] = byte(c[i/8] >> (i % 8 * 8))
	}
	return out
}

func (s *ackSet) has(seq int64) bool {
	if seq < s.cursor {
		return true
	}
	c := s.chunks[seq/ChunkBits]
	return c != nil && c[seq%ChunkBits/64]&(1<<(seq%64)) != 0
}

// ack adds a message; false when it was there.
func (s *ackSet) ack(seq int64) bool {
	if s.has(seq) {
		return false
	}
	s.changed = true
	if seq == s.cursor {
		s.cursor++
		s.advance()
		return true
	}
	n := seq / ChunkBits
	if s.chunks[n] == nil {
		s.chunks[n] = new(chunk)
	}
	s.chunks[n][seq%ChunkBits/64] |= 1 << (seq % 64)
	s.dirty[n] = true
	return true
}

// advance moves the cursor over what is acknowledged already.
func (s *ackSet) advance() {
	for c := s.chunks[s.cursor/ChunkBits]; c != nil; c = s.chunks[s.cursor/ChunkBits] {
		at := s.cursor % ChunkBits
		ones := bits.TrailingZeros64(^(c[at/64] >> (at % 64)))
		room := 64 - int(at%64)
		step := min(ones, room)
		s.cursor += int64(step)
		if step < room {
			break
		}
	}
	s.dropBelow()
}

// ackBelow acknowledges everything before seq.
func (s *ackSet) ackBelow(seq int64) {
	if seq <= s.cursor {
		return
	}
	s.cursor, s.changed = seq, true
	s.advance()
}

// dropBelow forgets the chunks that the cursor has passed.
func (s *ackSet) dropBelow() {
	for n := range s.chunks {
		if (n+1)*ChunkBits <= s.cursor {
			delete(s.chunks, n)
			delete(s.dirty, n)
		}
	}
}

// nextUnacked returns the first message from seq on that is not in the set.
func (s *ackSet) nextUnacked(seq int64) int64 {
	seq = max(seq, s.cursor)
	for {
		c := s.chunks[seq/ChunkBits]
		if c == nil {
			return seq
		}
		at := seq % ChunkBits
		ones := bits.TrailingZeros64(^(c[at/64] >> (at % 64)))
		if room := 64 - int(at%64); ones < room {
			return seq + int64(ones)
		} else {
			seq += int64(room)
		}
	}
}

// unacked is how many of the messages before end are not in the set.
func (s *ackSet) unacked(end int64) int64 {
	n := max(end-s.cursor, 0)
	for i, c := range s.chunks {
		for w, word := range c {
			first := i*ChunkBits + int64(w)*64
			for ; word != 0; word &= word - 1 {
				if seq := first + int64(bits.TrailingZeros64(word)); seq >= s.cursor && seq < end {
					n--
				}
			}
		}
	}
	return n
}

// Progress is a change of what a subscription has acknowledged.
type Progress struct {
	Owner  int64 // number of the subscription or snapshot
	Cursor int64
	// Chunks holds whole chunks by number, 512 bytes each; those that the
	// cursor has passed are to be forgotten. Reset forgets all others.
	Chunks map[int64][]byte
	Reset  bool
}

// take returns what changed since the last take; false: nothing.
func (s *ackSet) take(owner int64) (Progress, bool) {
	if !s.changed && len(s.dirty) == 0 {
		return Progress{}, false
	}
	p := Progress{Owner: owner, Cursor: s.cursor, Chunks: make(map[int64][]byte, len(s.dirty)), Reset: s.renewed}
	for n := range s.dirty {
		p.Chunks[n] = s.chunks[n].bytes()
	}
	clear(s.dirty)
	s.changed, s.renewed = false, false
	return p, true
}

// whole returns everything, to be stored for another owner or anew.
func (s *ackSet) whole(owner int64) Progress {
	p := Progress{Owner: owner, Cursor: s.cursor, Chunks: make(map[int64][]byte, len(s.chunks)), Reset: true}
	for n, c := range s.chunks {
		p.Chunks[n] = c.bytes()
	}
	return p
}

// restore makes a set of what is stored.
func restore(p Progress) *ackSet {
	s := newAckSet(p.Cursor)
	for n, b := range p.Chunks {
		s.load(n, b)
	}
	s.dropBelow()
	return s
}
