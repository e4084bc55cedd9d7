package runv1

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	knative "google.golang.org/api/run/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
)

// described is what the resources of v2 have in common.
type described interface {
	GetUid() string
	GetGeneration() int64
	GetEtag() string
	GetCreateTime() *timestamppb.Timestamp
}

// metaOf begins the metadata of a resource.
func metaOf(project, collection, id string, m described) *knative.ObjectMeta {
	return &knative.ObjectMeta{
		Name: id, Namespace: project,
		SelfLink: "/apis/" + servingVersion + "/namespaces/" + project + "/" + collection + "/" + id,
		Uid:      m.GetUid(), Generation: m.GetGeneration(), ResourceVersion: strings.Trim(m.GetEtag(), `"`),
		CreationTimestamp: timestamp(m.GetCreateTime()),
	}
}

// withLabels adds labels, given as names and values, to those of a user.
func withLabels(own map[string]string, more ...string) map[string]string {
	out := maps.Clone(own)
	if out == nil {
		out = map[string]string{}
	}
	for i := 0; i+1 < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

func timestamp(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339Nano)
}

// number is the number of a project as clients write it.
func number(project string) string { return strconv.FormatInt(sunya.ProjectNumber(project), 10) }

func lastOf(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// serviceConditions are those of a service, the one that sums up first.
func serviceConditions(s *runpb.Service) []*runpb.Condition {
	if s.GetTerminalCondition() == nil {
		return s.GetConditions()
	}
	return append([]*runpb.Condition{s.GetTerminalCondition()}, s.GetConditions()...)
}

// encodeConditions shows conditions in Knative's words.
func encodeConditions(cs []*runpb.Condition) []*knative.GoogleCloudRunV1Condition {
	var out []*knative.GoogleCloudRunV1Condition
	for _, c := range cs {
		k := &knative.GoogleCloudRunV1Condition{Type: c.GetType(), Status: "Unknown", Message: c.GetMessage(), LastTransitionTime: timestamp(c.GetLastTransitionTime())}
		switch c.GetState() {
		case runpb.Condition_CONDITION_SUCCEEDED:
			k.Status = "True"
		case runpb.Condition_CONDITION_FAILED:
			k.Status = "False"
		}
		switch c.GetSeverity() { // none is that of an error
		case runpb.Condition_WARNING:
			k.Severity = "Warning"
		case runpb.Condition_INFO:
			k.Severity = "Info"
		}
		switch r := c.GetReasons().(type) {
		case *runpb.Condition_Reason:
			k.Reason = camel(r.Reason.String())
		case *runpb.Condition_RevisionReason_:
			k.Reason = camel(r.RevisionReason.String())
		case *runpb.Condition_ExecutionReason_:
			k.Reason = camel(r.ExecutionReason.String())
		}
		out = append(out, k)
	}
	return out
}

// camel is the name of an enum's value as Knative writes reasons:
// HealthCheckContainerError.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		if word != "" {
			b.WriteString(word[:1] + strings.ToLower(word[1:]))
		}
	}
	return b.String()
}
