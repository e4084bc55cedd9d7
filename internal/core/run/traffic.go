package run

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// checkTargets holds for a split whatever revisions there are.
func checkTargets(targets []Target) error {
	sum, tags := 0, map[string]bool{}
	for i, t := range targets {
		at := fmt.Sprintf("service.traffic[%d]", i)
		switch {
		case t.Latest && t.Revision != "":
			return sunya.Invalid(at+".revision", "%q is named, and the latest revision is asked for: leave one out", t.Revision)
		case !t.Latest && t.Revision == "":
			return sunya.Invalid(at+".revision", "is missing: name a revision, or ask for the latest one")
		case t.Percent < 0 || t.Percent > 100:
			return sunya.Invalid(at+".percent", "%d is not a share: use 0 to 100", t.Percent)
		case t.Tag == "":
		case !nameRE.MatchString(t.Tag) || len(t.Tag) > maxTag || ambiguous(t.Tag):
			return sunya.Invalid(at+".tag", "%q is not a tag: use 1 to %d lower-case letters, digits and dashes, beginning with a letter", t.Tag, maxTag)
		case tags[t.Tag]:
			return sunya.Invalid(at+".tag", "%q is the tag of another target, too", t.Tag)
		}
		tags[t.Tag] = true
		sum += t.Percent
	}
	switch {
	case sum != 100:
		return sunya.Invalid("service.traffic", "the shares sum to %d: they must sum to 100", sum)
	case len(tags) > maxTags:
		return sunya.Invalid("service.traffic", "%d tags are more than %d", len(tags), maxTags)
	}
	return nil
}

// checkTags holds for tags on the host of a service: both are one DNS label.
func checkTags(targets []Target, host string) error {
	for i, t := range targets {
		if t.Tag != "" && len(TagLabel(t.Tag, host)) > maxLabel {
			return sunya.Invalid(fmt.Sprintf("service.traffic[%d].tag", i), "%q is too long: with the host %s it has more than %d characters", t.Tag, host, maxLabel)
		}
	}
	return nil
}

// resolve names the revision of every target. latest is the newest that is
// ready.
func resolve(targets []Target, latest string) []Target {
	out := slices.Clone(targets)
	for i := range out {
		if out[i].Latest {
			out[i].Revision = latest
		}
	}
	return out
}

// shares are the split in the core's terms: every revision once.
func (k Key) shares(served []Target) []sunya.Target {
	var out []sunya.Target
	for _, t := range served {
		if t.Percent == 0 {
			continue
		}
		name := k.RevisionName(t.Revision)
		i := slices.IndexFunc(out, func(o sunya.Target) bool { return o.Revision == name })
		if i < 0 {
			out = append(out, sunya.Target{Revision: name})
			i = len(out) - 1
		}
		out[i].Permille += t.Percent * 10
	}
	return out
}

// hosts are the names that lead to a service and its tags.
func (s *Service) hosts(served []Target) []sunya.Host {
	if s.DefaultURLOff {
		return nil
	}
	out := []sunya.Host{{Label: s.Host, Service: s.Name()}}
	for _, t := range served {
		if t.Tag != "" {
			out = append(out, sunya.Host{Label: TagLabel(t.Tag, s.Host), Service: s.Name(), Revision: s.RevisionName(t.Revision)})
		}
	}
	return out
}

// uses reports whether a split has a revision.
func uses(served []Target, id string) bool {
	return slices.ContainsFunc(served, func(t Target) bool { return t.Revision == id })
}

// short is a revision's short name, of either form of its name.
func (k Key) short(name string) string { return strings.TrimPrefix(name, k.Name()+"/revisions/") }
