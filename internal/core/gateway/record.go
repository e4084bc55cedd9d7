package gateway

import "github.com/sunya-cloud/sunya/internal/core/served"

// record tells the observer that the request is over. A request for an unknown
// host belongs to nobody.
func (x *exchange) record() {
	if x.rev == nil || x.g.Observer == nil {
		return
	}
	x.over = served.Request{
		Revision:  x.rev,
		ID:        x.id,
		Instance:  x.instance,
		ColdStart: x.cold,
		Thawed:    x.thawed,
		Begin:     x.begin,
		Latency:   x.g.Now().Sub(x.begin),
		Method:    x.r.Method,
		Scheme:    x.client.scheme,
		Host:      x.r.Host,
		Target:    x.r.URL.RequestURI(),
		Protocol:  x.r.Proto,
		UserAgent: x.r.UserAgent(),
		Referer:   x.r.Referer(),
		RemoteIP:  x.client.ip,
		TraceID:   x.trace.id,
		SpanID:    x.trace.span,
		Sampled:   x.trace.sampled,
		Status:    x.status,
		Received:  x.received,
		Sent:      x.sent,
		Problem:   x.problem,
	}
	x.g.Observer.Observe(&x.over)
}
