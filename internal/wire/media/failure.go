package media

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/signature"
)

// Failure is an error as Storage's clients see it.
type Failure struct {
	Status  int
	Reason  string // of the JSON API
	Code    string // of the XML API
	Message string
	// Of a signature that does not match: what it should have been one of.
	Canonical, ToSign string
}

// Classify chooses status and reasons. The status is that of the code but where
// Storage has one of its own.
func Classify(err error, read bool) Failure {
	f := Failure{Message: message(err)}
	var unmet *objects.ConditionNotMet
	code := sunya.CodeOf(err)
	f.Status = code.HTTP()
	var signed *signature.Error
	switch {
	case errors.As(err, &signed):
		f.Reason, _ = reasons(code)
		f.Code, f.ToSign, f.Canonical = signed.Code, signed.ToSign, signed.Canonical
	case errors.As(err, &unmet) && unmet.NotMatch && read:
		f.Status = http.StatusNotModified
	case errors.As(err, &unmet):
		f.Status, f.Reason, f.Code = http.StatusPreconditionFailed, "conditionNotMet", "PreconditionFailed"
	case code == sunya.FailedPrecondition:
		f.Status, f.Reason, f.Code = http.StatusConflict, "conflict", "Conflict"
	case code == sunya.ResourceExhausted:
		// Not 429: clients would send the same bytes again and again.
		f.Status, f.Reason, f.Code = http.StatusRequestEntityTooLarge, "uploadTooLarge", "EntityTooLarge"
	case code == sunya.OutOfRange:
		f.Status, f.Reason, f.Code = http.StatusRequestedRangeNotSatisfiable, "requestedRangeNotSatisfiable", "InvalidRange"
	case code == sunya.InvalidArgument && reason(err) == ReasonRequired:
		f.Reason, f.Code = "required", "InvalidArgument"
	case reason(err) == objects.ReasonRetained:
		f.Reason, f.Code = "forbidden", "ObjectUnderActiveHold"
	default:
		f.Reason, f.Code = reasons(code)
	}
	var own *sunya.Error
	if errors.As(err, &own) && signed == nil && (own.Field == "md5Hash" || own.Field == "crc32c") {
		f.Code = "InvalidDigest" // it cannot be read
		if own.Resource != "" {
			f.Code = "BadDigest" // it is not that of the bytes
		}
	}
	switch {
	case signed != nil || !isBucket(err):
	case code == sunya.NotFound:
		f.Code = "NoSuchBucket"
	case code == sunya.AlreadyExists:
		f.Code = "BucketAlreadyExists"
	case f.Code == "Conflict" && code == sunya.FailedPrecondition:
		f.Code = "BucketNotEmpty"
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

func (f Failure) WriteJSON(w http.ResponseWriter, r *http.Request) {
	var doc struct {
		Error struct {
			Code    int      `json:"code"`
			Message string   `json:"message"`
			Errors  []detail `json:"errors"`
		} `json:"error"`
	}
	doc.Error.Code, doc.Error.Message = f.Status, f.Message
	doc.Error.Errors = []detail{{Domain: "global", Reason: f.Reason, Message: f.Message}}
	body, err := json.Marshal(doc)
	if err != nil {
		body = []byte(`{"error":{"code":500,"message":"encode error"}}`)
	}
	Write(w, r, f.Status, "application/json; charset=UTF-8", body)
}

func (f Failure) WriteXML(w http.ResponseWriter, r *http.Request) {
	body, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
		ToSign  string `xml:"StringToSign,omitempty"`
		Request string `xml:"CanonicalRequest,omitempty"`
	}{Code: f.Code, Message: f.Message, ToSign: f.ToSign, Request: f.Canonical})
	if err != nil {
		body = []byte("<Error><Code>InternalError</Code></Error>")
	}
	Write(w, r, f.Status, "application/xml; charset=UTF-8", append([]byte(xml.Header), body...))
}

// Write answers with a document.
func Write(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body) // the client is gone if this fails
	}
}

// ReasonRequired is the sunya.Error.Reason of a value that is missing.
const ReasonRequired = "REQUIRED"

func reason(err error) string {
	var e *sunya.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Reason
}
