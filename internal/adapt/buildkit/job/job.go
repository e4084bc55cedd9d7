// Package job is what the server and the builder tell each other: a job as a
// JSON file, and events as JSON lines on the builder's standard output. What a
// user should see goes to its standard error.
package job

import "time"

// Where things are inside the builder's sandbox.
const (
	StateDir   = "/sunya/state"    // the project's cache, writable
	WorkDir    = "/sunya/work"     // the job, the source and the registry's socket, read-only
	Program    = "/sunya/builder"  // this program
	Launcher   = "/sunya/launcher" // the helper that starts steps
	JobFile    = WorkDir + "/job.json"
	SourceDir  = WorkDir + "/source"
	SocketFile = WorkDir + "/registry.sock"
)

// Job is one build.
type Job struct {
	ID    string
	Steps []Step
	// Images are pushed once every step has succeeded.
	Images []string
	// Filter is the system call filter of the steps' programs: a classic BPF
	// program, base64.
	Filter string
	// KeepBytes is up to which size the cache is kept between builds.
	KeepBytes int64
	// DiskBytes is what one build may write before it is ended; 0: no limit.
	DiskBytes int64
	// Single says that only one user id exists in the sandbox (level user).
	Single bool
	// Secrets are the values of --mount=type=secret, by id.
	Secrets map[string][]byte
}

// Step is one step. One of Build, Push, Tag and Run is set.
type Step struct {
	ID      string
	Timeout time.Duration // 0: the job's alone
	Build   *Build
	Push    []string
	Tag     *Tag
	Run     *Run
	// AllowFailure and AllowExitCodes let the build go on after the step.
	AllowFailure   bool
	AllowExitCodes []int
}

// Build is a Dockerfile build.
type Build struct {
	Context    string // below the workspace
	Dockerfile string // below the workspace; empty: Context/Dockerfile
	Tags       []string
	Args       map[string]string
	Labels     map[string]string
	Target     string
	Platform   string
	Network    string // "", default, none
	NoCache    bool
	AddHosts   []string // NAME:IP
}

// Tag gives an image another name.
type Tag struct{ From, To string }

// Run runs a container with the workspace at /workspace.
type Run struct {
	Image      string
	Entrypoint string
	Args       []string
	Script     string
	Env        []string
	Dir        string            // below the workspace
	Volumes    map[string]string // path to name
	Secrets    []string          // NAME of environment variables that Job.Secrets holds
}

// Event is one line of what happened. One of the fields is set.
type Event struct {
	Started  *Moment `json:",omitempty"` // a step begins
	Finished *Ended  `json:",omitempty"` // a step has ended
	Image    *Image  `json:",omitempty"` // an image was pushed
	Failed   *Failed `json:",omitempty"` // the build has ended badly; the last event
	Done     bool    `json:",omitempty"` // the build has ended well; the last event
}

// Moment names a step, counted from 0.
type Moment struct{ Step int }

// Ended is how a step ended.
type Ended struct {
	Step     int
	ExitCode int
	Digest   string // of the image that a Build made
	OK       bool
}

// Image is a pushed image.
type Image struct{ Name, Digest string }

// Failed says why a build failed.
type Failed struct {
	Step    int // -1: none
	Kind    Kind
	Message string // one sentence
	Detail  string // lines of the source, or the last lines of the step
}

// Kind says whose fault it was.
type Kind string

// The kinds.
const (
	KindUser     Kind = "user"     // the source's, or a step's
	KindDisk     Kind = "disk"     // more written than allowed
	KindTimeout  Kind = "timeout"  // a step's own timeout
	KindRefused  Kind = "refused"  // something that is not supported
	KindInternal Kind = "internal" // the builder's own
)
