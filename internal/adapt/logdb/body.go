package logdb

import (
	"encoding/json"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// body is the part of an entry that no query selects by, as it is stored. The
// short keys are the stored format: they keep their meaning for ever, new ones
// may come.
type body struct {
	Received int64                `json:"r"` // nanoseconds since 1970
	Text     string               `json:"t,omitempty"`
	JSON     json.RawMessage      `json:"j,omitempty"`
	Labels   map[string]string    `json:"l,omitempty"`
	HTTP     *logs.HTTPRequest    `json:"h,omitempty"`
	Trace    string               `json:"tr,omitempty"`
	Span     string               `json:"sp,omitempty"`
	Sampled  bool                 `json:"ts,omitempty"`
	Op       *logs.Operation      `json:"o,omitempty"`
	Source   *logs.SourceLocation `json:"s,omitempty"`
	Split    *logs.Split          `json:"p,omitempty"`
}

func encodeBody(e *logs.Entry) ([]byte, error) {
	return json.Marshal(body{
		Received: e.ReceiveTime.UnixNano(), Text: e.Text, JSON: e.JSON, Labels: e.Labels, HTTP: e.HTTP,
		Trace: e.Trace, Span: e.SpanID, Sampled: e.TraceSampled, Op: e.Operation, Source: e.Source, Split: e.Split,
	})
}

// decodeBody fills e from what encodeBody made; it keeps nothing of raw.
func decodeBody(raw []byte, e *logs.Entry) error {
	var b body
	if err := json.Unmarshal(raw, &b); err != nil {
		return err
	}
	e.ReceiveTime = time.Unix(0, b.Received).UTC()
	e.Text, e.JSON, e.Labels, e.HTTP = b.Text, b.JSON, b.Labels, b.HTTP
	e.Trace, e.SpanID, e.TraceSampled = b.Trace, b.Span, b.Sampled
	e.Operation, e.Source, e.Split = b.Op, b.Source, b.Split
	return nil
}
