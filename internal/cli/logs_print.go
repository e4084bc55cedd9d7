package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	gaelog "google.golang.org/genproto/googleapis/appengine/logging/v1"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sunya-cloud/sunya"
)

// logPrinter writes entries to stdout, for people or as JSON lines.
type logPrinter struct {
	env    *Env
	format format
	colour bool
}

func newLogPrinter(env *Env) *logPrinter {
	f := env.output()
	if f.kind == "json" {
		f.kind = "jsonl" // a stream has no end at which a list could be closed
	}
	return &logPrinter{env, f, env.colour(env.StdoutTTY)}
}

func (p *logPrinter) print(e *loggingpb.LogEntry) error {
	if p.format.kind == "table" {
		return write(p.env.Stdout, []byte(p.pretty(e)))
	}
	raw, err := toJSON(e)
	if err != nil {
		return err
	}
	if p.format.kind == "yaml" {
		if err := write(p.env.Stdout, []byte("---\n")); err != nil {
			return err
		}
		return p.format.document(p.env.Stdout, raw)
	}
	return p.format.line(p.env.Stdout, raw)
}

// pretty is one entry as people read it; lines after the first are indented.
func (p *logPrinter) pretty(e *loggingpb.LogEntry) string {
	at := e.GetTimestamp().AsTime().Local().Format("2006-01-02 15:04:05.000")
	level := ltype.LogSeverity_name[int32(e.GetSeverity())]
	if level == "DEFAULT" {
		level = "-"
	}
	body := strings.TrimRight(printable(entryText(e)), "\n")
	body = strings.ReplaceAll(body, "\n", "\n    ")
	return fmt.Sprintf("%s %s %s%s\n", at, p.tint(fmt.Sprintf("%-8s", level), e.GetSeverity()), origin(e), body)
}

func (p *logPrinter) tint(s string, level ltype.LogSeverity) string {
	switch {
	case !p.colour:
		return s
	case level >= ltype.LogSeverity_ERROR:
		return "\x1b[31m" + s + "\x1b[0m"
	case level >= ltype.LogSeverity_WARNING:
		return "\x1b[33m" + s + "\x1b[0m"
	}
	return s
}

// origin says which service and version an entry is about.
func origin(e *loggingpb.LogEntry) string {
	switch labels := e.GetResource().GetLabels(); {
	case labels["module_id"] != "":
		return printable(fmt.Sprintf("%s[%s] ", labels["module_id"], labels["version_id"]))
	case labels["service_name"] != "":
		return printable(fmt.Sprintf("%s[%s] ", labels["service_name"], strings.TrimPrefix(labels["revision_name"], labels["service_name"]+"-")))
	}
	return ""
}

// entryText is what an entry says.
func entryText(e *loggingpb.LogEntry) string {
	var parts []string
	if h := e.GetHttpRequest(); h != nil {
		parts = append(parts, fmt.Sprintf("%s %d %s %s %s", h.GetRequestMethod(), h.GetStatus(),
			sunya.Bytes(h.GetResponseSize()), h.GetLatency().AsDuration().Round(100*time.Microsecond), h.GetRequestUrl()))
	}
	if t := e.GetTextPayload(); t != "" {
		parts = append(parts, t)
	}
	if j := e.GetJsonPayload(); j != nil {
		parts = append(parts, structured(j.AsMap()))
	}
	if m := e.GetProtoPayload(); m != nil {
		parts = append(parts, protoText(m, e.GetHttpRequest() != nil)...)
	}
	return strings.Join(parts, " ")
}

// protoText is what a message says. Of App Engine's form of a request only the
// lines are news when the request was shown already.
func protoText(m *anypb.Any, shown bool) []string {
	request := &gaelog.RequestLog{}
	if !shown || m.UnmarshalTo(request) != nil {
		return []string{protojson.Format(m)}
	}
	var out []string
	for _, line := range request.GetLine() {
		out = append(out, line.GetLogMessage())
	}
	return out
}

// structured shows the message of a structured entry, then its other fields.
func structured(fields map[string]any) string {
	var parts []string
	if m, ok := fields["message"].(string); ok {
		parts = append(parts, m)
	}
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		if _, isText := fields[k].(string); k == "message" && isText {
			continue
		}
		raw, err := json.Marshal(fields[k])
		if err != nil {
			raw = fmt.Append(nil, fields[k])
		}
		parts = append(parts, k+"="+string(raw))
	}
	return strings.Join(parts, " ")
}
