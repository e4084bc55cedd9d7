package functionsv2

import (
	"cmp"

	"cloud.google.com/go/functions/apiv2/functionspb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/functions"
)

// decodeTrigger reads which events a function is to run for; nil: none.
func decodeTrigger(e *functionspb.EventTrigger) (*functions.EventTrigger, error) {
	if e == nil {
		return nil, nil
	}
	const field = "function.event_trigger."
	if e.GetChannel() != "" {
		return nil, &sunya.Error{Code: sunya.Unimplemented, Field: field + "channel", Message: "there are no channels of partners here: leave it out"}
	}
	if e.GetEventType() == "" {
		return nil, sunya.Invalid(field+"event_type", "is missing: name one such as %s", eventing.MessagePublished)
	}
	out := &functions.EventTrigger{Location: e.GetTriggerRegion()}
	out.Account, out.Topic = e.GetServiceAccountEmail(), e.GetPubsubTopic()
	out.Retry = e.GetRetryPolicy() == functionspb.EventTrigger_RETRY_POLICY_RETRY
	out.Filters = []eventing.Filter{{Attribute: "type", Value: e.GetEventType()}}
	for _, f := range e.GetEventFilters() {
		if f.GetAttribute() == "type" && f.GetValue() == e.GetEventType() {
			continue
		}
		out.Filters = append(out.Filters, eventing.Filter{Attribute: f.GetAttribute(), Operator: f.GetOperator(), Value: f.GetValue()})
	}
	return out, nil
}

// encodeTrigger shows a function's trigger: what was sent, with what the
// platform knows on top.
func encodeTrigger(e *functionspb.EventTrigger, f *functions.Function) *functionspb.EventTrigger {
	if f.Event == nil {
		return nil
	}
	if e == nil { // the other version of the API has it
		e = &functionspb.EventTrigger{}
		for _, x := range f.Event.Filters {
			if x.Attribute != "type" {
				e.EventFilters = append(e.EventFilters, &functionspb.EventFilter{Attribute: x.Attribute, Operator: x.Operator, Value: x.Value})
			}
		}
		e.RetryPolicy = functionspb.EventTrigger_RETRY_POLICY_DO_NOT_RETRY
		if f.Event.Retry {
			e.RetryPolicy = functionspb.EventTrigger_RETRY_POLICY_RETRY
		}
	}
	if f.Revision != "" && !f.FirstGen {
		e.Trigger = f.TriggerKey().Name()
	}
	if e.RetryPolicy == functionspb.EventTrigger_RETRY_POLICY_UNSPECIFIED {
		e.RetryPolicy = functionspb.EventTrigger_RETRY_POLICY_DO_NOT_RETRY
	}
	e.EventType, e.PubsubTopic, e.ServiceAccountEmail = cmp.Or(f.Event.LegacyType, f.Event.Type()), f.Event.Topic, f.Event.Account
	e.TriggerRegion = cmp.Or(f.Event.Location, f.Location)
	return e
}
