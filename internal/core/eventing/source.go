package eventing

import (
	"context"
	"slices"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Source is where events come from. It writes them as messages to the topics of
// its triggers, before it tells its own caller that something has happened.
//
// One that has to run implements Runner as well.
type Source interface {
	// Provider describes the source and its events.
	Provider() Provider
	// FromResource reads what a trigger of the first generation names as its
	// resource: filters, besides that for the type, and the topic if that is
	// the resource.
	FromResource(project, resource string) (filters []Filter, topic string, err error)
	// Check looks at a trigger before anything is made for it, beyond what
	// Provider says about its filters.
	Check(ctx context.Context, t *Trigger) error
	// Open makes events come to the trigger's topic, and Close ends that. Both
	// may be called again, also after a crash, and Close for what was never
	// opened.
	Open(ctx context.Context, t *Trigger) error
	Close(ctx context.Context, t *Trigger) error
	// Event reads a message of the topic; nil when it is none of the source's.
	Event(t *Trigger, m *pubsub.Message) (*Event, error)
}

// Runner is a Source that has to run. Before it does, Open has been called for
// all its triggers.
type Runner interface {
	Run(ctx context.Context) error
}

// Provider describes a source (google.cloud.eventarc.v1.Provider).
type Provider struct {
	Name    string // pubsub.googleapis.com
	Display string
	Types   []EventType
	// Transport says that the topic itself is what events are about, so that a
	// trigger may name one.
	Transport bool
}

// EventType is one type of events.
type EventType struct {
	Type        string
	Description string
	// Legacy is what the first generation calls it, the present name first.
	Legacy     []string
	Attributes []Attribute // that filters can name, besides the type
}

// Attribute is what events can be filtered by.
type Attribute struct {
	Name, Description string
	Required          bool
	Pattern           bool // path patterns too
}

// find returns the source and description of a type, by either of its names.
func (s *Service) find(name string) (Source, *EventType) {
	for _, src := range s.Sources {
		types := src.Provider().Types
		for i := range types {
			if types[i].Type == name || slices.Contains(types[i].Legacy, name) {
				return src, &types[i]
			}
		}
	}
	return nil, nil
}

// Providers are the sources that there are.
func (s *Service) Providers() []Provider {
	out := make([]Provider, len(s.Sources))
	for i, src := range s.Sources {
		out[i] = src.Provider()
	}
	slices.SortFunc(out, func(a, b Provider) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

// Legacy reads the trigger of a function of the first generation: the type of
// its events, and the resource they are about.
func (s *Service) Legacy(project, eventType, resource string) (Spec, error) {
	src, kind := s.find(eventType)
	switch {
	case src == nil:
		return Spec{}, sunya.InField("function.event_trigger.event_type", s.unknownType(eventType))
	case kind.Type == eventType:
		return Spec{}, sunya.Invalid("function.event_trigger.event_type", "%s is of the second generation: the first calls it %s", eventType, joined(kind.Legacy))
	}
	filters, topic, err := src.FromResource(project, resource)
	if err != nil {
		return Spec{}, sunya.InField("function.event_trigger.resource", err)
	}
	return Spec{
		Filters: append([]Filter{{Attribute: typeAttribute, Value: kind.Type}}, filters...), Topic: topic,
		LegacyType: eventType, LegacyService: src.Provider().Name, Form: Background,
	}, nil
}

// CloudType is what the second generation calls a type of events of the first;
// one that is not known stays.
func CloudType(name string) string {
	for _, p := range []Provider{PubSub{}.Provider(), (&Storage{}).Provider()} {
		for _, t := range p.Types {
			if slices.Contains(t.Legacy, name) {
				return t.Type
			}
		}
	}
	return name
}
