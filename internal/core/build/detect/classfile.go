package detect

import (
	"encoding/binary"
	"errors"
)

// classFile is the part of a Java class file that is ours to know (JVM
// specification §4.1).
type classFile struct {
	Name       string // com/example/Hello$Inner
	Super      string
	Interfaces []string
	Abstract   bool // an interface or an abstract class
}

var errClassFile = errors.New("not a class file")

// Tags of the constant pool (§4.4), and how long what follows them is.
const (
	classUTF8  = 1
	classLong  = 5
	classDbl   = 6
	classClass = 7
)

var classSizes = map[byte]int{3: 4, 4: 4, classLong: 8, classDbl: 8, classClass: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}

// Flags of a class (§4.1).
const (
	classInterface = 0x0200
	classAbstract  = 0x0400
)

// classReader reads big-endian numbers; what is missing is 0, and told by bad.
type classReader struct {
	data []byte
	bad  bool
}

func (r *classReader) take(n int) []byte {
	if n > len(r.data) {
		r.bad, r.data = true, nil
		return make([]byte, n)
	}
	out := r.data[:n]
	r.data = r.data[n:]
	return out
}

func (r *classReader) u2() int { return int(binary.BigEndian.Uint16(r.take(2))) }

// parseClass reads a class file up to its interfaces.
func parseClass(data []byte) (*classFile, error) {
	r := &classReader{data: data}
	if binary.BigEndian.Uint32(r.take(4)) != 0xCAFEBABE {
		return nil, errClassFile
	}
	r.take(4) // versions
	names, classes := map[int]string{}, map[int]int{}
	for i, n := 1, r.u2(); i < n && !r.bad; i++ {
		switch tag := r.take(1)[0]; tag {
		case classUTF8:
			names[i] = string(r.take(r.u2()))
		case classClass:
			classes[i] = r.u2()
		default:
			size, ok := classSizes[tag]
			if !ok {
				return nil, errClassFile
			}
			r.take(size)
			if tag == classLong || tag == classDbl {
				i++ // they take two places
			}
		}
	}
	name := func() string { return names[classes[r.u2()]] }
	flags := r.u2()
	c := &classFile{Abstract: flags&(classInterface|classAbstract) != 0, Name: name(), Super: name()}
	for range r.u2() {
		if r.bad {
			break
		}
		c.Interfaces = append(c.Interfaces, name())
	}
	if r.bad || c.Name == "" {
		return nil, errClassFile
	}
	return c, nil
}
