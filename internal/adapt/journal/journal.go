// Package journal keeps records in files that are appended to, one for each
// process. What was appended survives the death of the process, since the system
// has it; the loss of power may cost the last seconds.
//
// A file is a series of lines: a checksum, a space, the record. A line that is
// cut off or damaged is left out. A process locks its file for as long as it
// lives, so that another one knows which files nobody writes to any more.
package journal

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const suffix = ".journal"

// Journal is this process' file in a directory of such. It is safe for
// concurrent use.
type Journal struct {
	dir    string
	writer string

	mu    sync.Mutex
	file  *os.File
	empty bool
	torn  bool // the last line may be cut off
}

// Open makes a journal in dir, which it makes if need be. The caller must Close
// it.
func Open(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{dir: dir, writer: strings.ToLower(rand.Text()), empty: true}
	fresh := filepath.Join(dir, j.writer) // until it is locked: no orphan
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = os.Rename(fresh, j.path(j.writer))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock journal: %w", err), f.Close(), os.Remove(fresh))
	}
	j.file = f
	return j, nil
}

func (j *Journal) path(writer string) string { return filepath.Join(j.dir, writer+suffix) }

// Close gives the file back and removes it if there is nothing in it.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	var err error
	if j.empty {
		err = os.Remove(j.path(j.writer))
	}
	err = errors.Join(err, j.file.Close())
	j.file = nil
	return err
}

// Writer names this process' journal.
func (j *Journal) Writer() string { return j.writer }

// Append appends a record, which holds no newline.
func (j *Journal) Append(record []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return fmt.Errorf("append to journal: %w", fs.ErrClosed)
	}
	line := make([]byte, 0, len(record)+16)
	if j.torn {
		line = append(line, '\n')
	}
	line = fmt.Appendf(line, "%08x ", checksum(record))
	line = append(append(line, record...), '\n')
	_, err := j.file.Write(line)
	j.torn, j.empty = err != nil, false
	if err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	return nil
}

// Reset forgets the records of this process' journal.
func (j *Journal) Reset() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.empty || j.file == nil {
		return nil
	}
	if err := j.file.Truncate(0); err != nil {
		return fmt.Errorf("empty journal: %w", err)
	}
	j.empty, j.torn = true, false
	return nil
}

// Orphans returns the writers of the journals that no process has locked.
func (j *Journal) Orphans() ([]string, error) {
	files, err := os.ReadDir(j.dir)
	if err != nil {
		return nil, fmt.Errorf("list journals: %w", err)
	}
	var out []string
	for _, f := range files {
		writer, ok := strings.CutSuffix(f.Name(), suffix)
		if !ok || writer == j.writer || !f.Type().IsRegular() {
			continue
		}
		free, err := isFree(j.path(writer))
		if err != nil {
			return nil, fmt.Errorf("look at journal: %w", err)
		}
		if free {
			out = append(out, writer)
		}
	}
	return out, nil
}

// isFree reports whether nobody has locked a file that is there.
func isFree(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // its owner removed it just now
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// Replay calls f with every record of a journal that is whole, in order.
func (j *Journal) Replay(writer string, f func(record []byte)) error {
	file, err := os.Open(j.path(writer))
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer file.Close()
	return read(file, f)
}

func read(r io.Reader, f func(record []byte)) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if record, ok := parse(line); ok {
			f(record)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
	}
}

// parse returns the record of a line that is whole.
func parse(line []byte) (record []byte, ok bool) {
	line, whole := bytes.CutSuffix(line, []byte("\n"))
	sum, record, found := bytes.Cut(line, []byte(" "))
	return record, whole && found && string(sum) == fmt.Sprintf("%08x", checksum(record))
}

// Remove removes the journal of another writer.
func (j *Journal) Remove(writer string) error {
	if err := os.Remove(j.path(writer)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove journal: %w", err)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(record []byte) uint32 { return crc32.Checksum(record, castagnoli) }
