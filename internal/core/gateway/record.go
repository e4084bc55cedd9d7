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
		Waited:    x.waited,
		Method:    x.method,
		Scheme:    x.client.scheme,
		Host:      x.host,
		Target:    x.target,
		Protocol:  x.proto,
		UserAgent: x.header.Get("User-Agent"),
		Referer:   x.header.Get("Referer"),
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
