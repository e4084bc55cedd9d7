// Package job is what the server and the builder tell each other: a job as a
// JSON file, and events as JSON lines on the builder's standard output. What a
// user should see goes to its standard error.
package job

import "github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"

// Where things are inside the builder's sandbox.
const (
	StateDir   = "/sunya/state"    // the project's cache, writable
	WorkDir    = "/sunya/work"     // the job and the registry's socket, read-only
	SourceDir  = "/sunya/source"   // the source, read-only
	Program    = "/sunya/builder"  // this program
	Launcher   = "/sunya/launcher" // the helper that starts steps
	JobFile    = WorkDir + "/job.json"
	SocketFile = WorkDir + "/registry.sock"
)

// Job is one build with what the builder needs besides.
type Job struct {
	plan.Job
	// Filter is the system call filter of the steps' programs: a classic BPF
	// program, base64.
	Filter string
	// KeepBytes is up to which size the cache is kept between builds.
	KeepBytes int64
	// DiskBytes is what one build may write before it is ended; 0: no limit.
	DiskBytes int64
	// Env is given to steps whose image does not set the same. It is no part of
	// the image, nor of what a cached step is known by.
	Env map[string]string
	// Files are shown to steps beneath FilesDir, by name; Env names them.
	Files map[string][]byte
}

// FilesDir is where steps find Files.
const FilesDir = "/run/sunya"

// Event is one line. The last one has Failed or Done set.
type Event struct {
	plan.Event
	Failed *plan.Failure `json:",omitempty"` // the build has ended badly
	Done   bool          `json:",omitempty"` // the build has ended well
}
