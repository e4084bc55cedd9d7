package cli

import (
	"maps"
	"slices"
	"strings"

	firstpb "cloud.google.com/go/functions/apiv1/functionspb"
	"cloud.google.com/go/functions/apiv2/functionspb"
	"github.com/spf13/pflag"

	"github.com/sunya-cloud/sunya/internal/core/eventing"
)

// triggerFlags are the flags that say which events a function runs for.
type triggerFlags struct {
	topic, bucket, event, resource string
	filters, patterns              map[string]string
	location, account              string
	retry                          bool
}

func (o *triggerFlags) register(f *pflag.FlagSet) {
	f.StringVar(&o.topic, "trigger-topic", "", "run for messages of this topic")
	f.StringVar(&o.bucket, "trigger-bucket", "", "run for objects in this bucket")
	f.StringVar(&o.event, "trigger-event", "", "type of the events, with --trigger-resource")
	f.StringVar(&o.resource, "trigger-resource", "", "topic or bucket of --trigger-event")
	filterFlag(f, "trigger-event-filters", "run for events: type=TYPE,ATTRIBUTE=VALUE", &o.filters)
	filterFlag(f, "trigger-event-filters-path-pattern", "the same by path patterns: ATTRIBUTE=PATTERN", &o.patterns)
	f.StringVar(&o.location, "trigger-location", "", "region of the trigger")
	f.StringVar(&o.account, "trigger-service-account", "", "account that calls the function")
	switchFlag(f, "retry", "deliver again what fails", func(yes bool) { o.retry = yes })
	hide(f, "retry", "trigger-event-filters", "trigger-event", "trigger-resource", "trigger-event-filters-path-pattern", "trigger-location", "trigger-service-account", "no-retry")
}

// filterFlag is a flag of pairs, several at once and several times.
func filterFlag(f *pflag.FlagSet, name, usage string, into *map[string]string) {
	f.Var(setter{"filters", func(v string) error {
		if *into == nil {
			*into = map[string]string{}
		}
		for pair := range strings.SplitSeq(v, ",") {
			key, value, ok := strings.Cut(pair, "=")
			if !ok || key == "" || value == "" {
				return usagef("%q is not of the form ATTRIBUTE=VALUE", pair)
			}
			(*into)[key] = value
		}
		return nil
	}}, name, usage)
}

// given reports whether events are asked for at all.
func (o *triggerFlags) given() bool {
	return o.topic != "" || o.bucket != "" || o.event != "" || o.resource != "" || len(o.filters)+len(o.patterns) > 0
}

// check looks at what excludes each other.
func (o *triggerFlags) check() error {
	kinds := 0
	for _, given := range []bool{o.topic != "", o.bucket != "", o.event != "" || o.resource != "", len(o.filters)+len(o.patterns) > 0} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return usagef("one trigger is enough: give --trigger-topic, --trigger-bucket, --trigger-event with --trigger-resource, or --trigger-event-filters")
	case o.resource != "" && o.event == "":
		return usagef("--trigger-resource needs --trigger-event")
	case len(o.filters)+len(o.patterns) > 0 && o.filters["type"] == "":
		return usagef("--trigger-event-filters: type=TYPE is missing: see sunya eventarc providers list")
	}
	return nil
}

// The events of the short flags.
const (
	objectFinalized = "google.cloud.storage.object.v1.finalized"
	firstFinalized  = "google.storage.object.finalize"
	firstPublished  = "google.pubsub.topic.publish"
)

func topicName(project, id string) string {
	if strings.Contains(id, "/") {
		return id
	}
	return "projects/" + project + "/topics/" + id
}

func bucketName(v string) string {
	v = strings.TrimPrefix(strings.TrimPrefix(v, "gs://"), "projects/_/buckets/")
	return strings.TrimSuffix(v, "/")
}

// second is the trigger in the API of the second generation; nil: none.
func (o *triggerFlags) second(project string) *functionspb.EventTrigger {
	e := &functionspb.EventTrigger{TriggerRegion: o.location, ServiceAccountEmail: o.account, RetryPolicy: functionspb.EventTrigger_RETRY_POLICY_DO_NOT_RETRY}
	if o.retry {
		e.RetryPolicy = functionspb.EventTrigger_RETRY_POLICY_RETRY
	}
	add := func(attribute, operator, value string) {
		e.EventFilters = append(e.EventFilters, &functionspb.EventFilter{Attribute: attribute, Operator: operator, Value: value})
	}
	switch {
	case o.topic != "":
		e.EventType, e.PubsubTopic = eventing.MessagePublished, topicName(project, o.topic)
	case o.bucket != "":
		e.EventType = objectFinalized
		add("bucket", "", bucketName(o.bucket))
	case o.event != "":
		e.EventType = eventing.CloudType(o.event)
		if e.EventType == eventing.MessagePublished {
			e.PubsubTopic = topicName(project, o.resource)
		} else if o.resource != "" {
			add("bucket", "", bucketName(o.resource))
		}
	case len(o.filters) > 0:
		e.EventType = o.filters["type"]
		for _, k := range slices.Sorted(maps.Keys(o.filters)) {
			if k != "type" {
				add(k, "", o.filters[k])
			}
		}
		for _, k := range slices.Sorted(maps.Keys(o.patterns)) {
			add(k, eventing.MatchPathPattern, o.patterns[k])
		}
	case !o.retry:
		return nil
	}
	return e // with --retry alone, that
}

// first is the trigger in the API of the first generation; nil: none.
func (o *triggerFlags) first(project string) (*firstpb.EventTrigger, error) {
	e := &firstpb.EventTrigger{EventType: o.event, Resource: o.resource}
	if o.retry {
		e.FailurePolicy = &firstpb.FailurePolicy{Action: &firstpb.FailurePolicy_Retry_{Retry: &firstpb.FailurePolicy_Retry{}}}
	}
	switch {
	case o.topic != "":
		e.EventType, e.Resource = firstPublished, topicName(project, o.topic)
	case o.bucket != "":
		e.EventType, e.Resource = firstFinalized, "projects/_/buckets/"+bucketName(o.bucket)
	case len(o.filters) > 0:
		return nil, usagef("--trigger-event-filters: functions of the first generation take --trigger-event and --trigger-resource: use --gen2")
	case o.event == "" && o.retry:
	case o.event == "":
		return nil, nil
	case o.resource == "":
		return nil, usagef("--trigger-event needs --trigger-resource")
	}
	return e, nil
}
