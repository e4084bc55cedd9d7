package appengine

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Split is how a service's traffic is shared out over versions.
type Split struct {
	ShardBy     sunya.ShardBy
	Allocations map[string]float64 // version id: share, 0 to 1
}

func splitOf(t sunya.Traffic) Split {
	s := Split{ShardBy: t.ShardBy, Allocations: map[string]float64{}}
	for _, target := range t.Targets {
		s.Allocations[versionOf(target.Revision)] += float64(target.Permille) / 1000
	}
	return s
}

// SplitChange makes the split that a client wants of the present one.
type SplitChange func(now Split) (Split, error)

// SetSplit replaces a service's split at once. The operation is done when it
// returns. A gradual change that is under way ends where it is.
func (a *Admin) SetSplit(ctx context.Context, project, id string, change SplitChange, user string) (*sunya.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next, err := a.planSplit(ctx, project, id, change)
	if err != nil {
		return nil, err
	}
	name := ServiceName(project, id)
	if err := a.setSplit(ctx, next, name); err != nil {
		return nil, err
	}
	return a.finished(ctx, a.operation(project, "Services.UpdateService", name, user))
}

func (a *Admin) setSplit(ctx context.Context, next newSplit, service string) error {
	return a.Catalog.Update(ctx, service, func(svc sunya.Service) (serving.Change, error) {
		svc.Traffic = serving.Divide(svc.Traffic, next.shares())
		svc.Traffic.Goal, svc.Traffic.GoalOf, svc.Traffic.ShardBy = nil, "", next.shardBy
		return serving.Change{PutServices: []sunya.Service{svc}}, nil
	})
}

// newSplit is a split that was found to be possible.
type newSplit struct {
	now      sunya.Traffic
	shardBy  sunya.ShardBy
	versions []target
}

type target struct {
	*Version
	permille int
}

func (s newSplit) shares() []sunya.Target {
	var out []sunya.Target
	for _, t := range s.versions {
		out = append(out, sunya.Target{Revision: t.Revision, Permille: t.permille})
	}
	return out
}

// planSplit checks the split that a client wants. The caller holds mu.
func (a *Admin) planSplit(ctx context.Context, project, id string, change SplitChange) (next newSplit, err error) {
	if err := a.checkService(ctx, project, id); err != nil {
		return next, err
	}
	svc, ok := a.Catalog.Service(ServiceName(project, id))
	if !ok {
		return next, sunya.Errorf(sunya.FailedPrecondition, ServiceName(project, id), "no version of the service is ready yet: wait for its deployment")
	}
	split, err := change(splitOf(svc.Traffic))
	if err != nil {
		return next, err
	}
	shares, err := split.permille()
	if err != nil {
		return next, err
	}
	next.now, next.shardBy = svc.Traffic, split.ShardBy
	for _, share := range shares {
		v, err := a.target(ctx, Key{Project: project, Service: id, ID: share.version})
		if err != nil {
			return next, err
		}
		next.versions = append(next.versions, target{v, share.permille})
	}
	return next, nil
}

// target returns a version that can get traffic.
func (a *Admin) target(ctx context.Context, k Key) (*Version, error) {
	const field = "service.split.allocations"
	if err := CheckVersion(k.ID); err != nil {
		return nil, sunya.InField(field, err)
	}
	v, err := a.stored(ctx, k)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, sunya.Invalid(field, "version %q of service %q does not exist", k.ID, k.Service)
	case v.Revision == "":
		return nil, &sunya.Error{Code: sunya.FailedPrecondition, Resource: k.Name(), Field: field, Message: "the version is not ready yet: wait for its deployment"}
	case v.ServingStatus == StatusStopped:
		return nil, &sunya.Error{Code: sunya.FailedPrecondition, Resource: k.Name(), Field: field, Message: "the version is stopped: start it first"}
	}
	return v, nil
}

type share struct {
	version  string
	permille int
	rest     float64 // what rounding down left
}

// permille turns shares into thousandths that sum to 1000. The API allows two
// decimals by IP and three by cookie; what a random split has more of is
// rounded to the largest remainders.
func (s Split) permille() ([]share, error) {
	const field = "service.split.allocations"
	var out []share
	sum, whole := 0.0, 0
	for version, f := range s.Allocations {
		if !(f >= 0 && f <= 1) {
			return nil, sunya.Invalid(field, "the share of %q must be 0 to 1, not %v", version, f)
		}
		if err := s.checkDecimals(version, f); err != nil {
			return nil, err
		}
		if f == 0 {
			continue
		}
		sum += f
		n := int(math.Floor(f*1000 + 1e-6))
		whole += n
		out = append(out, share{version, n, f*1000 - float64(n)})
	}
	if math.Abs(sum-1) > 1e-4 {
		return nil, sunya.Invalid(field, "the shares sum to %v: they must sum to 1", sum)
	}
	slices.SortFunc(out, func(x, y share) int {
		return cmp.Or(cmp.Compare(y.rest, x.rest), cmp.Compare(x.version, y.version))
	})
	for i := 0; whole < 1000; i, whole = (i+1)%len(out), whole+1 {
		out[i].permille++
	}
	slices.SortFunc(out, func(x, y share) int { return cmp.Compare(x.version, y.version) })
	return out, nil
}

// checkDecimals holds for TrafficSplit.allocations: "up to two decimal place
// precision for IP-based splits and up to three decimal places for
// cookie-based splits".
func (s Split) checkDecimals(version string, f float64) error {
	places := map[sunya.ShardBy]int{sunya.ShardByIP: 2, sunya.ShardByCookie: 3}[s.ShardBy]
	if places == 0 {
		return nil
	}
	scaled := f * math.Pow10(places)
	if math.Abs(scaled-math.Round(scaled)) > 1e-6 {
		return sunya.Invalid("service.split.allocations", "the share of %q has more than %d decimals: %v", version, places, f)
	}
	return nil
}
