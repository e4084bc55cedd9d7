package run

import (
	"time"

	"github.com/sunya-cloud/sunya"
)

// Service is what was asked for and what it became.
type Service struct {
	Key
	Spec // as it is to be, from the moment it was asked for

	UID string
	// Generation counts the changes of the Spec; Observed is the one that the
	// platform has carried out, or failed to.
	Generation int64
	Observed   int64

	Number  int    // of revisions that there ever were
	Created string // short name of the newest revision, whatever became of it
	Ready   string // short name of the newest revision that became ready; empty: none did
	// Served is the split as it is in effect, with every revision named.
	Served []Target

	Host string // label under which it answers, whether or not it is disabled
	// Deployment is the id of the change in progress, else empty; Build is that
	// of the last deployment of a revision.
	Deployment string
	Build      string
	Conditions []Condition // ConditionReady first
	Warnings   []string    // about what was asked for last and has no effect

	Invokers []string // members that may call it: allUsers, serviceAccount:…

	Creator    string // e-mail address, or empty
	Modifier   string
	CreateTime time.Time
	UpdateTime time.Time
	DeleteTime time.Time // only in the answer to a deletion
}

// Spec is what the owner of a service says about it.
type Spec struct {
	Template Template
	Traffic  []Target // empty: everything to the latest

	Description string
	Labels      map[string]string
	Annotations map[string]string
	Client      string
	Version     string // of Client

	Ingress         Ingress
	Open            bool // whoever calls is not asked who he is (invokerIamDisabled)
	DefaultURLOff   bool // no host of the platform leads to it
	CustomAudiences []string
	Scaling         Scaling

	// Document is the JSON of the google.cloud.run.v2.Service that was sent,
	// completed and without Template, so that what this server does not
	// understand is stored and returned too.
	Document []byte
}

// Scaling bounds the instances of all revisions together.
type Scaling struct {
	Min    int
	Max    int  // 0: what the revisions say
	Manual *int // always so many, whatever the demand; nil: by demand
}

// core is the bounds that the core keeps.
func (s Scaling) core() *sunya.Bounds {
	switch {
	case s.Manual != nil:
		return &sunya.Bounds{Min: *s.Manual, Max: *s.Manual, Limited: true}
	case s.Min > 0 || s.Max > 0:
		return &sunya.Bounds{Min: s.Min, Max: s.Max, Limited: s.Max > 0}
	}
	return nil
}

// Ingress is from where a service may be called. It is stored in full; the core
// knows inside and outside.
type Ingress string

// The ingress settings of google.cloud.run.v2.IngressTraffic.
const (
	IngressAll          Ingress = "all"
	IngressInternal     Ingress = "internal"
	IngressLoadBalancer Ingress = "internal-and-cloud-load-balancing" // as IngressInternal: load balancers are outside
	IngressNone         Ingress = "none"
)

// Core is what the gateway holds to.
func (i Ingress) Core() sunya.Ingress {
	switch i {
	case IngressAll, "":
		return sunya.IngressAll
	case IngressNone:
		return sunya.IngressNone
	}
	return sunya.IngressInternal
}

// Target is a share of the traffic.
type Target struct {
	Latest   bool   // the newest revision that is ready, whichever that is
	Revision string // short name, when not Latest; in Served always
	Percent  int
	Tag      string // gives it a host of its own; empty: none
}

// Template is what a revision is made of.
type Template struct {
	Revision    string // short name for the revision; empty: one is made up
	Labels      map[string]string
	Annotations map[string]string

	// Containers are the programs: one has a Port.
	Containers []Container
	Volumes    []sunya.Volume

	Min, Max    int // instances
	Timeout     time.Duration
	Account     string // service account
	Concurrency int
	Affinity    bool
	Unchecked   bool // no instance is started to prove a revision (healthCheckDisabled)
	Generation2 bool // asked for by name (executionEnvironment)

	// Document is the JSON of the google.cloud.run.v2.RevisionTemplate that was
	// sent, completed and in one canonical form: templates are the same when
	// their documents are.
	Document []byte
}

// Container is a program of a revision or of a task of a job.
type Container struct {
	// Container is as the core knows it, without Image and Command, which follow
	// from From when the image is there.
	sunya.Container
	From     sunya.ImageSpec
	Port     int // of the container that answers requests; 0: it does not
	Protocol sunya.Protocol
	AlwaysOn bool // its CPU is not taken away between requests (cpuIdle false)
}

// Revision is one of a service, which outlives what it is in the serving core: a
// revision that failed is still shown.
type Revision struct {
	Service    Key
	ID         string // short name
	UID        string
	Generation int64 // of the service that made it
	Template   Template
	Digests    map[string]string // container name to the digest of the image's manifest
	Build      string            // id of its deployment
	Conditions []Condition       // ConditionReady first
	Creator    string
	CreateTime time.Time
	UpdateTime time.Time
}

// Name returns the resource name.
func (r *Revision) Name() string { return r.Service.RevisionName(r.ID) }

// IsReady reports whether the revision can have traffic.
func (r *Revision) IsReady() bool { return stateOf(r.Conditions) == True }
