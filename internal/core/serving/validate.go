package serving

import (
	"regexp"
	"slices"

	"github.com/sunya-cloud/sunya"
)

// labelRE is a DNS label (RFC 1035 §2.3.1 with RFC 1123's leading digit), in
// lower case.
var labelRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

var idRE = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// Reserved reports whether a label belongs to the platform itself: core/front
// serves these hosts, or will.
func Reserved(label string) bool {
	switch label {
	case "api", "console", "functions", "localhost", "run", "www":
		return true
	}
	return false
}

// CheckLabel reports whether a service can have the label.
func CheckLabel(label string) error {
	if !labelRE.MatchString(label) {
		return sunya.Invalid("host", "%q is not a DNS label: use 1 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit", label)
	}
	if Reserved(label) {
		return sunya.Invalid("host", "%q is reserved for the platform: choose another name", label)
	}
	return nil
}

// validate checks a change against the state after it.
func validate(before, after *Table, c Change) error {
	for i := range c.PutServices {
		if err := checkService(after, &c.PutServices[i]); err != nil {
			return err
		}
	}
	for i := range c.PutRevisions {
		if err := checkRevision(after, &c.PutRevisions[i]); err != nil {
			return err
		}
	}
	for _, h := range c.PutHosts {
		if err := checkHost(before, after, h, slices.Contains(c.DeleteHosts, h.Label)); err != nil {
			return err
		}
	}
	for _, name := range c.DeleteRevisions {
		if err := checkUnused(before, after, name); err != nil {
			return err
		}
	}
	return nil
}

func checkService(after *Table, s *sunya.Service) error {
	if s.Name == "" {
		return sunya.Invalid("name", "a service needs a name")
	}
	if err := sunya.CheckProject(s.Project); err != nil {
		return err
	}
	switch s.Traffic.ShardBy {
	case "", sunya.ShardByRandom, sunya.ShardByIP, sunya.ShardByCookie:
	default:
		return sunya.Invalid("traffic", "%q is not a way to shard: use random, ip or cookie", s.Traffic.ShardBy)
	}
	if err := checkTargets(after, s, s.Traffic.Targets); err != nil {
		return err
	}
	return checkTargets(after, s, s.Traffic.Goal)
}

func checkTargets(after *Table, s *sunya.Service, targets []sunya.Target) error {
	sum, seen := 0, map[string]bool{}
	for _, t := range targets {
		rev, ok := after.Revision(t.Revision)
		switch {
		case !ok || rev.Service != s.Name:
			return sunya.Invalid("traffic", "%q is not a revision of %s", t.Revision, s.Name)
		case t.Permille < 0 || t.Permille > buckets:
			return sunya.Invalid("traffic", "the share of %s is %d‰: a share is 0 to 1000‰", t.Revision, t.Permille)
		case seen[t.Revision]:
			return sunya.Invalid("traffic", "%s is named twice", t.Revision)
		}
		seen[t.Revision] = true
		sum += t.Permille
	}
	if sum != buckets && len(targets) > 0 {
		return sunya.Invalid("traffic", "the shares sum to %d‰: they must sum to 1000‰", sum)
	}
	return nil
}

func checkRevision(after *Table, r *sunya.Revision) error {
	switch _, ok := after.Service(r.Service); {
	case r.Name == "":
		return sunya.Invalid("name", "a revision needs a name")
	case !idRE.MatchString(r.ID):
		return sunya.Invalid("id", "%q is not a revision id: use lower-case letters, digits and dashes", r.ID)
	case !ok || r.Service == "":
		return sunya.Errorf(sunya.FailedPrecondition, r.Name, "its service %q does not exist", r.Service)
	case r.Concurrency < 1 || r.Concurrency > 1000:
		return sunya.Invalid("concurrency", "%d requests at once: an instance takes 1 to 1000", r.Concurrency)
	}
	return nil
}

// checkHost refuses a label that another service has, unless it is given up by
// the same change.
func checkHost(before, after *Table, h sunya.Host, given bool) error {
	if err := CheckLabel(h.Label); err != nil {
		return err
	}
	if old, ok := before.Host(h.Label); ok && old.Service != h.Service && !given {
		return sunya.Errorf(sunya.AlreadyExists, h.Service, "the host name %q belongs to %s", h.Label, old.Service)
	}
	if _, ok := after.Service(h.Service); !ok {
		return sunya.Errorf(sunya.FailedPrecondition, h.Service, "no such service for the host name %q", h.Label)
	}
	if h.Revision == "" {
		return nil
	}
	if rev, ok := after.Revision(h.Revision); !ok || rev.Service != h.Service {
		return sunya.Invalid("host", "%q addresses %q, which is not a revision of %s", h.Label, h.Revision, h.Service)
	}
	return nil
}

// checkUnused refuses to delete a revision that has a share of the traffic
// (contracts: a version with traffic cannot be deleted).
func checkUnused(before, after *Table, revision string) error {
	rev, ok := before.Revision(revision)
	if !ok {
		return nil
	}
	svc, ok := after.Service(rev.Service)
	if !ok {
		return nil
	}
	for _, t := range svc.Traffic.Targets {
		if t.Revision == revision {
			return sunya.Errorf(sunya.FailedPrecondition, revision, "it has %d‰ of the traffic of %s: move the traffic first", t.Permille, rev.Service)
		}
	}
	for _, t := range svc.Traffic.Goal {
		if t.Revision == revision {
			return sunya.Errorf(sunya.FailedPrecondition, revision, "the traffic of %s is on its way to it: wait, or move the traffic elsewhere first", rev.Service)
		}
	}
	return nil
}
