package storagev1

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// failure is an error as Storage's clients see it.
type failure struct {
	status  int
	reason  string // of the JSON API
	code    string // of the XML API
	message string
}

// fail is the one place where an error becomes an answer.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, t target, err error) {
	f := classify(err, r.Method == http.MethodGet || r.Method == http.MethodHead)
	if f.status >= http.StatusInternalServerError && f.status != http.StatusNotImplemented {
		h.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
	}
	if f.status == http.StatusNotModified {
		w.WriteHeader(f.status)
		return
	}
	if t.xml() {
		f.writeXML(w, r)
		return
	}
	f.writeJSON(w, r)
}

// classify chooses status and reasons. The status is that of the code but where
// Storage has one of its own.
func classify(err error, read bool) failure {
	f := failure{message: message(err)}
	var unmet *objects.ConditionNotMet
	code := sunya.CodeOf(err)
	f.status = code.HTTP()
	switch {
	case errors.As(err, &unmet) && unmet.NotMatch && read:
		f.status = http.StatusNotModified
	case errors.As(err, &unmet):
		f.status, f.reason, f.code = http.StatusPreconditionFailed, "conditionNotMet", "PreconditionFailed"
	case code == sunya.FailedPrecondition:
		f.status, f.reason, f.code = http.StatusConflict, "conflict", "Conflict"
	case code == sunya.ResourceExhausted:
		// Not 429: clients would send the same bytes again and again.
		f.status, f.reason, f.code = http.StatusRequestEntityTooLarge, "uploadTooLarge", "EntityTooLarge"
	case code == sunya.OutOfRange:
		f.status, f.reason, f.code = http.StatusRequestedRangeNotSatisfiable, "requestedRangeNotSatisfiable", "InvalidRange"
	default:
		f.reason, f.code = reasons(code)
	}
	if code == sunya.NotFound && isBucket(err) {
		f.code = "NoSuchBucket"
	}
	return f
}

// isBucket reports whether an error is about a bucket and not about something
// in one: bucket/object.
func isBucket(err error) bool {
	var e *sunya.Error
	return errors.As(err, &e) && !strings.Contains(e.Resource, "/")
}

func reasons(code sunya.Code) (json, xml string) {
	switch code {
	case sunya.InvalidArgument:
		return "invalid", "InvalidArgument"
	case sunya.NotFound:
		return "notFound", "NoSuchKey"
	case sunya.AlreadyExists, sunya.Aborted:
		return "conflict", "Conflict"
	case sunya.PermissionDenied, sunya.Unauthenticated:
		return "forbidden", "AccessDenied"
	case sunya.Unimplemented:
		return "notImplemented", "NotImplemented"
	}
	return "backendError", "InternalError"
}

// message is what a client may read: never the cause of an error of ours.
func message(err error) string {
	var e *sunya.Error
	if !errors.As(err, &e) {
		return "internal error: see the server's log"
	}
	return e.Public()
}

// detail is one entry of errors[].
type detail struct {
	Domain  string `json:"domain"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (f failure) writeJSON(w http.ResponseWriter, r *http.Request) {
	var doc struct {
		Error struct {
			Code    int      `json:"code"`
			Message string   `json:"message"`
			Errors  []detail `json:"errors"`
		} `json:"error"`
	}
	doc.Error.Code, doc.Error.Message = f.status, f.message
	doc.Error.Errors = []detail{{Domain: "global", Reason: f.reason, Message: f.message}}
	body, err := json.Marshal(doc)
	if err != nil {
		body = []byte(`{"error":{"code":500,"message":"encode error"}}`)
	}
	write(w, r, f.status, "application/json; charset=UTF-8", body)
}

func (f failure) writeXML(w http.ResponseWriter, r *http.Request) {
	body, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: f.code, Message: f.message})
	if err != nil {
		body = []byte("<Error><Code>InternalError</Code></Error>")
	}
	write(w, r, f.status, "application/xml; charset=UTF-8", append([]byte(xml.Header), body...))
}

// reply answers with a document.
func reply(w http.ResponseWriter, r *http.Request, doc any) error {
	body, err := json.Marshal(doc)
	if err != nil {
		return sunya.Errorf(sunya.Internal, "", "encode answer: %v", err)
	}
	write(w, r, http.StatusOK, "application/json; charset=UTF-8", body)
	return nil
}

func write(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body) // the client is gone if this fails
	}
}
