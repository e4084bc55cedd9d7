// Package snapshot keeps the memory of a program that has come as far as it can
// without a socket, and starts others from there.
//
// It is no general checkpoint: what it takes is one process with one thread that
// waits in a read, with nothing open but its standard streams, private memory
// only, and no timer, child or pending signal. Everything else is refused with a
// reason (Refusal), because a copy of it would not be the same.
//
// A snapshot is one file. A process that is restored maps it privately at the
// addresses of the original: what nobody writes is there once for all, what a
// process writes becomes its own. The process is a new one, born in a sandbox of
// its own like any other; nothing but its memory and registers comes from the
// original, and its system call filter is in force before any of that is there.
//
// What is different for the program: pages of a file do not become zero by
// madvise(MADV_DONTNEED), so the filter of whoever restores must refuse that
// call; the caller is told, and allocators that count on zeros do not get wrong
// ones. The addresses and the secrets of this one process (stack canary, hash
// seed) are those of all that come from the same snapshot.
package snapshot

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"
)

// Refusal says why a program cannot be kept, for people.
type Refusal string

// Error implements error.
func (r Refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return Refusal(fmt.Sprintf(format, args...)) }

// Header is what is kept besides memory and script.
type Header struct {
	Exe     string    `json:"exe"`   // the program, by its path in the sandbox
	Files   []File    `json:"files"` // what memory is mapped from, in the order of their descriptors
	Regs    []uint64  `json:"regs"`
	XState  []byte    `json:"xstate"` // floating point and vector registers
	Blocked uint64    `json:"blocked"`
	Kernel  []Mapping `json:"kernel"` // vdso and its data
	Script  int       `json:"script"` // bytes of the script
	// Return is the address of a system call instruction of the program.
	Return uint64 `json:"return"`
	Bytes  int64  `json:"bytes"` // of memory that is kept
}

// File is a file that memory is mapped from.
type File struct {
	Path  string `json:"path"`
	Dev   uint64 `json:"dev"`
	Ino   uint64 `json:"ino"`
	Size  int64  `json:"size"`
	Mtime int64  `json:"mtime"` // nanoseconds
}

// Mapping is a named range of addresses.
type Mapping struct {
	Name  string `json:"name"`
	Start uint64 `json:"start"`
	End   uint64 `json:"end"`
}

// The layout of the file. Between the areas lie gaps that are never written: a
// program that makes an area of its memory larger (mremap) sees zeros there.
const (
	headerAt  = 4096
	headerMax = 16 << 20
	scriptAt  = headerAt + headerMax
	areasAt   = 1 << 30
	areaGap   = 4 << 30
	areaMax   = 64 << 30
	fileMax   = 12 << 40 // file systems take files of 16 TiB at least, with holes
)

var magic = [8]byte{'S', 'U', 'N', 'Y', 'A', 'T', 'P', '1'}

// writeHeader is the last thing that is written: a file without it is none.
func writeHeader(f *os.File, h *Header) error {
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode snapshot: %w", err)
	}
	if len(data) > headerMax {
		return refuse("its memory has too many parts")
	}
	if _, err := f.WriteAt(data, headerAt); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	start := binary.LittleEndian.AppendUint64(magic[:], uint64(len(data)))
	if _, err := f.WriteAt(start, 0); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// ReadHeader reads what writeHeader has written.
func ReadHeader(f io.ReaderAt) (*Header, error) {
	var start [16]byte
	if _, err := f.ReadAt(start[:], 0); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	n := binary.LittleEndian.Uint64(start[8:])
	if [8]byte(start[:8]) != magic || n > headerMax {
		return nil, errors.New("read snapshot: not a snapshot of this version")
	}
	data := make([]byte, n)
	if _, err := f.ReadAt(data, headerAt); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	var h Header
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return &h, nil
}

// bytesOf is a value as the kernel reads it.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}
