package sunya

import "time"

// Revision is an immutable, runnable version of a Service.
type Revision struct {
	Name    string // unique for ever: the service's name, a slash, the revision's own id
	ID      string // short, [a-z0-9-], unique on this platform: cgroups and sandboxes are named after it
	Service string // Service.Name
	Project string
	Product Product

	// Labels are the monitored-resource labels of its log entries, in the
	// product's own terms (App Engine: project_id, module_id, version_id).
	Labels map[string]string

	// Container is the one that answers requests.
	Container
	Sidecars []Container `json:",omitempty"`
	Volumes  []Volume    `json:",omitempty"`

	Port     int      // $PORT
	Protocol Protocol `json:",omitempty"`

	// Affinity keeps a client on one instance while there is room in it.
	Affinity bool `json:",omitempty"`

	Concurrency int // requests that one instance may have in flight; 1 to 1000
	// ServiceAccount is whose tokens an instance gets: an e-mail address.
	// Empty: it gets none.
	ServiceAccount string
	Scaling        Scaling
	Lifecycle      Lifecycle

	// Site is the digest of the layer that holds the revision's static files,
	// in the form of core/static. Empty: there are none.
	Site       string
	Rules      []Rule      // what answers a request; none: the program
	ErrorPages []ErrorPage // at most one for each kind

	RequestTimeout time.Duration // from first byte in to last byte out
	StartTimeout   time.Duration // from process start to listening

	CreateTime time.Time
}

// Scaling bounds the number of instances.
type Scaling struct {
	Min        int           // kept ready while it has traffic, never stopped for idleness
	Max        int           // 0: the platform's default
	Idle       time.Duration // from the last request to stop; 0: the platform's default
	TargetUtil float64       // share of Concurrency at which another instance is wanted; 0: 1
	NoFreeze   bool          // basic and manual scaling, CPU always allocated

	MinIdle    int           // kept ready besides the busy ones
	MaxIdle    int           // more than these besides the busy ones are stopped soon; 0: no limit
	MinPending time.Duration // how long a request waits for a slot before another instance is started for it
	MaxPending time.Duration // after which that is done whatever is foreseen; 0: as long as a start takes
	Always     bool          // Min holds for a revision without traffic, too
}

// Lifecycle is the requests that the platform itself makes to an instance. A
// request without a path is not made.
type Lifecycle struct {
	Start  Call // before any other request; the instance ends when it is not answered well
	WarmUp Call // before an instance that no request waits for gets its first one; whatever comes of it
	Stop   Call // before SIGTERM; whatever comes of it
}

// Call is a GET request. An answer of 2xx is a good one.
type Call struct {
	Path   string
	Host   string
	Header map[string]string
	Accept []int // statuses besides 2xx that are good, too
}

// EnvVar is one environment variable of an instance.
type EnvVar struct {
	Name  string
	Value string
	// Field, when set, is filled in per instance instead of Value.
	Field string // FieldInstanceID, FieldMemoryMB
}

// FieldInstanceID is the EnvVar.Field for the instance's own id.
const FieldInstanceID = "instance.id"

// FieldMemoryMB is the EnvVar.Field for the instance's memory, in MiB.
const FieldMemoryMB = "memory.mb"

// Image is what a sandbox's file system is made of.
type Image struct {
	Stack     Stack
	Layers    []Layer
	HostPaths []string // host stack: directories of this machine shown read-only at their own path, besides the standard ones
	// Fingerprint identifies the machine's runtime that a host-stack image was
	// built on. A start refuses when it no longer matches.
	Fingerprint string
	Runtime     string // what was chosen, for people: "Python 3.11.7"

	// Reference and Digest say which container image it is: gcr.io/sunya/hello:v1,
	// and the sha256:<hex> of its manifest (of the platform's, not of an index).
	Reference string `json:",omitempty"`
	Digest    string `json:",omitempty"`
}

// Stack says what an image stands on.
type Stack string

// The stacks.
const (
	HostStack      Stack = "host"      // this machine's own runtimes, read-only
	ContainerStack Stack = "container" // nothing: the layers are the whole file system, the lowest first
)

// Layer is an unpacked, read-only, content-addressed directory.
type Layer struct {
	Digest string // sha256:<hex> over its canonical listing; of a container image: over its uncompressed tar (diff id)
	Target string // where it is mounted inside the sandbox; "/" for those of a container image, which lie on each other
	Bytes  int64
}

// Instance is one running sandbox of a revision, as seen from outside.
type Instance struct {
	ID        string
	Revision  string
	State     InstanceState
	StartTime time.Time
	InFlight  int
	// Start is how it came to its program, where the revision asks for a template:
	// "template", "boot", or "boot: " and why.
	Start string
}

// InstanceState is where an instance is in its life:
//
//	starting -> ready <-> frozen
//	    |         |         |
//	    v         v         v
//	 stopped <- draining <--+
type InstanceState string

// The states of an instance.
const (
	InstanceStarting InstanceState = "starting"
	InstanceReady    InstanceState = "ready"
	InstanceFrozen   InstanceState = "frozen"
	InstanceDraining InstanceState = "draining"
	InstanceStopped  InstanceState = "stopped"
)

// HasProgram reports whether any request can get to the revision's program. One
// that is all static files is neither built nor started.
func (r *Revision) HasProgram() bool {
	for _, rule := range r.Rules {
		if rule.Static == nil {
			return true
		}
	}
	return len(r.Rules) == 0
}
