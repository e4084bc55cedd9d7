package eventarcv1

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"strings"

	pb "cloud.google.com/go/eventarc/apiv1/eventarcpb"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
)

// jsonData is the content type of data that events have here.
const jsonData = "application/json"

// decode turns the API's trigger into what core/eventing makes.
func decode(k eventing.Key, t *pb.Trigger) (eventing.Spec, error) {
	s := eventing.Spec{
		Account: t.GetServiceAccount(), Topic: t.GetTransport().GetPubsub().GetTopic(), Labels: t.GetLabels(), Form: eventing.CloudEvent,
		Retry: true, MaxAge: eventing.DefaultAge,
	}
	switch n := t.GetRetryPolicy().GetMaxAttempts(); n {
	case 0:
	case 1:
		s.Retry = false
	default:
		return s, sunya.Invalid("trigger.retry_policy.max_attempts", "%d is not allowed: use 1, which means no retry, or leave the policy out", n)
	}
	switch v := t.GetEventDataContentType(); v {
	case "", jsonData:
	default:
		return s, &sunya.Error{Code: sunya.Unimplemented, Field: "trigger.event_data_content_type", Message: v + " is not supported: the data of events is " + jsonData}
	}
	if t.GetChannel() != "" {
		return s, &sunya.Error{Code: sunya.Unimplemented, Field: "trigger.channel", Message: "there are no channels of partners here: leave it out"}
	}
	for _, f := range t.GetEventFilters() {
		s.Filters = append(s.Filters, eventing.Filter{Attribute: f.GetAttribute(), Operator: f.GetOperator(), Value: f.GetValue()})
	}
	var err error
	if s.Destination, err = destination(k, t.GetDestination()); err != nil {
		return s, err
	}
	s.Document, err = sent(t)
	return s, err
}

func destination(k eventing.Key, d *pb.Destination) (eventing.Destination, error) {
	switch x := d.GetDescriptor_().(type) {
	case nil:
		return eventing.Destination{}, sunya.Invalid("trigger.destination", "is missing: name a Cloud Run service or a function")
	case *pb.Destination_CloudRun:
		if id := x.CloudRun.GetService(); id == "" || strings.Contains(id, "/") {
			return eventing.Destination{}, sunya.Invalid("trigger.destination.cloud_run.service", "%q is not the name of a service: give that alone, without its project", id)
		}
		location := cmp.Or(x.CloudRun.GetRegion(), k.Location)
		return eventing.Destination{Service: sunya.LocationName(k.Project, location) + "/services/" + x.CloudRun.GetService(), Path: x.CloudRun.GetPath()}, nil
	case *pb.Destination_CloudFunction:
		return eventing.Destination{Function: x.CloudFunction}, nil
	default:
		return eventing.Destination{}, &sunya.Error{Code: sunya.Unimplemented, Field: "trigger.destination", Message: "only Cloud Run services and functions can be the destination of a trigger"}
	}
}

// sent is what is stored of a trigger: all that was sent, but for what only the
// server says.
func sent(t *pb.Trigger) ([]byte, error) {
	kept := proto.CloneOf(t)
	kept.Name, kept.Uid, kept.CreateTime, kept.UpdateTime, kept.Conditions, kept.Etag = "", "", nil, nil, nil, ""
	doc, err := protojson.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encode trigger: %w", err)
	}
	return doc, nil
}

// encode shows a trigger: what was sent, with what the platform knows on top.
func (a *API) encode(t *eventing.Trigger) (*pb.Trigger, error) {
	out := &pb.Trigger{}
	if len(t.Document) > 0 {
		lenient := protojson.UnmarshalOptions{DiscardUnknown: true} // a newer server may have stored it
		if err := lenient.Unmarshal(t.Document, out); err != nil {
			return nil, fmt.Errorf("decode %s: %w", t.Name(), err)
		}
	} else { // a function's
		out.Destination = &pb.Destination{Descriptor_: &pb.Destination_CloudFunction{CloudFunction: t.Destination.Function}}
		out.Labels = map[string]string{"goog-managed-by": "cloudfunctions"}
		for _, f := range t.Filters {
			out.EventFilters = append(out.EventFilters, &pb.EventFilter{Attribute: f.Attribute, Operator: f.Operator, Value: f.Value})
		}
		if !t.Retry {
			out.RetryPolicy = &pb.Trigger_RetryPolicy{MaxAttempts: 1}
		}
	}
	if run := out.GetDestination().GetCloudRun(); run != nil && run.GetRegion() == "" {
		run.Region = t.Location
	}
	out.Name, out.Uid, out.Etag = t.Name(), t.UID, etagOf(t)
	out.CreateTime, out.UpdateTime = timestamppb.New(t.CreateTime), timestamppb.New(t.UpdateTime)
	out.ServiceAccount = t.Account
	out.Transport = &pb.Transport{Intermediary: &pb.Transport_Pubsub{Pubsub: &pb.Pubsub{Topic: t.Topic, Subscription: t.Subscription}}}
	out.EventDataContentType = cmp.Or(out.GetEventDataContentType(), jsonData)
	out.Conditions = a.conditions(t)
	return out, nil
}

// conditions say what keeps events from being delivered.
func (a *API) conditions(t *eventing.Trigger) map[string]*pb.StateCondition {
	out := map[string]*pb.StateCondition{}
	if t.State != eventing.Active {
		out["READY"] = &pb.StateCondition{Code: code.Code_UNAVAILABLE, Message: "the trigger is being made or deleted"}
	}
	if _, err := a.Events.Target.URL(t.Destination); err != nil {
		out["DESTINATION"] = &pb.StateCondition{Code: code.Code_NOT_FOUND, Message: err.Error()}
	}
	return out
}

func etagOf(t *eventing.Trigger) string {
	h := fnv.New64a()
	fmt.Fprint(h, t.UID, t.UpdateTime.UnixNano())
	return fmt.Sprintf("%016x", h.Sum64())
}
