package sunya

import (
	"slices"
	"time"
)

// Service is what gets a name and a URL.
type Service struct {
	Name    string // the product's own resource name, such as apps/sunya/services/default
	Project string
	Product Product
	Traffic Traffic
	// Dispatch sends requests for the project's own host, whose label is the
	// project's id, from this service to others of the project.
	Dispatch   []DispatchRule
	Access     Access
	Ingress    Ingress `json:",omitempty"`
	Scaling    *Bounds `json:",omitempty"` // of all its revisions together; nil: theirs alone
	UIDRange   int     // which range of 65,536 host uids its sandboxes run in; given by the store, never reused for another project
	Generation int64   // +1 with every change
	CreateTime time.Time
	UpdateTime time.Time
}

// BuildRanges is how many ranges of host uids are kept for builds, from 0 on.
// Services get the ranges above LayersRange, so that no build ever shares a user
// with an instance.
const BuildRanges = 15

// LayersRange is the range of host uids to which the files of unpacked container
// images belong: uid n of an image is the nth of this range.
const LayersRange = 15

// Bounds is how many instances there are at least and at most.
type Bounds struct {
	Min     int
	Max     int
	Limited bool // Max holds; else there is none
}

// Product names the public API through which a service was described. The core
// only hands it through, so that the product's own rules (request headers, log
// resource) can be found again.
type Product string

// The products.
const (
	AppEngine      Product = "appengine"
	CloudRun       Product = "run"
	CloudFunctions Product = "functions"
)

// Traffic is a split over revisions. The zero value serves nothing.
type Traffic struct {
	ShardBy ShardBy
	Targets []Target

	// Order divides the clients among the revisions: the first share has the
	// first clients. A revision may have several shares in it; together they are
	// its target. Empty: the order of Targets. It exists so that a client changes
	// its revision only where the targets demand it.
	Order []Target `json:",omitempty"`
	// Goal is the split that a gradual change is on its way to, else empty.
	Goal []Target `json:",omitempty"`
	// GoalOf is the Deployment.ID of that change, also when it has arrived; empty
	// once the split was set in another way.
	GoalOf string `json:",omitempty"`
	// Stopped names revisions that keep their hosts and shares, and serve nothing.
	Stopped []string `json:",omitempty"`
}

// Replace returns the traffic with another revision in the place of one; the
// new one is not stopped.
func (t Traffic) Replace(from, to string) Traffic {
	t.Targets = renamed(t.Targets, from, to)
	t.Order = renamed(t.Order, from, to)
	t.Goal = renamed(t.Goal, from, to)
	t.Stopped = slices.DeleteFunc(slices.Clone(t.Stopped), func(name string) bool { return name == from })
	return t
}

func renamed(targets []Target, from, to string) []Target {
	targets = slices.Clone(targets)
	for i := range targets {
		if targets[i].Revision == from {
			targets[i].Revision = to
		}
	}
	return targets
}

// ShardBy says what keeps a client on one revision.
type ShardBy string

// What a split can be sharded by.
const (
	ShardByRandom ShardBy = "random"
	ShardByIP     ShardBy = "ip"
	ShardByCookie ShardBy = "cookie"
)

// Target is the share of one revision.
type Target struct {
	Revision string // Revision.Name
	Permille int    // 0 to 1000; the targets of a split sum to 1000
}

// Host is a name under which the gateway finds a service.
type Host struct {
	Label    string // the part in front of the domain, lower case: hello, v1-dot-hello
	Service  string // Service.Name
	Revision string // Revision.Name when the host addresses one revision, else empty: the split decides
}

// Access says who may call a service. The zero value lets everybody in.
type Access struct {
	Private  bool     `json:"private,omitempty"`
	Invokers []string `json:"invokers,omitempty"` // members, when Private: allUsers, allAuthenticatedUsers, serviceAccount:EMAIL, user:EMAIL
	// Audiences are what a token may be for besides the service's URLs.
	Audiences []string `json:"audiences,omitempty"`
}

// AllUsers is the member that stands for everybody.
const AllUsers = "allUsers"

// Open reports whether a service asks nobody who he is.
func (a Access) Open() bool { return !a.Private || slices.Contains(a.Invokers, AllUsers) }

// Admits reports whether an account, known by its e-mail address, may call.
func (a Access) Admits(email string) bool {
	return a.Open() || email != "" && (slices.Contains(a.Invokers, "allAuthenticatedUsers") ||
		slices.Contains(a.Invokers, "serviceAccount:"+email) || slices.Contains(a.Invokers, "user:"+email))
}
