package runmodel

import (
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya/internal/core/run"
)

// applied is the condition that carries warnings: it is not terminal, and says
// what of the service has no effect.
const applied = "AllFieldsApplied"

// Encoder shows the model as google.cloud.run.v2 does.
type Encoder struct {
	// URL is the address of a host of the platform by its label.
	URL func(label string) string
}

// Document is what was sent of a service, completed: what an update's mask is
// applied to.
func Document(s *run.Service) (*runpb.Service, error) {
	out := &runpb.Service{}
	if err := read(s.Document, out); err != nil {
		return nil, fmt.Errorf("decode %s: %w", s.Name(), err)
	}
	t, err := documentOf(&s.Template)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", s.Name(), err)
	}
	out.Name, out.Template = s.Name(), t
	return out, nil
}

func documentOf(t *run.Template) (*runpb.RevisionTemplate, error) {
	out := &runpb.RevisionTemplate{}
	if err := read(t.Document, out); err != nil {
		return nil, err
	}
	out.Revision = t.Revision
	return out, nil
}

// read reads a stored document, which a newer server may have written.
func read(document []byte, m proto.Message) error {
	if len(document) == 0 {
		return nil
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(document, m)
}

// Service shows a service: what was asked for, with what the platform knows on
// top.
func (e Encoder) Service(s *run.Service) (*runpb.Service, error) {
	out, err := Document(s)
	if err != nil {
		return nil, err
	}
	out.Uid, out.Generation, out.ObservedGeneration, out.Etag = s.UID, s.Generation, s.Observed, s.ETag()
	out.Creator, out.LastModifier = s.Creator, s.Modifier
	out.CreateTime, out.UpdateTime = timestamppb.New(s.CreateTime), timestamppb.New(s.UpdateTime)
	if !s.DeleteTime.IsZero() {
		out.DeleteTime, out.ExpireTime = timestamppb.New(s.DeleteTime), timestamppb.New(s.DeleteTime)
	}
	out.Reconciling = s.Deployment != ""
	if s.Created != "" {
		out.LatestCreatedRevision = s.RevisionName(s.Created)
	}
	if s.Ready != "" {
		out.LatestReadyRevision = s.RevisionName(s.Ready)
	}
	for _, c := range s.Conditions {
		if c.Type == run.ConditionReady {
			out.TerminalCondition = encodeCondition(c)
			continue
		}
		out.Conditions = append(out.Conditions, encodeCondition(c))
	}
	if len(s.Warnings) > 0 {
		out.Conditions = append(out.Conditions, &runpb.Condition{
			Type: applied, State: runpb.Condition_CONDITION_FAILED, Severity: runpb.Condition_WARNING,
			Message: strings.Join(s.Warnings, "; "), LastTransitionTime: timestamppb.New(s.UpdateTime),
		})
	}
	if !s.DefaultURLOff {
		out.Uri = e.URL(s.Host)
		out.Urls = []string{out.Uri}
	}
	out.TrafficStatuses = e.statuses(s)
	return out, nil
}

func (e Encoder) statuses(s *run.Service) []*runpb.TrafficTargetStatus {
	var out []*runpb.TrafficTargetStatus
	for i, t := range encodeTraffic(s.Served) {
		st := &runpb.TrafficTargetStatus{Type: t.GetType(), Revision: s.Served[i].Revision, Percent: t.GetPercent(), Tag: t.GetTag()}
		if t.GetTag() != "" && !s.DefaultURLOff {
			st.Uri = e.URL(run.TagLabel(t.GetTag(), s.Host))
		}
		out = append(out, st)
	}
	return out
}

func encodeIngress(i run.Ingress) runpb.IngressTraffic {
	return runpb.IngressTraffic(max(slices.Index(ingresses(), i), 0))
}

func encodeTraffic(ts []run.Target) []*runpb.TrafficTarget {
	var out []*runpb.TrafficTarget
	for _, t := range ts {
		m := &runpb.TrafficTarget{
			Type:     runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION,
			Revision: t.Revision, Percent: int32(t.Percent), Tag: t.Tag,
		}
		if t.Latest {
			m.Type, m.Revision = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, ""
		}
		out = append(out, m)
	}
	return out
}

func encodeCondition(c run.Condition) *runpb.Condition {
	out := &runpb.Condition{Type: c.Type, Message: c.Message, LastTransitionTime: timestamppb.New(c.Time)}
	switch c.State {
	case run.True:
		out.State = runpb.Condition_CONDITION_SUCCEEDED
	case run.False:
		out.State, out.Severity = runpb.Condition_CONDITION_FAILED, runpb.Condition_ERROR
	default:
		out.State = runpb.Condition_CONDITION_RECONCILING
	}
	if n, ok := runpb.Condition_CommonReason_value[string(c.Reason)]; ok {
		out.Reasons = &runpb.Condition_Reason{Reason: runpb.Condition_CommonReason(n)}
	} else if n, ok := runpb.Condition_RevisionReason_value[string(c.Reason)]; ok {
		out.Reasons = &runpb.Condition_RevisionReason_{RevisionReason: runpb.Condition_RevisionReason(n)}
	}
	return out
}

// Revision shows a revision.
func (e Encoder) Revision(r *run.Revision) (*runpb.Revision, error) {
	t, err := documentOf(&r.Template)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", r.Name(), err)
	}
	out := &runpb.Revision{}
	take(out, t)
	out.Name, out.Service, out.Uid, out.Etag = r.Name(), r.Service.ID, r.UID, r.ETag()
	out.Generation, out.ObservedGeneration = r.Generation, r.Generation
	out.CreateTime, out.UpdateTime, out.Creator = timestamppb.New(r.CreateTime), timestamppb.New(r.UpdateTime), r.Creator
	for _, c := range r.Conditions {
		out.Reconciling = out.Reconciling || c.State == run.Unknown
		out.Conditions = append(out.Conditions, encodeCondition(c))
	}
	for _, c := range out.GetContainers() {
		if digest := r.Digests[c.GetName()]; digest != "" {
			c.Image = withDigest(c.GetImage(), digest)
		}
	}
	return out, nil
}

// take copies the fields that two messages have under one name.
func take(dst, src proto.Message) {
	from, to := src.ProtoReflect(), dst.ProtoReflect()
	fields := to.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if same := from.Descriptor().Fields().ByName(f.Name()); same != nil && same.Kind() == f.Kind() && from.Has(same) {
			to.Set(f, from.Get(same))
		}
	}
}

// withDigest is an image's reference with its digest instead of its tag: what a
// revision runs, whatever becomes of the tag.
func withDigest(image, digest string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image + "@" + digest
}
