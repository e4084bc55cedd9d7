package requestlog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// span says between which moments the requests of a pack began, and more that
// is known without reading it. The zero value is that of no request.
type span struct {
	count       int
	first, last int64 // nanoseconds since 1970
	severest    logs.Severity
}

func (s *span) note(r *served.Request) {
	begin := r.Begin.UnixNano()
	s.join(span{1, begin, begin, severity(r)})
}

func (s *span) join(o span) {
	if s.count == 0 {
		*s = o
		return
	}
	s.count += o.count
	s.first, s.last = min(s.first, o.first), max(s.last, o.last)
	s.severest = max(s.severest, o.severest)
}

// pack completes head. Requests that began too far from each other for one pack
// make several.
func (r *run) pack(head logs.Pack) []logs.Pack {
	if time.Duration(r.last-r.first) <= logs.PackSpan {
		return []logs.Pack{complete(head, r.span, r.buf)}
	}
	all, err := decode(r.buf)
	if err != nil { // which was encoded a moment ago: leave it to who reads it
		return []logs.Pack{complete(head, r.span, r.buf)}
	}
	return packAll(head, all)
}

func complete(head logs.Pack, s span, body []byte) logs.Pack {
	head.Count, head.Severest, head.Body = s.count, s.severest, body
	head.First, head.Last = time.Unix(0, s.first).UTC(), time.Unix(0, s.last).UTC()
	return head
}

// packAll sorts requests and packs them.
func packAll(head logs.Pack, all []served.Request) (packs []logs.Pack) {
	slices.SortFunc(all, func(a, b served.Request) int { return a.Begin.Compare(b.Begin) })
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Begin.Sub(all[0].Begin) <= logs.PackSpan {
			n++
		}
		part := run{}
		for i := range all[:n] {
			part.add(&all[i])
			part.note(&all[i])
		}
		packs = append(packs, complete(head, part.span, part.buf))
		all = all[n:]
	}
	return packs
}

// Packed is a request in a pack that was opened; it becomes an entry only when
// it is wanted.
type Packed struct {
	pack *logs.Pack
	r    served.Request
}

// Place returns where its entry stands in the order of entries.
func (p *Packed) Place() logs.Cursor { return logs.Cursor{Timestamp: p.r.Begin, InsertID: p.r.ID} }

// Severity returns that of its entry.
func (p *Packed) Severity() logs.Severity { return severity(&p.r) }

// Entry returns it as the log shows it.
func (p *Packed) Entry() logs.Entry { return entry(p.pack, &p.r) }

// Open reads a pack. The requests are in no particular order; they keep the
// pack, but not its Body.
func Open(p *logs.Pack) ([]Packed, error) {
	all, err := decode(p.Body)
	if err != nil {
		return nil, fmt.Errorf("unpack requests of %s: %w", p.LogName, err)
	}
	out := make([]Packed, len(all))
	for i := range all {
		out[i] = Packed{p, all[i]}
	}
	return out, nil
}

// Unpack implements logs.Backlog.
func (*Log) Unpack(p *logs.Pack) ([]logs.Entry, error) {
	all, err := Open(p)
	out := make([]logs.Entry, len(all))
	for i := range all {
		out[i] = all[i].Entry()
	}
	return out, err
}

// Without returns the packs, if any, that hold the requests of p that began at t
// or later.
func Without(p *logs.Pack, t time.Time) ([]logs.Pack, error) {
	all, err := decode(p.Body)
	if err != nil {
		return nil, fmt.Errorf("unpack requests of %s: %w", p.LogName, err)
	}
	all = slices.DeleteFunc(all, func(r served.Request) bool { return r.Begin.Before(t) })
	return packAll(logs.Pack{LogName: p.LogName, Resource: p.Resource}, all), nil
}

// entry is a request as the log shows it.
func entry(p *logs.Pack, r *served.Request) logs.Entry {
	e := logs.Entry{
		LogName:     p.LogName,
		InsertID:    r.ID,
		Timestamp:   r.Begin,
		ReceiveTime: r.Begin.Add(r.Latency),
		Severity:    severity(r),
		Resource:    p.Resource,
		Labels:      labels(r),
		Text:        text(r.Problem),
		SpanID:      fmt.Sprintf("%016x", r.SpanID),
		HTTP: &logs.HTTPRequest{
			Method:       text(r.Method),
			URL:          text(r.Scheme + "://" + r.Host + r.Target),
			RequestSize:  r.Received,
			Status:       r.Status,
			ResponseSize: r.Sent,
			UserAgent:    text(r.UserAgent),
			RemoteIP:     r.RemoteIP,
			Referer:      text(r.Referer),
			Latency:      r.Latency,
			Protocol:     r.Protocol,
		},
	}
	e.Trace = "projects/" + e.Project() + "/traces/" + r.TraceID
	return e
}

// text is what a client sent as the log takes it: who follows the log gets
// entries as protobuf, which has no bytes that are not UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func labels(r *served.Request) map[string]string {
	out := map[string]string{"request_id": r.ID}
	if r.Instance != "" {
		out["instance_id"] = r.Instance
	}
	if r.ColdStart {
		out["cold_start"] = "true"
	}
	return out
}

func severity(r *served.Request) logs.Severity {
	switch {
	case r.Status >= 500:
		return logs.Error
	case r.Status >= 400 || r.Problem != "":
		return logs.Warning
	}
	return logs.Info
}
