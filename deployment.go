package sunya

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"
)

// Deployment is the resumable work from source to a revision that serves. Each
// step is idempotent and recorded before the next begins, so that a killed
// server continues where it was:
//
//	building -> starting -> routing -> done
//	    |           |          |
//	    +-----------+----------+----> failed
//
// A revision whose image exists already begins at starting. A gradual change of
// traffic is a deployment without a revision: migrating -> done or failed.
type Deployment struct {
	ID        string // also the id of its build log
	Operation string // Operation.Name
	Step      Step
	Source    Source
	Static    []StaticSource // which files of Source the gateway serves itself
	Build     BuildSpec
	Revision  Revision // without Image and, unless given, without Command until it is built
	Unproven  bool     `json:",omitempty"` // no instance is started to prove the revision

	// Traffic, when not nil, becomes the service's split once the revision is
	// ready; when migrating, its Goal is where the split goes. Replaces, when
	// set, names a revision whose place the new one takes in the existing split
	// and hosts.
	Traffic  *Traffic
	Replaces string
	Hosts    []Host
	Takes    []string `json:",omitempty"` // labels of Hosts that another service gives up in the same moment
	// Access is who may call the service, if it is new, and Ingress from where.
	Access  Access
	Ingress Ingress `json:",omitempty"`

	// Document is the product's own record, opaque to the core; the product's
	// hooks read it when the deployment ends.
	Document json.RawMessage

	CreateTime time.Time
}

// Step is where a Deployment is.
type Step string

// The steps of a deployment.
const (
	StepBuilding  Step = "building"
	StepStarting  Step = "starting"
	StepRouting   Step = "routing"
	StepMigrating Step = "migrating"
	StepDone      Step = "done"
	StepFailed    Step = "failed"
)

// Source is a tree of files, each an object in a bucket.
type Source struct {
	Files []SourceFile
	// Archive, when set, is a bucket/object holding a zip or tar.gz instead.
	Archive string
}

// SourceFile is one file of a Source.
type SourceFile struct {
	Path   string // slash-separated, relative, clean: never absolute, never with ..
	Bucket string
	Object string
	SHA1   string // hex; checked when the file is written out
	Mode   uint32 // permission bits; 0 stands for 0644
}

// BuildSpec says how a Source becomes an Image.
type BuildSpec struct {
	Runtime    string // python311
	Entrypoint string // shell line of the user, or empty for the runtime's default
	Env        map[string]string
	Timeout    time.Duration
	Function   *FunctionSpec // the source is a function, not a program

	// Images, when set, are the container images of the revision, instead of a
	// source: each under its ContainerName, "" for the only one.
	Images map[string]ImageSpec `json:",omitempty"`
}

// ImageSpec is a container image and what of its configuration is replaced.
type ImageSpec struct {
	Reference string   // gcr.io/sunya/hello:v1, hello@sha256:<hex>
	Command   []string // instead of ENTRYPOINT; CMD is dropped then, too
	Args      []string // instead of CMD
}

// FunctionSpec names the function of a source that is to answer requests.
type FunctionSpec struct {
	Target    string // name of the function
	Fallback  string // the name that is taken when the source surely has no Target; empty: none
	Signature string // http or cloudevent; empty: as the source says, else http
}

// DeploymentIDs gives out the ids of deployments: decimal numbers that only
// grow, since App Engine tells programs theirs as a number (GAE_DEPLOYMENT_ID).
// It is safe for concurrent use.
type DeploymentIDs struct {
	mu   sync.Mutex
	last int64
}

// Next returns a new id.
func (d *DeploymentIDs) Next(now time.Time) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = max(d.last+1, now.UnixMicro())
	return strconv.FormatInt(d.last, 10)
}

// ShortID is a deployment's id in base 36, which fits into names that are
// bounded, such as those of cgroups.
func ShortID(deployment string) string {
	n, err := strconv.ParseInt(deployment, 10, 64)
	if err != nil {
		return deployment
	}
	return strconv.FormatInt(n, 36)
}
