package transcode

import (
	"bytes"
	"net/http"
	"strconv"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// maxError is how much of an error's body is kept.
const maxError = 1 << 20

// envelopeWriter holds back the body of an answer that is an error, and sends
// it in Google's envelope.
type envelopeWriter struct {
	http.ResponseWriter
	code int // of an error that is held back
	body bytes.Buffer
	st   *spb.Status // set by fail
}

// WriteHeader implements http.ResponseWriter.
func (w *envelopeWriter) WriteHeader(code int) {
	if w.code != 0 {
		return
	}
	if code < 400 {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	w.code = code
}

// Write implements http.ResponseWriter.
func (w *envelopeWriter) Write(p []byte) (int, error) {
	if w.code == 0 {
		return w.ResponseWriter.Write(p)
	}
	if w.body.Len()+len(p) <= maxError {
		w.body.Write(p)
	}
	return len(p), nil
}

// Flush implements http.Flusher.
func (w *envelopeWriter) Flush() {
	if w.code != 0 {
		return
	}
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *envelopeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// fail answers with an error instead of calling the transcoder.
func (w *envelopeWriter) fail(err error) {
	w.st = status.FromError(err)
	w.code = sunya.Code(w.st.GetCode()).HTTP()
}

// finish sends what was held back.
func (w *envelopeWriter) finish(r *http.Request) {
	if w.code == 0 {
		return
	}
	st := w.st
	if st == nil {
		st = w.decode(r)
	}
	code, doc := status.Envelope(st)
	h := w.Header()
	h.Del("Content-Encoding")
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(doc)))
	w.ResponseWriter.WriteHeader(code)
	_, _ = w.ResponseWriter.Write(doc) // the client is gone: nobody is left to tell
}

// decode reads the status that the transcoder wrote; what is not one is the
// transcoder's own refusal.
func (w *envelopeWriter) decode(r *http.Request) *spb.Status {
	var st spb.Status
	err := protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(w.body.Bytes(), &st)
	if err == nil && st.GetCode() != 0 {
		// Methods never answer UNKNOWN (see status.FromError): it is how the
		// transcoder says that a query or a body does not fit the method.
		if sunya.Code(st.GetCode()) == sunya.Unknown {
			st.Code = int32(sunya.InvalidArgument)
		}
		return &st
	}
	code := sunya.CodeOfHTTP(w.code)
	msg := string(bytes.TrimSpace(w.body.Bytes()))
	if code == sunya.NotFound {
		msg = "no method of this API has the path " + r.URL.Path + " for " + r.Method
	}
	return &spb.Status{Code: int32(code), Message: msg}
}
