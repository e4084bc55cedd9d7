package objects

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// The actions of lifecycle rules (cloud.google.com/storage/docs/lifecycle).
const (
	ActionDelete   = "Delete"
	ActionSetClass = "SetStorageClass"
	ActionAbort    = "AbortIncompleteMultipartUpload"
)

const maxLifecycleRules = 100

// CheckLifecycle reports whether rules are well formed.
func CheckLifecycle(rules []LifecycleRule) error {
	if len(rules) > maxLifecycleRules {
		return sunya.Invalid("lifecycle.rule", "%d of them: at most %d", len(rules), maxLifecycleRules)
	}
	for i, r := range rules {
		if err := r.check(); err != nil {
			return sunya.InField(fmt.Sprintf("lifecycle.rule[%d]", i), err)
		}
	}
	return nil
}

func (r *LifecycleRule) check() error {
	c := r.Condition
	if c.empty() {
		return sunya.Invalid("condition", "a rule needs a condition")
	}
	for _, n := range []*int64{c.Age, c.NumNewerVersions, c.DaysSinceNoncurrentTime, c.DaysSinceCustomTime} {
		if n != nil && *n < 0 {
			return sunya.Invalid("condition", "%d: 0 or more", *n)
		}
	}
	for _, class := range c.MatchesStorageClass {
		if err := checkClass(class); err != nil {
			return err
		}
	}
	switch r.Action.Type {
	case ActionDelete:
		return nil
	case ActionSetClass:
		if r.Action.StorageClass == "" {
			return sunya.Invalid("action.storageClass", "SetStorageClass needs one")
		}
		return checkClass(r.Action.StorageClass)
	case ActionAbort:
		if c.onlyUploads() {
			return nil
		}
		return sunya.Invalid("condition", "%s knows age, matchesPrefix and matchesSuffix", ActionAbort)
	}
	return sunya.Invalid("action.type", "%q: use %s, %s or %s", clip(r.Action.Type), ActionDelete, ActionSetClass, ActionAbort)
}

func (c *LifecycleCondition) empty() bool {
	return c.Age == nil && c.IsLive == nil && c.NumNewerVersions == nil && c.DaysSinceNoncurrentTime == nil && c.DaysSinceCustomTime == nil &&
		c.CreatedBefore.IsZero() && c.NoncurrentTimeBefore.IsZero() && c.CustomTimeBefore.IsZero() &&
		len(c.MatchesStorageClass)+len(c.MatchesPrefix)+len(c.MatchesSuffix) == 0
}

func (c LifecycleCondition) onlyUploads() bool {
	c.Age, c.MatchesPrefix, c.MatchesSuffix = nil, nil, nil
	return c.empty()
}

const day = 24 * time.Hour

// holds reports whether a rule is about o, which has newer newer generations.
func (c *LifecycleCondition) holds(o *Object, newer int64, now time.Time) bool {
	older := func(t time.Time, days *int64) bool {
		return days == nil || !t.IsZero() && !now.Before(t.Add(time.Duration(min(*days, 100_000))*day))
	}
	before := func(t, limit time.Time) bool { return limit.IsZero() || !t.IsZero() && t.Before(limit) }
	class := o.Properties.StorageClass
	if class == "" {
		class = "STANDARD"
	}
	return older(o.CreateTime, c.Age) && before(o.CreateTime, c.CreatedBefore) &&
		(c.IsLive == nil || *c.IsLive == o.Live()) &&
		(c.NumNewerVersions == nil || newer >= *c.NumNewerVersions) &&
		older(o.DeleteTime, c.DaysSinceNoncurrentTime) && before(o.DeleteTime, c.NoncurrentTimeBefore) &&
		older(o.Properties.CustomTime, c.DaysSinceCustomTime) && before(o.Properties.CustomTime, c.CustomTimeBefore) &&
		(len(c.MatchesStorageClass) == 0 || slices.Contains(c.MatchesStorageClass, class)) && c.named(o.Name)
}

// named reports whether the name is one that c is about.
func (c *LifecycleCondition) named(name string) bool {
	begins := func(p string) bool { return strings.HasPrefix(name, p) }
	ends := func(p string) bool { return strings.HasSuffix(name, p) }
	return (len(c.MatchesPrefix) == 0 || slices.ContainsFunc(c.MatchesPrefix, begins)) &&
		(len(c.MatchesSuffix) == 0 || slices.ContainsFunc(c.MatchesSuffix, ends))
}

// maxAborts is how many uploads one rule ends at a time; the others come the next
// day.
const maxAborts = 10_000

