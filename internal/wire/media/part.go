package media

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Part reads what a request brings. Without Content-Range it is the whole
// object.
func Part(r *http.Request) (objects.Part, error) {
	expect, err := HeaderChecksums(r.Header)
	if err != nil {
		return objects.Part{}, err
	}
	p := objects.Part{Size: r.ContentLength, Total: r.ContentLength, Body: Body{r.Body}, Expect: expect}
	header := r.Header.Get("Content-Range")
	if header == "" {
		return p, nil
	}
	c, err := parseContentRange(header)
	if err != nil {
		return objects.Part{}, err
	}
	p.Start, p.Size, p.Total = c.start, c.size, c.total
	switch {
	case c.open: // all the rest
		switch p.Size = r.ContentLength; {
		case p.Size < 0 && p.Total >= 0:
			p.Size = p.Total - p.Start
		case p.Size >= 0 && p.Total < 0:
			p.Total = p.Start + p.Size
		}
		return p, nil
	case c.size < 0:
		p.Body, p.Size = nil, 0
	}
	if r.ContentLength >= 0 && r.ContentLength != p.Size {
		return objects.Part{}, sunya.Invalid("Content-Range", "%q, but the body has %d bytes", header, r.ContentLength)
	}
	return p, nil
}

// Incomplete says how many bytes are stored. 308 means something else to
// clients that follow RFC 9110; they ask for another form of it.
func Incomplete(w http.ResponseWriter, r *http.Request, u *objects.Upload) {
	header := w.Header()
	header.Set("X-GUploader-UploadID", u.ID)
	header.Set("Content-Length", "0")
	if n := u.Received(); n > 0 {
		header.Set("Range", fmt.Sprintf("bytes=0-%d", n-1))
	}
	if r.Header.Get("X-Guploader-No-308") == "yes" {
		header.Set("X-Http-Status-Code-Override", strconv.Itoa(http.StatusPermanentRedirect))
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}

// contentRange is what a part of an upload says of itself.
type contentRange struct {
	start, size int64 // size -1: only the total is said
	total       int64 // -1: not known yet
	open        bool  // the body is all the rest; size is not known
}

// parseContentRange reads "bytes A-B/T", "bytes A-B/*", "bytes */T", "bytes */*"
// and what Google's client for Node.js sends of a stream: "bytes A-*/T" and
// "bytes A-*/*".
func parseContentRange(header string) (contentRange, error) {
	c := contentRange{size: -1, total: -1}
	bad := sunya.Invalid("Content-Range", "%q: write bytes FIRST-LAST/TOTAL with * for what is not known", header)
	spec, ok := strings.CutPrefix(header, "bytes ")
	part, total, ok2 := strings.Cut(spec, "/")
	if !ok || !ok2 {
		return c, bad
	}
	if total != "*" {
		if c.total, ok = Digits(total); !ok {
			return c, bad
		}
	}
	if part == "*" {
		return c, nil
	}
	from, to, ok := strings.Cut(part, "-")
	first, ok2 := Digits(from)
	if to == "*" && ok2 && (c.total < 0 || first <= c.total) {
		c.start, c.open = first, true
		return c, nil
	}
	last, ok3 := Digits(to)
	if !ok || !ok2 || !ok3 || last < first || c.total >= 0 && last >= c.total {
		return c, bad
	}
	c.start, c.size = first, last-first+1
	return c, nil
}

// maxOffset keeps sums of offsets inside an int64.
const maxOffset = 1 << 60

// Digits reads a number that consists of digits only.
func Digits(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n > maxOffset || s[0] == '+' {
		return 0, false
	}
	return int64(n), true
}

// Body reads what a client sends: an error is the client's or the network's,
// never the server's.
type Body struct{ io.Reader }

// Read implements io.Reader.
func (b Body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = Broken(err)
	}
	return n, err
}

// Broken is the error for a request body that ended too early. Errors that say
// more pass.
func Broken(err error) error {
	var own *sunya.Error
	if errors.As(err, &own) {
		return err
	}
	return &sunya.Error{Code: sunya.InvalidArgument, Message: "the request body broke off: send it again", Err: err}
}
