package eventing

import (
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Filter is a condition on an attribute of events.
type Filter struct {
	Attribute string
	Operator  string `json:",omitempty"` // empty: equal; MatchPathPattern
	Value     string
}

// MatchPathPattern is the operator of path patterns.
const MatchPathPattern = "match-path-pattern"

const typeAttribute = "type"

// holds reports whether an event passes.
func (f Filter) holds(attributes map[string]string) bool {
	v, ok := attributes[f.Attribute]
	if f.Operator == MatchPathPattern {
		return ok && MatchPath(f.Value, v)
	}
	return ok && v == f.Value
}

// checkFilters compares filters with what a type of events has.
func checkFilters(filters []Filter, t *EventType) error {
	const field = "event_filters"
	seen := map[string]bool{}
	for _, f := range filters {
		if seen[f.Attribute] {
			return sunya.Invalid(field, "there are two filters for %s", f.Attribute)
		}
		seen[f.Attribute] = true
		if f.Value == "" {
			return sunya.Invalid(field, "the filter for %s has no value", f.Attribute)
		}
		if f.Operator != "" && f.Operator != MatchPathPattern {
			return sunya.Invalid(field, "%q is not an operator: use %s, or none for equality", f.Operator, MatchPathPattern)
		}
		if f.Attribute == typeAttribute {
			if f.Operator != "" {
				return sunya.Invalid(field, "the filter for type knows equality only")
			}
			continue
		}
		i := slices.IndexFunc(t.Attributes, func(a Attribute) bool { return a.Name == f.Attribute })
		if i < 0 {
			return sunya.Invalid(field, "events of the type %s have no attribute %q: use %s", t.Type, f.Attribute, t.attributeNames())
		}
		if f.Operator == "" {
			continue
		}
		if !t.Attributes[i].Pattern {
			return sunya.Invalid(field, "%s of the type %s cannot be matched by a path pattern: give its whole value", f.Attribute, t.Type)
		}
		if err := CheckPattern(f.Value); err != nil {
			return sunya.InField(field, err)
		}
	}
	for _, a := range t.Attributes {
		if a.Required && !seen[a.Name] {
			return sunya.Invalid(field, "events of the type %s need a filter for %s (%s)", t.Type, a.Name, a.Description)
		}
	}
	return nil
}

func (t *EventType) attributeNames() string {
	names := []string{typeAttribute}
	for _, a := range t.Attributes {
		names = append(names, a.Name)
	}
	return strings.Join(names, ", ")
}
