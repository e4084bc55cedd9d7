package storagev1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// BatchPath is where several calls are sent in one request
// (cloud.google.com/storage/docs/batch).
const BatchPath = "/batch/storage/v1"

// The limits of a batch.
const (
	maxBatch      = 100
	maxBatchBytes = 10 << 20
)

// Batch answers batches of calls by next. Each is done as if it had been sent
// alone, one after the other.
func Batch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls, err := batchCalls(r)
		if err != nil {
			media.Classify(err, false).WriteJSON(w, r)
			return
		}
		var body bytes.Buffer
		out := multipart.NewWriter(&body)
		for _, c := range calls {
			answer := &recorder{header: http.Header{}}
			next.ServeHTTP(answer, c.request.WithContext(r.Context()))
			if err := answer.write(out, c.id); err != nil {
				media.Classify(sunya.Errorf(sunya.Internal, "", "encode answer: %v", err), false).WriteJSON(w, r)
				return
			}
		}
		_ = out.Close() // into memory
		media.Write(w, r, http.StatusOK, "multipart/mixed; boundary="+out.Boundary(), body.Bytes())
	})
}

// call is one of a batch.
type call struct {
	id      string // Content-ID of its part
	request *http.Request
}

// batchCalls reads all calls before the first is done.
func batchCalls(r *http.Request) ([]call, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" || params["boundary"] == "" {
		return nil, sunya.Invalid("Content-Type", "%q: a batch is multipart/mixed with a boundary", r.Header.Get("Content-Type"))
	}
	if r.Method != http.MethodPost {
		return nil, sunya.Invalid("", "a batch is a POST")
	}
	parts := multipart.NewReader(http.MaxBytesReader(nil, r.Body, maxBatchBytes), params["boundary"])
	var calls []call
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) && len(calls) > 0 {
			return calls, nil
		}
		if err != nil {
			return nil, sunya.Invalid("", "the batch is not well-formed: %v", err)
		}
		if len(calls) == maxBatch {
			return nil, sunya.Invalid("", "more than %d calls in a batch: send several", maxBatch)
		}
		request, err := batchRequest(part, r.Host)
		if err != nil {
			return nil, sunya.Invalid("", "call %d of the batch: %v", len(calls)+1, err)
		}
		calls = append(calls, call{part.Header.Get("Content-ID"), request})
	}
}

// batchRequest reads one call: an HTTP request in a part. Some clients leave out
// the version, or send the body without its length.
func batchRequest(part io.Reader, host string) (*http.Request, error) {
	in := textproto.NewReader(bufio.NewReader(part))
	line, err := in.ReadLine()
	if err != nil {
		return nil, errors.New("it has no request line")
	}
	method, rest, _ := strings.Cut(line, " ")
	target, _, _ := strings.Cut(rest, " ")
	header, err := in.ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("its headers are not well-formed: %w", err)
	}
	body, err := io.ReadAll(in.R)
	if err != nil {
		return nil, errors.New("its body broke off")
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", target)
	}
	path, err := front.CanonicalPath(u.EscapedPath())
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(path, "/storage/v1/") || u.Query().Get("alt") == "media" {
		return nil, fmt.Errorf("%q: a batch takes calls of /storage/v1/ without media", path)
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	request := &http.Request{
		Method: method, URL: &url.URL{Path: plain, RawPath: path, RawQuery: u.RawQuery}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header(header), Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Host: host,
	}
	if request.Header == nil {
		request.Header = http.Header{}
	}
	return request, nil
}

// recorder keeps an answer, which is a document.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// write appends the answer to a batch's.
func (r *recorder) write(out *multipart.Writer, id string) error {
	header := textproto.MIMEHeader{"Content-Type": {"application/http"}}
	if id != "" {
		header.Set("Content-Id", "<response-"+strings.TrimPrefix(id, "<"))
	}
	part, err := out.CreatePart(header)
	if err != nil {
		return err
	}
	r.WriteHeader(http.StatusOK)
	r.header.Set("Content-Length", fmt.Sprint(r.body.Len()))
	if _, err := fmt.Fprintf(part, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status)); err != nil {
		return err
	}
	if err := r.header.Write(part); err != nil {
		return err
	}
	_, err = part.Write(append([]byte("\r\n"), r.body.Bytes()...))
	return err
}
