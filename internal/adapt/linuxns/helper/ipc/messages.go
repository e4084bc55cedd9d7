package ipc

import "fmt"

// Version of the protocol, and the oldest that a server still talks to. A
// launcher that runs answers for its own; one outside of these cannot be talked
// to, and a server ends it, and its sandboxes, before it starts another. A new
// verb alone is no new version: an older launcher says that it has none.
const (
	Version = 2
	Oldest  = 2
)

// Verb says what a message is.
type Verb string

// Requests of the server to the launcher; the answer repeats verb and ID.
const (
	Hello    Verb = "hello"    // first message of a connection
	Create   Verb = "create"   // Document; answer carries stdout, stderr and the packet socket
	Freeze   Verb = "freeze"   // answered when nothing runs any more
	Thaw     Verb = "thaw"     // answered when everything runs again
	PageOut  Verb = "pageout"  // memory of a frozen one to swap
	Sockets  Verb = "sockets"  // N unconnected TCP sockets of the sandbox's network namespace
	Stop     Verb = "stop"     // Grace; answered when nothing is left, and forgets the sandbox
	List     Verb = "list"     // the names of all sandboxes; N of how many are ready for a program
	Adopt    Verb = "adopt"    // State and the files that Create gave
	Usage    Verb = "usage"    // counters of the moment
	Keep     Verb = "keep"     // Document; sandboxes for its like are kept ready from now on
	Shutdown Verb = "shutdown" // ends everything, then the launcher

	// Retire makes room for the next server. The connection stays for what the
	// requests still need that this one has: Sockets, Thaw and Usage, and the
	// events, without files. Reclaim takes the sandboxes back while no other server
	// has come.
	Retire  Verb = "retire"
	Reclaim Verb = "reclaim"
	// Describe, as the first message instead of Hello, asks how the server was
	// started; only the launcher's own user is told.
	Describe Verb = "describe"
)

// Events that the launcher sends by itself (ID 0).
const (
	Ready     Verb = "ready"     // something listens on the port; Listener, spare sockets
	Elsewhere Verb = "elsewhere" // something listens, but not on the port; Ports
	Exited    Verb = "exited"    // every process has ended; Exit
)

// Messages between the launcher and the first process of a sandbox, besides
// Ready, Elsewhere, Exited and Sockets.
const (
	Prepare   Verb = "prepare"   // first message to it: everything that does not depend on a program
	Prepared  Verb = "prepared"  // that is done; the packet socket
	Setup     Verb = "setup"     // the program, with the mount descriptors
	Started   Verb = "started"   // the program runs; Stages
	Failed    Verb = "failed"    // it could not be started; Error
	Terminate Verb = "terminate" // SIGTERM to every process
	Suspend   Verb = "suspend"   // SIGSTOP to every process, where there is no freezer
	Resume    Verb = "resume"    // SIGCONT to every process
)

// Message is one packet. Which fields are set depends on Verb.
type Message struct {
	ID       uint64     `json:"id,omitempty"`
	Verb     Verb       `json:"verb"`
	Sandbox  string     `json:"sandbox,omitempty"`
	Error    *Error     `json:"error,omitempty"`
	Hello    *HelloInfo `json:"hello,omitempty"`
	Document *Document  `json:"document,omitempty"`
	Setup    *SetupInfo `json:"setup,omitempty"`
	GraceMS  int64      `json:"graceMs,omitempty"`
	N        int        `json:"n,omitempty"`
	IPv6     bool       `json:"ipv6,omitempty"`
	Names    []string   `json:"names,omitempty"`
	State    *State     `json:"state,omitempty"`
	Listener string     `json:"listener,omitempty"` // address to dial, "127.0.0.1" or "::1"
	Ports    []int      `json:"ports,omitempty"`
	Exit     *ExitInfo  `json:"exit,omitempty"`
	Usage    *UsageInfo `json:"usage,omitempty"`
	Packet   bool       `json:"packet,omitempty"` // the last file is a packet socket
	Command  *Command   `json:"command,omitempty"`
	Stages   []Stage    `json:"stages,omitempty"` // what has been done, in this order
	Template *Template  `json:"template,omitempty"`
}

