package functions

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Call is a request that calls a function by hand.
type Call struct {
	ContentType string
	Body        []byte
}

// executionHeader carries the id of an execution to the framework, which writes
// it into what the function logs.
const executionHeader = "Function-Execution-Id"

// NewCall returns the request that hands data, a JSON text, to a function as its
// signature wants it: to an HTTP function as it is, to a function of events as
// the data of one, unless it is one already. id is the execution's.
func NewCall(k Key, s Signature, data, id string, now time.Time) Call {
	if strings.TrimSpace(data) == "" {
		data = "{}"
	}
	c := Call{ContentType: "application/json", Body: []byte(data)}
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(c.Body, &fields) // what is no object is no event
	switch {
	case fields["specversion"] != nil && (s == CloudEvent || s == Event):
		c.ContentType = "application/cloudevents+json"
	case s == CloudEvent && !isEvent(fields):
		c.ContentType = "application/cloudevents+json"
		c.Body = encodeCall(map[string]any{
			"specversion": "1.0", "id": id, "type": "google.cloud.functions.call", "source": "//cloudfunctions.googleapis.com/" + k.Name(),
			"time": now.UTC().Format(time.RFC3339Nano), "datacontenttype": "application/json", "data": text(data),
		})
	case s == Event && !isEvent(fields):
		c.Body = encodeCall(map[string]any{
			"data": text(data),
			"context": map[string]any{
				"eventId": id, "timestamp": now.UTC().Format(time.RFC3339Nano), "eventType": "google.cloud.functions.call",
				"resource": map[string]string{"service": "cloudfunctions.googleapis.com", "name": k.Name(), "type": "cloud_function"},
			},
		})
	}
	return c
}

// isEvent reports whether a document is an event of the first generation: flat,
// or with a context.
func isEvent(fields map[string]json.RawMessage) bool {
	return fields["data"] != nil && (fields["context"] != nil || fields["eventId"] != nil)
}

// text is data as JSON: itself, or a string of what is not JSON.
func text(data string) any {
	if json.Valid([]byte(data)) {
		return json.RawMessage(data)
	}
	return data
}

// encodeCall encodes what always can be.
func encodeCall(v map[string]any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings and valid JSON
	}
	return b
}

// Header are the headers of the request.
func (c Call) Header(id string) http.Header {
	return http.Header{"Content-Type": {c.ContentType}, executionHeader: {id}}
}

// Signature is how the revision that serves a function is called; empty: its
// framework finds out.
func (a *Admin) Signature(f *Function) Signature {
	rev, ok := a.Catalog.Table().Revision(f.Revision)
	if !ok {
		return ""
	}
	for _, v := range rev.Env {
		if v.Name == "FUNCTION_SIGNATURE_TYPE" {
			return Signature(v.Value)
		}
	}
	return ""
}
