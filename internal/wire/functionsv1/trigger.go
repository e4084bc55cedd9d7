package functionsv1

import (
	"cmp"

	"cloud.google.com/go/functions/apiv1/functionspb"

	"github.com/sunya-cloud/sunya/internal/core/functions"
)

// decodeTrigger reads which events a function is to run for; nil: none.
func (a *API) decodeTrigger(project string, e *functionspb.EventTrigger) (*functions.EventTrigger, error) {
	if e == nil {
		return nil, nil
	}
	spec, err := a.Events(project, e.GetEventType(), e.GetResource())
	if err != nil {
		return nil, err
	}
	spec.Retry = e.GetFailurePolicy().GetRetry() != nil
	return &functions.EventTrigger{Spec: spec}, nil
}

// encodeTrigger shows a function's trigger.
func encodeTrigger(e *functionspb.EventTrigger, f *functions.Function) *functionspb.EventTrigger {
	if e == nil {
		e = &functionspb.EventTrigger{EventType: f.Event.LegacyType}
	}
	e.Service = cmp.Or(e.GetService(), f.Event.LegacyService)
	if f.Event.Topic != "" {
		e.Resource = f.Event.Topic
	}
	return e
}
