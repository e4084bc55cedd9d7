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
	Runtime    string // python311
	EntryPoint string // name of the function in the source; empty: the function's own name
	// Unnamed says that EntryPoint is the function's own name for want of another:
	// a function named "function" will do too.
	Unnamed   bool
	Signature Signature // empty: as the source says
	Source    Source
	BuildEnv  map[string]string

	Env         map[string]string
	MemoryBytes int64
	CPUMillis   int
	Timeout     time.Duration
	Concurrency int
	Min, Max    int // instances
	Account     string
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
)

// State is google.cloud.functions.v2.Function.State.
type State string

// The states that a function has here.
const (
	Active    State = "ACTIVE"
	Failed    State = "FAILED"
	Deploying State = "DEPLOYING"
)

// Limits and defaults (Cloud Functions, second generation).
const (
	DefaultMemory      = 256 << 20
	minMemory          = 128 << 20
	maxMemory          = 32 << 30
	DefaultTimeout     = 60 * time.Second
	maxTimeout         = 3600 * time.Second
	DefaultConcurrency = 1
	maxConcurrency     = 1000
	DefaultMax         = 100
	maxInstances       = 1000
	port               = 8080
)

// complete fills in the defaults.
func (s *Spec) complete(k Key) {
	if s.MemoryBytes == 0 {
		s.MemoryBytes = DefaultMemory
	}
	if s.CPUMillis == 0 {
		s.CPUMillis = cpuFor(s.MemoryBytes)
	}
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if s.Concurrency == 0 {
		s.Concurrency = DefaultConcurrency
	}
	if s.Max == 0 {
		s.Max = DefaultMax
	}
	if s.EntryPoint == "" {
		s.EntryPoint, s.Unnamed = k.ID, true
	}
	if s.Account == "" {
		s.Account = DefaultAccount(k.Project)
	}
}

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

// cpuFor is the share of a core, in thousandths, that goes with an amount of
// memory ("Memory limits", Cloud Functions).
func cpuFor(memory int64) int {
	for _, step := range []struct {
		bytes  int64
		millis int
	}{{128 << 20, 83}, {256 << 20, 167}, {512 << 20, 333}, {1 << 30, 583}, {2 << 30, 1000}, {8 << 30, 2000}, {16 << 30, 4000}} {
		if memory <= step.bytes {
			return step.millis
		}
	}
	return 8000
}

// check holds for everything that the owner says.
func (s *Spec) check() error {
	const service = "function.service_config."
	switch {
	case s.MemoryBytes < minMemory || s.MemoryBytes > maxMemory:
		return sunya.Invalid(service+"available_memory", "%v is not allowed: use 128Mi to 32Gi", sunya.Bytes(s.MemoryBytes))
	case s.CPUMillis < 80 || s.CPUMillis > 8000:
		return sunya.Invalid(service+"available_cpu", "%d thousandths of a core are not allowed: use 0.08 to 8", s.CPUMillis)
	case s.Timeout < time.Second || s.Timeout > maxTimeout:
		return sunya.Invalid(service+"timeout_seconds", "%v is not allowed: use 1 to 3600 seconds", s.Timeout)
	case s.Concurrency < 1 || s.Concurrency > maxConcurrency:
		return sunya.Invalid(service+"max_instance_request_concurrency", "%d is not allowed: use 1 to %d", s.Concurrency, maxConcurrency)
	case s.Concurrency > 1 && s.CPUMillis < 1000:
		return sunya.Invalid(service+"max_instance_request_concurrency", "%d requests at once need a whole CPU: set available_cpu to 1 or more", s.Concurrency)
	case s.Min < 0 || s.Min > maxInstances:
		return sunya.Invalid(service+"min_instance_count", "%d is not allowed: use 0 to %d", s.Min, maxInstances)
	case s.Max < 1 || s.Max > maxInstances:
		return sunya.Invalid(service+"max_instance_count", "%d is not allowed: use 1 to %d", s.Max, maxInstances)
	case s.Min > s.Max:
		return sunya.Invalid(service+"min_instance_count", "%d is more than max_instance_count %d", s.Min, s.Max)
	case !s.Unnamed && !entryRE.MatchString(s.EntryPoint):
		return sunya.Invalid("function.build_config.entry_point", "%q is not the name of a function", s.EntryPoint)
	case !accountRE.MatchString(s.Account):
		return sunya.Invalid(service+"service_account_email", "%q is not the e-mail address of a service account", s.Account)
	}
	if err := checkReserved(service+"environment_variables", s.Env); err != nil {
		return err
	}
	if err := sunya.CheckEnv(service+"environment_variables", s.Env); err != nil {
		return err
	}
	return sunya.CheckEnv("function.build_config.environment_variables", s.BuildEnv)
}
