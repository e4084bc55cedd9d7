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

// SetSplit replaces a service's split. The operation is done when it returns.
func (a *Admin) SetSplit(ctx context.Context, project, id string, s Split, warnings []string, user string) (*sunya.Operation, error) {
	shares, err := s.permille()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.checkService(ctx, project, id); err != nil {
		return nil, err
	}
	name := ServiceName(project, id)
	svc, ok := a.Catalog.Service(name)
	if !ok {
		return nil, sunya.Errorf(sunya.FailedPrecondition, name, "no version of the service is ready yet: wait for its deployment")
	}
	svc.Traffic = sunya.Traffic{ShardBy: s.ShardBy}
	for _, share := range shares {
		v, err := a.target(ctx, Key{Project: project, Service: id, ID: share.version})
		if err != nil {
			return nil, err
		}
		svc.Traffic.Targets = append(svc.Traffic.Targets, sunya.Target{Revision: v.Revision, Permille: share.permille})
	}
	if err := a.Catalog.Apply(ctx, serving.Change{PutServices: []sunya.Service{svc}}); err != nil {
		return nil, err
	}
	op := a.operation(project, "Services.UpdateService", name, user)
	op.Warnings = warnings
	return a.finished(ctx, op)
}

// target returns a version that can get traffic.
func (a *Admin) target(ctx context.Context, k Key) (*Version, error) {
	const field = "service.split.allocations"
	if err := CheckVersion(k.ID); err != nil {
		return nil, inField(field, err)
	}
	v, err := a.stored(ctx, k)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, sunya.Invalid(field, "version %q of service %q does not exist", k.ID, k.Service)
	case v.Revision == "":
		return nil, &sunya.Error{Code: sunya.FailedPrecondition, Resource: k.Name(), Field: field, Message: "the version is not ready yet: wait for its deployment"}
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
