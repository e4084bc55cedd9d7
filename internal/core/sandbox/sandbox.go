// Package sandbox is the contract between what runs user code (instances,
// builds) and what isolates it. It names no operating-system mechanism.
package sandbox

import (
	"context"
	"io"
	"net"
	"time"
)

// Engine starts sandboxes. Implementations are safe for concurrent use.
type Engine interface {
	// Start returns once the process exists, not once it listens. The caller
	// owns the result and must Stop it. Unavailable means "try again".
	Start(ctx context.Context, spec Spec) (Sandbox, error)
	// Adopt returns the sandboxes that an earlier server left, those that have
	// ended since among them. It is called once, before the first Start; whoever
	// calls it hands them out by their Kind.
	Adopt(ctx context.Context) ([]Sandbox, error)
	// Report says what isolation is in force and what is missing.
	Report() Report
}

// Sandbox is one isolated process tree. Its methods are safe for concurrent
// use.
type Sandbox interface {
	Spec() Spec
	StartTime() time.Time
	// Ready returns nil once something in the sandbox listens on Spec.Port,
	// and an error that explains itself when the process exits first or when
	// ctx ends ("listens on 5000, not on $PORT (8080)").
	Ready(ctx context.Context) error
	// Dial opens a TCP connection to Spec.Port from inside the sandbox's own
	// network namespace, so a program bound to 127.0.0.1 is reached too.
	Dial(ctx context.Context) (net.Conn, error)
	// DialPort does the same for any port on the sandbox's loopback, IPv4 or
	// IPv6, without waiting: where nothing listens it fails at once.
	DialPort(ctx context.Context, port int) (net.Conn, error)
	// Freeze stops every process where it is; Thaw lets them go on. Both are
	// idempotent.
	Freeze(ctx context.Context) error
	Thaw(ctx context.Context) error
	// Stop thaws, sends SIGTERM, waits up to grace, kills, and returns when no
	// process, mount or cgroup is left. Stopping twice is not an error.
	Stop(ctx context.Context, grace time.Duration) error
	// Output returns the read ends of stdout and stderr. It may be called once
	// per server; what was written while no server read is still there.
	Output() (stdout, stderr io.ReadCloser)
	// Done is closed when every process has ended; Exit is valid from then on.
	Done() <-chan struct{}
	Exit() Exit
	// Usage reads the counters of the moment.
	Usage(ctx context.Context) (Usage, error)
}

// Timed is a Sandbox that can say where its start has spent its time.
type Timed interface {
	// Stages are the parts of the start so far, in their order (see
	// docs/cold-start.md); empty where it is not known, as of one that was adopted.
	Stages() []Stage
}

// Pager is a Sandbox whose memory can be moved to where it costs less.
type Pager interface {
	// PageOut moves what a frozen sandbox holds to the machine's swap, as much as
	// goes; each page comes back when it is used. It may take a second.
	PageOut(ctx context.Context) error
}

// Stage is a part of a start.
type Stage struct {
	Name string
	Took time.Duration
}

// Profile is a set of rules for what the code inside may do.
type Profile string

// The profiles.
const (
	// App has no capability, a read-only root and /tmp in memory.
	App Profile = "app"
	// Build has writable mounts on disk and the network; no capability either.
	Build Profile = "build"
	// Container has Spec.Root as its file system, writable, in memory that
	// counts as the sandbox's, and Docker's default capabilities less NET_RAW
	// and MKNOD, inside its user namespace only.
	Container Profile = "container"
	// LayerWork has the machine's own programs, read-only, and is root in
	// sunya.LayersRange with what it takes to give files any owner: for those
	// who write and remove the layers of images.
	LayerWork Profile = "layers"
	// Builder is root in sunya.LayersRange and may mount and make namespaces,
	// inside its user namespace only: for the builder of images, which starts
	// the steps of a build with less. It has the network.
	Builder Profile = "builder"
)

// Spec describes a sandbox.
type Spec struct {
	ID      string            // [a-z0-9-], at most 48; unique among live sandboxes
	Kind    string            // "instance", "job" or "build": what adopts it
	Labels  map[string]string // kept with the sandbox for whoever adopts it
	Profile Profile

	Args     []string
	Env      []string // NAME=value
	Dir      string
	Hostname string
	Mounts   []Mount

	// Root are the unpacked layers of a container image, absolute host paths,
	// the lowest first, with files in sunya.LayersRange. Container only.
	Root []string
	// User is whom the program runs as: a name of the image's /etc/passwd or a
	// uid, with :group. Empty: root. Container only.
	User string
	// NetworkOf is the ID of a live sandbox whose network this one shares:
	// what listens in one is found on 127.0.0.1 of the other. Empty: its own.
	NetworkOf string

	UIDRange    int   // which range of host uids
	MemoryBytes int64 // 0: no limit
	CPUMillis   int   // weight, 1000 is one core; no hard cap
	PIDs        int   // 0: the engine's default (1024)
	Port        int   // 0: nothing is expected to listen
	Network     bool  // outbound network and DNS

	// Template is the key of what may have been kept of this program (Keeper): it
	// starts from there if it can. Not for containers. Empty: it starts as any
	// other.
	Template string

	// StrayLimit is how long a program may listen on other ports only before
	// Ready gives it up; 0: for as long as Ready is asked.
	StrayLimit time.Duration
}

// Mount shows something inside the sandbox.
type Mount struct {
	Source   string // absolute host path; empty: a fresh tmpfs
	Target   string // absolute path inside
	Writable bool
	Bytes    int64 // tmpfs size limit
	// Shared, when Source is empty, names the tmpfs: sandboxes on one network
	// (Spec.NetworkOf) see the same one under the same name.
	Shared string
	// Owned leaves the files of Source to their true owners on the disk, and so
	// what is written. Only in sunya.LayersRange, which Source then belongs to.
	Owned bool
}

// Exit is how a sandbox ended.
type Exit struct {
	Code      int  // exit status, or 128+signal
	Signal    int  // 0 when it exited by itself
	OOMKilled bool // the memory limit did it
}

// Usage is what a sandbox has used so far.
type Usage struct {
	MemoryBytes int64
	CPU         time.Duration
	PIDs        int
}

// Report says which isolation is in force.
type Report struct {
	Level   Level
	Facts   []string // "cgroup v1+v2 hybrid", "idmapped mounts"
	Missing []string // "memory limit: no writable memory controller"
}

// Level is how much isolation there is.
type Level string

// The levels.
const (
	Full Level = "full" // root: everything
	User Level = "user" // not root: what user namespaces and delegation allow
	None Level = "none" // only when asked for
)
