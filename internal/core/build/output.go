package build

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/sunya-cloud/sunya"
)

const (
	tailLines    = 50       // what an error carries
	maxLine      = 16 << 10 // bytes; the rest of a longer line is dropped
	maxStepBytes = 8 << 20  // of one step's output; the rest is read and dropped
)

// output carries what steps print to the build's log, line by line, from
// several streams at once. It keeps the last lines for the error message.
type output struct {
	w io.Writer

	mu   sync.Mutex
	tail []string
	errs []string // the first lines that tell an error, often long before the end
	left int      // bytes that the present step may still log
}

func newOutput(w io.Writer) *output { return &output{w: w, left: maxStepBytes} }

// begin starts a new step: its own allowance, its own last lines.
func (o *output) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left, o.tail, o.errs = maxStepBytes, nil, nil
}

// printf writes a line of the builder's own.
func (o *output) printf(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintf(o.w, format+"\n", args...)
}

// colourRE is what terminals take for colours. Maven prints resets even where
// it was told to print no colour.
var colourRE = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func (o *output) line(b []byte) {
	if plain := colourRE.ReplaceAll(b, nil); len(plain) < len(b) {
		if b = plain; len(bytes.TrimSpace(b)) == 0 {
			return
		}
	}
	s := string(bytes.ToValidUTF8(bytes.TrimRight(b, "\r"), []byte("?")))
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tail = append(o.tail, s); len(o.tail) > tailLines {
		o.tail = o.tail[1:]
	}
	if len(o.errs) < tailLines && tells(s) {
		o.errs = append(o.errs, s)
	}
	if o.left <= 0 {
		return
	}
	if o.left -= len(s) + 1; o.left <= 0 {
		s = fmt.Sprintf("(this step printed more than %v: the rest is not kept)", sunya.Bytes(maxStepBytes))
	}
	io.WriteString(o.w, s+"\n")
}

// tells reports whether a line begins as installers begin to say what went
// wrong: "error", "npm error", "npm ERR!", "ERR_PNPM_".
func tells(line string) bool {
	line = strings.ToLower(strings.TrimSpace(line))
	return strings.HasPrefix(line, "err") || strings.HasPrefix(line, "npm err")
}

// last returns the last lines of the present step.
func (o *output) last() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.tail...)
}

// telling returns the lines of the present step that say what went wrong: those
// that tell an error, and the last ones.
func (o *output) telling() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append(append([]string(nil), o.errs...), o.tail...)
}

// copy reads r to its end, whatever it holds: a step never blocks on its
// output.
func (o *output) copy(r io.Reader) error {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := br.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if len(line) > 0 {
			o.line(bytes.TrimSuffix(line, []byte("\n")))
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = br.ReadSlice('\n')
		}
		if err != nil && !long || errors.Is(err, io.EOF) {
			return ignoreEOF(err)
		}
		if err != nil {
			return err
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
