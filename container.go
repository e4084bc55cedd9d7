package sunya

import "time"

// Container is a program with the file system that it sees.
type Container struct {
	ContainerName string `json:",omitempty"` // unique in its revision; empty: the only one
	Image         Image
	Command       []string // argument vector
	Env           []EnvVar
	Dir           string // working directory inside the sandbox
	User          string `json:",omitempty"` // as USER of an image: name or uid, with :group; ContainerStack only; empty: root

	MemoryBytes int64 // hard limit of one instance
	CPUMillis   int   // weight; 1000 is one core

	// DependsOn names containers of the revision that must be ready before
	// this one is started.
	DependsOn []string      `json:",omitempty"`
	Startup   *Probe        `json:",omitempty"` // nil: ready once it listens; a sidecar: once it runs
	Liveness  *Probe        `json:",omitempty"` // nil: it lives as long as its process
	Mounts    []VolumeMount `json:",omitempty"`
}

// Probe asks a container how it is (Cloud Run, startup and liveness probes).
// One of HTTP, TCP and GRPC is set.
type Probe struct {
	HTTP *HTTPProbe `json:",omitempty"`
	TCP  *TCPProbe  `json:",omitempty"`
	GRPC *GRPCProbe `json:",omitempty"`

	Delay    time.Duration // from the start to the first question
	Timeout  time.Duration // of one question
	Period   time.Duration // between questions
	Failures int           // in a row that decide that it is not well
}

// HTTPProbe is a GET request; 200 to 399 is well.
type HTTPProbe struct {
	Path   string
	Port   int // 0: the container's
	Header map[string]string
}

// TCPProbe is a connection; one that opens is well.
type TCPProbe struct {
	Port int // 0: the container's
}

// GRPCProbe is grpc.health.v1.Health/Check; SERVING is well.
type GRPCProbe struct {
	Port    int // 0: the container's
	Service string
}

// Volume is a directory that containers of an instance share.
type Volume struct {
	Name   string
	Memory *MemoryVolume `json:",omitempty"`
}

// MemoryVolume is an empty directory in memory, counted as memory of whoever
// writes (emptyDir, medium Memory).
type MemoryVolume struct {
	Bytes int64 // limit; 0: half of the instance's memory
}

// VolumeMount shows a volume inside a container.
type VolumeMount struct {
	Volume string // Volume.Name
	Path   string // absolute, clean
}

// Protocol is what an instance speaks on its port.
type Protocol string

// The protocols (Cloud Run, the name of a container's port).
const (
	HTTP1 Protocol = ""    // HTTP/1.1; the zero value
	H2C   Protocol = "h2c" // HTTP/2 without TLS, by prior knowledge
)

// Ingress says from where a service may be called.
type Ingress string

// From where a service may be called.
const (
	IngressAll      Ingress = ""         // from everywhere; the zero value
	IngressInternal Ingress = "internal" // from instances of its project on this server only
	IngressNone     Ingress = "none"     // from nowhere
)
