// Package plan is what a builder of images is asked to do, and what it tells
// meanwhile: the words between core/cloudbuild and whoever builds.
package plan

import (
	"context"
	"io"
	"time"
)

// Engine builds container images. It is safe for concurrent use.
type Engine interface {
	// Build carries a job out. log gets what the user should see, tell what
	// happened, in order. An error whose cause is the user's is a *Failure; ctx
	// ends everything at once, and nothing is left of it.
	Build(ctx context.Context, j Job, log io.Writer, tell func(Event)) error
}

// Job is one build.
type Job struct {
	ID      string
	Project string
	Source  string // directory with the source, only read
	Steps   []Step
	Images  []string          // pushed once every step has succeeded
	Secrets map[string][]byte // values by id, for steps that name them
}

// Step is one step. One of Build, Push, Tag and Run is set.
type Step struct {
	Timeout time.Duration // 0: the job's alone
	Build   *Build        `json:",omitempty"`
	Push    []string      `json:",omitempty"`
	Tag     *Tag          `json:",omitempty"`
	Run     *Run          `json:",omitempty"`
	// AllowFailure and AllowExitCodes let the job go on after the step.
	AllowFailure   bool  `json:",omitempty"`
	AllowExitCodes []int `json:",omitempty"`
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
	Env        []string          // NAME=value
	Dir        string            // below the workspace
	Volumes    map[string]string // path inside to name
	Secrets    []string          // names of variables whose values Job.Secrets holds
}

// Event is one thing that happened. One of the fields is set.
type Event struct {
	Started  *Moment `json:",omitempty"` // a step begins
	Finished *Ended  `json:",omitempty"` // a step has ended
	Pushed   *Image  `json:",omitempty"`
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

// Failure is why a job failed, in words for its user.
type Failure struct {
	Step    int // -1: none
	Kind    Kind
	Message string // one sentence
	Detail  string // the lines of the source that it is about
}

// Error implements error.
func (f *Failure) Error() string { return f.Message }

// Kind says what ended a job.
type Kind string

// The kinds.
const (
	KindStep    Kind = "step"    // the source, or a step that failed
	KindMemory  Kind = "memory"  // more memory needed than there is
	KindDisk    Kind = "disk"    // more written than allowed
	KindTimeout Kind = "timeout" // a step's own timeout
	KindRefused Kind = "refused" // something that is not supported
)
