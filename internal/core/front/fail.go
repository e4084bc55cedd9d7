package front

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// envelope is how Google's REST APIs show an error.
type envelope struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	} `json:"error"`
}

// fail answers a refused request, in the form that its client reads.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	code, status := statusOf(err)
	if isGRPC(r) {
		// Trailers-Only, gRPC over HTTP/2 specification, "Responses".
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", strconv.Itoa(int(code)))
		w.Header().Set("Grpc-Message", strings.ReplaceAll(url.QueryEscape(message(err)), "+", "%20"))
		w.WriteHeader(http.StatusOK)
		return
	}
	var doc envelope
	doc.Error.Code, doc.Error.Message, doc.Error.Status = status, message(err), code.String()
	body, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		body = []byte(`{"error":{"code":500,"message":"encode error","status":"INTERNAL"}}`)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sunya"`)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// statusOf returns an error's code and its HTTP status.
func statusOf(err error) (code sunya.Code, status int) {
	var m *methodError
	if errors.As(err, &m) {
		return sunya.Unimplemented, http.StatusMethodNotAllowed
	}
	if code = sunya.CodeOf(err); code == sunya.Unknown {
		code = sunya.Internal
	}
	return code, code.HTTP()
}

// message is what a client may know of an error: not its cause.
func message(err error) string {
	var e *sunya.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return e.Public()
}

// isGRPC says whether a request is native gRPC (not gRPC-Web).
func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && isGRPCType(r.Header.Get("Content-Type"))
}

func isGRPCType(contentType string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}
