package cloudbuild

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Build is one build (google.devtools.cloudbuild.v1.Build).
type Build struct {
	ID       string // UUID
	Project  string
	Location string // "global" where nobody said

	Source   *Source
	Steps    []Step
	Images   []string
	Tags     []string
	Timeout  time.Duration
	QueueTTL time.Duration

	Substitutions map[string]string // the user's own and the standard ones
	Secrets       map[string][]byte `json:"-"`

	Status     Status
	Detail     string // why, in one sentence
	Failure    FailureType
	Results    []Image
	StepImages []string // digest of what each step has made, or ""
	CreateTime time.Time
	StartTime  time.Time
	FinishTime time.Time

	// LogsBucket is where the log is kept, as log-ID.txt: bucket or
	// bucket/prefix.
	LogsBucket string
	Operation  string // its name
	Canceled   bool   // the end was asked for
	// Document is the build as it was sent, for what of it says nothing here.
	Document []byte
}

// Name is the resource name.
func (b *Build) Name() string { return Name(b.Project, b.Location, b.ID) }

// Name returns the name of a build.
func Name(project, location, id string) string {
	return sunya.LocationName(project, location) + "/builds/" + id
}

// Global is the location of builds that name none.
const Global = "global"

// Source is an archive in a bucket.
type Source struct {
	Bucket, Object string
	Generation     int64
}

// Step is one step of a build.
type Step struct {
	ID         string
	Name       string // the image of the container
	Entrypoint string
	Args       []string
	Script     string
	Env        []string // NAME=value
	SecretEnv  []string
	Dir        string
	WaitFor    []string
	Timeout    time.Duration
	Volumes    []Volume

	AllowFailure   bool
	AllowExitCodes []int

	Status     Status
	ExitCode   int
	StartTime  time.Time
	FinishTime time.Time
}

// Volume is a directory that steps share.
type Volume struct{ Name, Path string }

// Image is a pushed image.
type Image struct{ Name, Digest string }

// Status is where a build or a step is, as the API spells it.
type Status string

// The states.
const (
	Queued        Status = "QUEUED"
	Working       Status = "WORKING"
	Success       Status = "SUCCESS"
	Failure       Status = "FAILURE"
	InternalError Status = "INTERNAL_ERROR"
	Timeout       Status = "TIMEOUT"
	Cancelled     Status = "CANCELLED"
	Expired       Status = "EXPIRED"
)

// Done reports whether nothing will change any more.
func (s Status) Done() bool { return s != "" && s != Queued && s != Working }

// FailureType is Build.FailureInfo.type.
type FailureType string

// The types.
const (
	UserStep    FailureType = "USER_BUILD_STEP"
	PushFailed  FailureType = "PUSH_FAILED"
	FetchSource FailureType = "FETCH_SOURCE_FAILED"
)

// Store keeps builds. Writes are durable when a method returns.
type Store interface {
	// BeginBuild stores a new build with its operation.
	BeginBuild(ctx context.Context, b *Build, op *sunya.Operation) error
	GetBuild(ctx context.Context, project, id string) (*Build, error) // NotFound
	// ListBuilds returns builds of a project, the newest first, of one location
	// or of all, those older than the build with the id after.
	ListBuilds(ctx context.Context, project, location, after string, limit int) ([]Build, error)
	// UpdateBuild reads, changes and writes one build as one atomic step, and
	// with it its operation, when op is not nil. change may be called again and
	// must not block; its error is returned and nothing is written. NotFound.
	UpdateBuild(ctx context.Context, project, id string, change func(*Build) error, op func(*Build, *sunya.Operation)) (*Build, error)
	// UnfinishedBuilds returns those that are not done, the oldest first.
	UnfinishedBuilds(ctx context.Context) ([]Build, error)
}
