package snapshot

import "encoding/binary"

// A script is system calls in a row, with the memory they point to. A few
// instructions in the new process (player) make them one after the other and
// stop at the first that does not return what it should.
type script struct {
	calls []call
	data  []byte
}

type call struct {
	number uint64
	args   [6]uint64
	want   uint64 // result; above the range of addresses: any
}

// The places in the address space of the new process, where programs have
// nothing: the player with the calls that depend on the new process, and the
// script of the snapshot.
const (
	playerAt     = 0x10_0000_0000
	playerSize   = 256 << 10
	playerCalls  = playerAt + pageSize
	playerData   = playerAt + 64<<10
	storyAt      = playerAt + 1<<20
	storyCallMax = 65536
	storyDataAt  = storyAt + storyCallMax*callSize
	callSize     = 64
)

const anything = ^uint64(0)

// add appends a call that must return 0.
func (s *script) add(number uint64, args ...uint64) { s.want(0, number, args...) }

func (s *script) want(result, number uint64, args ...uint64) {
	c := call{number: number, want: result}
	copy(c.args[:], args)
	s.calls = append(s.calls, c)
}

// keep puts data into the script and returns its offset among them.
func (s *script) keep(data []byte) uint64 {
	for len(s.data)%8 != 0 {
		s.data = append(s.data, 0)
	}
	at := uint64(len(s.data))
	s.data = append(s.data, data...)
	return at
}

// text keeps a string as C has it.
func (s *script) text(t string) uint64 { return s.keep(append([]byte(t), 0)) }

// table is the calls as the player reads them, with the mark of the end.
func (s *script) table() []byte {
	out := make([]byte, 0, (len(s.calls)+1)*callSize)
	for _, c := range append(s.calls, call{number: anything}) {
		out = binary.LittleEndian.AppendUint64(out, c.number)
		for _, a := range c.args {
			out = binary.LittleEndian.AppendUint64(out, a)
		}
		out = binary.LittleEndian.AppendUint64(out, c.want)
	}
	return out
}