// Command is how a server was started.
type Command struct {
	Args []string `json:"args"` // without the program
	Env  []string `json:"env"`
	Dir  string   `json:"dir"` // the working directory
}

// HelloInfo is what server and launcher tell each other first. The launcher
// takes Config only from the first connection, which started it.
type HelloInfo struct {
	Version int      `json:"version"`
	Build   string   `json:"build"` // hash of the launcher's binary
	PID     int      `json:"pid,omitempty"`
	Config  *Config  `json:"config,omitempty"`
	Level   string   `json:"level,omitempty"`
	Facts   []string `json:"facts,omitempty"`
	Missing []string `json:"missing,omitempty"`
	Swept   []string `json:"swept,omitempty"` // sandboxes of a launcher that died
	Live    int      `json:"live,omitempty"`
	// Command is the server's own. It is kept when it comes from the launcher's
	// user: a server that has given up root cannot change what root will start.
	Command *Command `json:"command,omitempty"`
}

// FactIDMap among the facts says that layers can be shown as every range's own.
const FactIDMap = "idmapped mounts"

// Config is what the launcher allows; it cannot change while it runs.
type Config struct {
	DataDir     string   `json:"dataDir"` // absolute; writable sources lie beneath it
	HostPaths   []string `json:"hostPaths"`
	ServerUID   int      `json:"serverUid"` // who may connect and owns files on disk
	ServerGID   int      `json:"serverGid"`
	LingerMS    int64    `json:"lingerMs"`           // how long to wait for a server
	Prepared    int      `json:"prepared,omitempty"` // how many sandboxes of a kind are kept ready
	Name        string   `json:"name"`               // names the cgroups: the data directory's id
	ForceRlimit bool     `json:"forceRlimit,omitempty"`
}

// SetupInfo is what the first process of a sandbox needs besides the document.
type SetupInfo struct {
	Kind     Kind      `json:"kind"`
	Document *Document `json:"document,omitempty"` // not before the program is known
	// Detached says that the sources of bind mounts come as descriptors, in
	// order. Otherwise the paths are opened within the sandbox's own mount
	// namespace, where an unprivileged user may bind them.
	Detached bool   `json:"detached"`
	Config   Config `json:"config"`
	NProc    int    `json:"nproc,omitempty"` // RLIMIT_NPROC, where there is no pids controller
	Groups   bool   `json:"groups"`          // whether setgroups is allowed
	// Template comes with its file as the last descriptor.
	Template *Template `json:"template,omitempty"`
}

// State is what a new server learns about a sandbox.
type State struct {
	Document  *Document `json:"document,omitempty"` // for whoever adopts it
	StartNS   int64     `json:"startNs"`            // Unix nanoseconds
	Listener  string    `json:"listener,omitempty"`
	Elsewhere []int     `json:"elsewhere,omitempty"`
	Exit      *ExitInfo `json:"exit,omitempty"`
	Frozen    bool      `json:"frozen,omitempty"`
	Template  *Template `json:"template,omitempty"` // what came of starting from one
}

// ExitInfo is how a sandbox ended.
type ExitInfo struct {
	Code   int  `json:"code"`
	Signal int  `json:"signal,omitempty"`
	OOM    bool `json:"oom,omitempty"`
}

// UsageInfo is what a sandbox has used so far.
type UsageInfo struct {
	MemoryBytes int64 `json:"memoryBytes"`
	CPUNanos    int64 `json:"cpuNanos"`
	PIDs        int   `json:"pids"`
}

// Error crosses the socket with the code of google.rpc.Code that fits it.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// The codes in use.
const (
	InvalidArgument    = 3
	NotFound           = 5
	AlreadyExists      = 6
	FailedPrecondition = 9
	Internal           = 13
	Unavailable        = 14
)

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Errorf returns an Error.
func Errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
