package eventing

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Event is something that has happened.
type Event struct {
	ID      string // of its message: unique on the platform
	Type    string
	Source  string
	Subject string `json:",omitempty"`
	Time    time.Time
	Data    json.RawMessage
	// Extensions are attributes of the CloudEvent besides its own.
	Extensions map[string]string `json:",omitempty"`
	// Attributes are what filters look at, besides the type.
	Attributes map[string]string `json:",omitempty"`

	// What the first generation says of it.
	Resource   Resource
	LegacyData json.RawMessage
}

// Resource is what an event is about, as the first generation has it.
type Resource struct {
	Service string `json:"service"`
	Name    string `json:"name"`
	Type    string `json:"type,omitempty"`
}

// passes reports whether a trigger wants an event.
func (e *Event) passes(t *Trigger) bool {
	for _, f := range t.Filters {
		if f.Attribute != typeAttribute && !f.holds(e.Attributes) {
			return false
		}
	}
	return e.Type == t.Type()
}

// Request is what a delivery sends.
type Request struct {
	Header http.Header
	Body   []byte
}

// request puts an event into the form that its destination takes.
func (e *Event) request(t *Trigger) Request {
	if t.Form == Background {
		return Request{Header: http.Header{"Content-Type": {"application/json"}}, Body: e.background(t.LegacyType)}
	}
	return Request{Header: e.cloudHeader(), Body: e.Data}
}

// stamp writes a time as both generations do.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z07:00") }

// cloudHeader is the binary mode of CloudEvents over HTTP.
func (e *Event) cloudHeader() http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	set := func(name, value string) {
		if value != "" {
			h.Set("Ce-"+name, escape(value))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		set(name, e.Extensions[name])
	}
	set("Specversion", "1.0")
	set("Id", e.ID)
	set("Type", e.Type)
	set("Source", e.Source)
	set("Subject", e.Subject)
	set("Time", stamp(e.Time))
	return h
}

// escape makes a value fit for a header: what is not printable ASCII, and space,
// double quote and percent, by their bytes (CloudEvents, HTTP binding 3.1.3.2).
func escape(v string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(v) {
		if c := v[i]; c <= ' ' || c > '~' || c == '"' || c == '%' {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// background is the body that functions of the first generation take: with a
// context for the types of google.*, and flat for those of providers/*.
func (e *Event) background(legacyType string) []byte {
	doc := map[string]any{"eventId": e.ID, "timestamp": stamp(e.Time), "eventType": legacyType}
	if strings.HasPrefix(legacyType, "providers/") {
		doc["resource"], doc["data"] = e.Resource.Name, e.LegacyData
	} else {
		doc["resource"] = e.Resource
		doc = map[string]any{"context": doc, "data": e.LegacyData}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err) // strings, and data that was checked to be JSON
	}
	return b
}