// lifecycleBatch is how many generations are looked at at a time.
const lifecycleBatch = 500

// Tend does what the lifecycle rules of all buckets say.
func (s *Service) Tend(ctx context.Context) error {
	var errs []error
	for after := ""; ; {
		buckets, err := s.store.ListBuckets(ctx, "", "", after, lifecycleBatch)
		if err != nil {
			return fmt.Errorf("list buckets: %w", err)
		}
		for i := range buckets {
			if len(buckets[i].Rules.Lifecycle) > 0 {
				errs = append(errs, s.tend(ctx, &buckets[i]))
			}
			after = buckets[i].Name
		}
		if len(buckets) < lifecycleBatch {
			return errors.Join(errs...)
		}
	}
}

// tend goes through one bucket. Generations of a name come together, oldest
// first, so each name is held until the next begins.
func (s *Service) tend(ctx context.Context, b *Bucket) error {
	var name []Object
	at := Range{Bucket: b.Name, Which: AllVersions, Limit: lifecycleBatch}
	for {
		found, err := s.store.ListObjects(ctx, at)
		if err != nil {
			return fmt.Errorf("lifecycle of %s: %w", b.Name, err)
		}
		for _, o := range found {
			if len(name) > 0 && name[0].Name != o.Name {
				if err := s.tendName(ctx, b, name); err != nil {
					return err
				}
				name = name[:0]
			}
			name = append(name, o)
			at.Start, at.Generation = o.Name, o.Generation+1
		}
		if len(found) < lifecycleBatch {
			return errors.Join(s.tendName(ctx, b, name), s.tendUploads(ctx, b))
		}
	}
}

func (s *Service) tendName(ctx context.Context, b *Bucket, generations []Object) error {
	for i := range generations {
		o, newer := &generations[i], int64(len(generations)-1-i)
		action := b.Rules.actionOn(o, newer, s.now())
		err := s.act(ctx, o, action)
		switch sunya.CodeOf(err) {
		case sunya.OK, sunya.NotFound, sunya.FailedPrecondition, sunya.PermissionDenied:
			// Gone, changed or held in the meantime: the next time.
		default:
			return fmt.Errorf("lifecycle of %s: %w", path(o.Bucket, o.Name), err)
		}
	}
	return nil
}

// actionOn is what the rules say of o: Delete before all, then the last class.
func (r *Rules) actionOn(o *Object, newer int64, now time.Time) (out LifecycleAction) {
	for i := range r.Lifecycle {
		rule := &r.Lifecycle[i]
		if rule.Action.Type == ActionAbort || !rule.Condition.holds(o, newer, now) {
			continue
		}
		if rule.Action.Type == ActionDelete {
			return rule.Action
		}
		out = rule.Action
	}
	return out
}

func (s *Service) act(ctx context.Context, o *Object, a LifecycleAction) error {
	cond := Conditions{GenerationMatch: &o.Generation, MetagenerationMatch: &o.Metageneration}
	switch {
	case a.Type == ActionDelete && o.Live():
		return s.Delete(ctx, o.Bucket, o.Name, 0, cond)
	case a.Type == ActionDelete:
		return s.Delete(ctx, o.Bucket, o.Name, o.Generation, cond)
	case a.Type == ActionSetClass && a.StorageClass != o.Properties.StorageClass:
		_, err := s.Update(ctx, o.Bucket, o.Name, o.Generation, cond, func(o *Object) error {
			o.Properties.StorageClass = a.StorageClass
			return nil
		})
		return err
	}
	return nil
}

// tendUploads ends the uploads that were begun too long ago.
func (s *Service) tendUploads(ctx context.Context, b *Bucket) error {
	for i := range b.Rules.Lifecycle {
		r := &b.Rules.Lifecycle[i]
		if r.Action.Type != ActionAbort {
			continue
		}
		before := s.now()
		if r.Condition.Age != nil {
			before = before.Add(-time.Duration(min(*r.Condition.Age, 100_000)) * day)
		}
		ids, err := s.store.OldUploads(ctx, before, maxAborts)
		if err != nil {
			return fmt.Errorf("lifecycle of %s: %w", b.Name, err)
		}
		for _, id := range ids {
			u, err := s.store.GetUpload(ctx, id)
			if err != nil || u.Object.Bucket != b.Name || u.Generation != 0 || !r.Condition.named(u.Object.Name) {
				continue
			}
			if err := s.abandon(ctx, id); err != nil && sunya.CodeOf(err) != sunya.NotFound {
				return err
			}
		}
	}
	return nil
}
