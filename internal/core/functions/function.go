package functions

import (
	"time"

	"github.com/sunya-cloud/sunya"
)

// Function is one function: what was asked for, and what it became.
type Function struct {
	Key
	Spec

	State    State
	Messages []string // why it is not active, for people

	// Revision is the core revision that serves, empty until one does; Number
	// counts the revisions that there were. While a function is deployed again
	// they and Spec describe what serves, not what comes.
	Revision string
	Number   int
	Host     string // label under which it answers
	// Deployment is the id of the deployment in progress, else empty; Build is
	// that of the last one.
	Deployment string
	Build      string

	Invokers   []string // members that may call it: allUsers, serviceAccount:…
	CreateTime time.Time
	UpdateTime time.Time
}

// Spec is what the owner of a function says about it.
type Spec struct {
	// FirstGen says that the function is of the first generation: other limits,
	// other defaults, one request at a time.
	FirstGen bool `json:",omitempty"`

	Runtime    string // python311
	EntryPoint string // name of the function in the source; empty: the function's own name
	// Unnamed says that EntryPoint is the function's own name for want of another:
	// a function named "function" will do too.
	Unnamed   bool
	Signature Signature // empty: as the source says
	Source    Source
	BuildEnv  map[string]string
	// Event says which events the function runs for; nil: for requests.
	Event *EventTrigger `json:",omitempty"`

	Env         map[string]string
	MemoryBytes int64
	CPUMillis   int
	Timeout     time.Duration
	Concurrency int
	Min, Max    int // instances
	Account     string
	Ingress     sunya.Ingress `json:",omitempty"`
	Labels      map[string]string
	Description string

	// Document is the API's own JSON of everything that was sent, so that what
	// this server does not understand is stored and returned too.
	Document []byte
}

// Source is an archive in a bucket.
type Source struct {
	Bucket string
	Object string
}

func (s Source) path() string { return s.Bucket + "/" + s.Object }

// Signature is how a function is called.
type Signature string

// The signatures of the functions frameworks.
const (
	HTTP       Signature = "http"
	CloudEvent Signature = "cloudevent"
	Event      Signature = "event" // a background function of the first generation
)

// State is google.cloud.functions.v2.Function.State.
type State string

// The states that a function has here.
const (
	Active    State = "ACTIVE"
	Failed    State = "FAILED"
	Deploying State = "DEPLOYING"
)

// anyFunction is what a function is called whose name nobody gave.
const anyFunction = "function"

// target says which function of the source is to be built.
func (s *Spec) target() *sunya.FunctionSpec {
	t := &sunya.FunctionSpec{Target: s.EntryPoint, Signature: string(s.Signature)}
	if s.Unnamed {
		t.Fallback = anyFunction
	}
	return t
}
