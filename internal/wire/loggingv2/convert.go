package loggingv2

import (
	"bytes"
	"encoding/json"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

func toProtos(entries []logs.Entry) []*loggingpb.LogEntry {
	out := make([]*loggingpb.LogEntry, len(entries))
	for i := range entries {
		out[i] = toProto(&entries[i])
	}
	return out
}

func toProto(e *logs.Entry) *loggingpb.LogEntry {
	out := &loggingpb.LogEntry{
		LogName: e.LogName, InsertId: e.InsertID, Severity: ltype.LogSeverity(e.Severity), Labels: e.Labels,
		Resource:  &monitoredres.MonitoredResource{Type: e.Resource.Type, Labels: e.Resource.Labels},
		Timestamp: timestamppb.New(e.Timestamp), ReceiveTimestamp: timestamppb.New(e.ReceiveTime),
		Trace: e.Trace, SpanId: e.SpanID, TraceSampled: e.TraceSampled, HttpRequest: httpToProto(e.HTTP),
	}
	setPayload(out, e)
	if o := e.Operation; o != nil {
		out.Operation = &loggingpb.LogEntryOperation{Id: o.ID, Producer: o.Producer, First: o.First, Last: o.Last}
	}
	if l := e.Source; l != nil {
		out.SourceLocation = &loggingpb.LogEntrySourceLocation{File: l.File, Line: l.Line, Function: l.Function}
	}
	if p := e.Split; p != nil {
		out.Split = &loggingpb.LogSplit{Uid: p.UID, Index: int32(p.Index), TotalSplits: int32(p.Total)}
	}
	return out
}

// maxNesting is how deep a JSON payload may be nested. Each level is three of a
// Struct's, and most of Google's clients refuse messages of more than 100: one
// line of one program must not keep them from reading the log.
const maxNesting = 30

// nesting returns how deep objects and lists lie in each other in valid JSON.
func nesting(raw []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// setPayload gives out a payload; JSON that protobuf cannot hold (nested deeper
// than it reads) goes out as the text it is.
func setPayload(out *loggingpb.LogEntry, e *logs.Entry) {
	if isRequest(e) {
		if payload, err := requestPayload(e); err == nil {
			out.Payload = &loggingpb.LogEntry_ProtoPayload{ProtoPayload: payload}
			return
		}
	}
	if e.JSON == nil {
		out.Payload = &loggingpb.LogEntry_TextPayload{TextPayload: e.Text}
		return
	}
	var st structpb.Struct
	if nesting(e.JSON) > maxNesting || protojson.Unmarshal(e.JSON, &st) != nil {
		out.Payload = &loggingpb.LogEntry_TextPayload{TextPayload: string(bytes.ToValidUTF8(e.JSON, []byte("\uFFFD")))}
		return
	}
	out.Payload = &loggingpb.LogEntry_JsonPayload{JsonPayload: &st}
}

func httpToProto(h *logs.HTTPRequest) *ltype.HttpRequest {
	if h == nil {
		return nil
	}
	out := &ltype.HttpRequest{
		RequestMethod: h.Method, RequestUrl: h.URL, RequestSize: h.RequestSize, Status: int32(h.Status),
		ResponseSize: h.ResponseSize, UserAgent: h.UserAgent, RemoteIp: h.RemoteIP, ServerIp: h.ServerIP,
		Referer: h.Referer, Protocol: h.Protocol,
	}
	if h.Latency != 0 {
		out.Latency = durationpb.New(h.Latency)
	}
	if c := h.Cache; c != nil {
		out.CacheLookup, out.CacheHit = c.Lookup, c.Hit
		out.CacheValidatedWithOriginServer, out.CacheFillBytes = c.Validated, c.FillBytes
	}
	return out
}

func httpFromProto(h *ltype.HttpRequest) *logs.HTTPRequest {
	if h == nil {
		return nil
	}
	out := &logs.HTTPRequest{
		Method: h.GetRequestMethod(), URL: h.GetRequestUrl(), RequestSize: h.GetRequestSize(), Status: int(h.GetStatus()),
		ResponseSize: h.GetResponseSize(), UserAgent: h.GetUserAgent(), RemoteIP: h.GetRemoteIp(), ServerIP: h.GetServerIp(),
		Referer: h.GetReferer(), Protocol: h.GetProtocol(), Latency: h.GetLatency().AsDuration(),
	}
	cache := logs.CacheUse{
		Lookup: h.GetCacheLookup(), Hit: h.GetCacheHit(),
		Validated: h.GetCacheValidatedWithOriginServer(), FillBytes: h.GetCacheFillBytes(),
	}
	if cache != (logs.CacheUse{}) {
		out.Cache = &cache
	}
	return out
}

// fromProto converts an entry that was checked.
func fromProto(p *loggingpb.LogEntry) (logs.Entry, error) {
	e := logs.Entry{
		LogName: p.GetLogName(), InsertID: p.GetInsertId(), Severity: logs.Severity(p.GetSeverity()),
		Resource: logs.Resource{Type: p.GetResource().GetType(), Labels: p.GetResource().GetLabels()},
		Labels:   p.GetLabels(), Text: p.GetTextPayload(), HTTP: httpFromProto(p.GetHttpRequest()),
		Trace: p.GetTrace(), SpanID: p.GetSpanId(), TraceSampled: p.GetTraceSampled(),
	}
	if t := p.GetTimestamp(); t != nil {
		e.Timestamp = t.AsTime()
	}
	if o := p.GetOperation(); o != nil {
		e.Operation = &logs.Operation{ID: o.GetId(), Producer: o.GetProducer(), First: o.GetFirst(), Last: o.GetLast()}
	}
	if l := p.GetSourceLocation(); l != nil {
		e.Source = &logs.SourceLocation{File: l.GetFile(), Line: l.GetLine(), Function: l.GetFunction()}
	}
	if s := p.GetSplit(); s != nil {
		e.Split = &logs.Split{UID: s.GetUid(), Index: int(s.GetIndex()), Total: int(s.GetTotalSplits())}
	}
	return e, setJSON(&e, p.GetJsonPayload())
}

func setJSON(e *logs.Entry, st *structpb.Struct) error {
	if st == nil {
		return nil
	}
	raw, err := protojson.Marshal(st)
	if err != nil {
		return err
	}
	var b bytes.Buffer // protojson varies its spaces on purpose
	if err := json.Compact(&b, raw); err != nil {
		return err
	}
	e.JSON = b.Bytes()
	return nil
}
