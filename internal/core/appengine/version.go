package appengine

import "time"

// Version is one deployed version of a service: what the API keeps about it
// and what it became in the serving core.
type Version struct {
	Key

	Runtime       string            // python311
	Entrypoint    string            // the user's shell line, or empty for the runtime's default
	Env           map[string]string // env_variables
	BuildEnv      map[string]string // build_env_variables
	InstanceClass string            // F1
	Scaling       Scaling
	WarmUp        bool   // inbound_services: warmup
	Account       string // service_account, or empty for the application's own
	DiskBytes     int64  // size of the deployed files

	ServingStatus ServingStatus
	CreatedBy     string // who asked: an e-mail address
	CreateTime    time.Time

	// Revision is the core revision that serves, empty until one does. While
	// a version is deployed again, it and all other fields describe what
	// serves, not what comes.
	Revision string
	// Deployment is the id of the deployment in progress, else empty.
	Deployment string

	// Document is the API's own JSON of everything that was sent, so that what
	// this server does not understand is stored and returned too.
	Document []byte
}

// ServingStatus is the API's wish for a version.
type ServingStatus string

// The serving statuses of google.appengine.v1.ServingStatus.
const (
	StatusServing ServingStatus = "SERVING"
	StatusStopped ServingStatus = "STOPPED"
)

// Scaling is app.yaml's scaling block. At most one of Automatic, Basic and
// Manual is set; none stands for automatic scaling with its defaults.
type Scaling struct {
	Automatic *AutomaticScaling
	Basic     *BasicScaling
	Manual    *ManualScaling
}

// AutomaticScaling follows the requests. Zero values stand for defaults.
type AutomaticScaling struct {
	MinInstances                int
	MaxInstances                int // 0: the platform's default; the API's 2147483647 too
	MinIdleInstances            int
	MaxIdleInstances            int
	MaxConcurrentRequests       int
	MinPendingLatency           time.Duration
	MaxPendingLatency           time.Duration
	TargetThroughputUtilization float64
	TargetCPUUtilization        float64 // kept, without effect
}

// BasicScaling starts instances for requests and stops them when idle.
type BasicScaling struct {
	MaxInstances int
	IdleTimeout  time.Duration
}

// ManualScaling keeps a fixed number of instances.
type ManualScaling struct {
	Instances int
}
