package transcode

import (
	"bytes"
	"io"
	"net/http"
)

// whole hands a request on once its body has been read to the end.
//
// vanguard decodes JSON while the body is read, and answers what it cannot
// decode from wherever that happens. grpc.Server.ServeHTTP reads on a goroutine
// of its own, beside the one that answers: both would write the same header
// map, which ends the process. Every method that has a REST form is unary, so
// nothing is lost by waiting.
type whole struct{ next http.Handler }

// ServeHTTP implements http.Handler.
func (h whole) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the reader has answered
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.next.ServeHTTP(w, r)
}
