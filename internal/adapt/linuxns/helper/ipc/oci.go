package ipc

import (
	"maps"
	"strings"
)

// Document is the part of an OCI runtime-spec document (config.json, version
// 1.3) that the launcher obeys, with the same JSON. The launcher refuses to be
// the only reader of a format of its own: builds and foreign runtimes are
// described by the same document.
type Document struct {
	Version     string            `json:"ociVersion"`
	Process     Process           `json:"process"`
	Root        Root              `json:"root"`
	Hostname    string            `json:"hostname"`
	Mounts      []Mount           `json:"mounts"`
	Linux       Linux             `json:"linux"`
	Annotations map[string]string `json:"annotations"`
}

// Process is what runs.
type Process struct {
	User    User     `json:"user"`
	Args    []string `json:"args"`
	Env     []string `json:"env"`
	Cwd     string   `json:"cwd"`
	Rlimits []Rlimit `json:"rlimits"`
	// Capabilities are what the program may have, in its user namespace.
	Capabilities Capabilities `json:"capabilities"`
}

// User is an id inside the sandbox.
type User struct {
	UID            int   `json:"uid"`
	GID            int   `json:"gid"`
	AdditionalGIDs []int `json:"additionalGids,omitempty"`
	// Username is USER of an image, to be looked up in its own /etc/passwd and
	// /etc/group. The specification has the field for another platform.
	Username string `json:"username"`
}

// Capabilities are names as capabilities(7) has them, "CAP_CHOWN".
type Capabilities struct {
	Bounding []string `json:"bounding"`
}

// Rlimit is one POSIX limit.
type Rlimit struct {
	Type string `json:"type"`
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// Root is the root file system. The host stack has no path: the launcher
// assembles it from the host's own runtimes.
type Root struct {
	Path     string `json:"path"`
	Readonly bool   `json:"readonly"`
}

// Mount is one mount; Type is "bind", "tmpfs" or, for "/" only and before all
// others, "overlay": its options are one "lowerdir=" for each layer, the
// uppermost first, and the upper directory is in memory.
type Mount struct {
	Destination string   `json:"destination"`
	Type        string   `json:"type"`
	Source      string   `json:"source"`
	Options     []string `json:"options"`
}

// Linux holds ids and limits.
type Linux struct {
	UIDMappings []IDMapping `json:"uidMappings"`
	GIDMappings []IDMapping `json:"gidMappings"`
	Resources   Resources   `json:"resources"`
}

// IDMapping maps a range of ids inside to a range of the host.
type IDMapping struct {
	ContainerID uint32 `json:"containerID"`
	HostID      uint32 `json:"hostID"`
	Size        uint32 `json:"size"`
}

// Resources are the limits; nil is no limit.
type Resources struct {
	Memory *Memory `json:"memory"`
	CPU    *CPU    `json:"cpu"`
	PIDs   *PIDs   `json:"pids"`
}

// Memory limits memory and swap together, in bytes.
type Memory struct {
	Limit *int64 `json:"limit"`
}

// CPU is a weight in the units of cgroup v1: 1024 is one core's.
type CPU struct {
	Shares *uint64 `json:"shares"`
}

// PIDs limits processes and threads.
type PIDs struct {
	Limit *int64 `json:"limit"`
}

// The annotations.
const (
	// AnnotationSpec is the sandbox.Spec as JSON, for whoever adopts it.
	AnnotationSpec = "dev.sunya.spec"
	// AnnotationPort is the TCP port that means ready, in decimal.
	AnnotationPort = "dev.sunya.port"
	// AnnotationNetwork is "link" where the sandbox has an outbound network.
	AnnotationNetwork = "dev.sunya.network"
	// AnnotationSeccomp is the filter: base64 of struct sock_filter[].
	AnnotationSeccomp = "dev.sunya.seccomp"
	// AnnotationNetworkOf names the sandbox whose network this one shares.
	AnnotationNetworkOf = "dev.sunya.network-of"
)

// The options of mounts that are this launcher's own.
const (
	// OptionOwned leaves the files of a bind mount to their true owners on the
	// disk, which must be of the sandbox's own range.
	OptionOwned = "x-sunya.owned"
	// OptionShared, with "=NAME", makes a tmpfs one of the sandbox's network:
	// others on it see the same under the same name.
	OptionShared = "x-sunya.shared"
)

// Layers returns the layers of the document's root, the uppermost first; none
// for the host stack.
func (d *Document) Layers() []string {
	if len(d.Mounts) == 0 || d.Mounts[0].Type != "overlay" {
		return nil
	}
	return d.Mounts[0].Values("lowerdir")
}

// Values returns what an option is set to, as often as it is there.
func (m Mount) Values(option string) []string {
	var values []string
	for _, o := range m.Options {
		if v, ok := strings.CutPrefix(o, option+"="); ok {
			values = append(values, v)
		}
	}
	return values
}

// Has reports whether a mount has an option.
func (m Mount) Has(option string) bool {
	for _, o := range m.Options {
		if o == option {
			return true
		}
	}
	return false
}

// Kind is what has to be known of a sandbox to make everything that does not
// depend on its program. Sandboxes of one kind can take each other's place
// until they have one.
type Kind struct {
	Image    bool   `json:"image"`    // its root is made of layers, not of the host's own
	Link     bool   `json:"link"`     // has an outbound network
	Shared   bool   `json:"shared"`   // is on the network of another
	Seccomp  string `json:"seccomp"`  // AnnotationSeccomp
	Bounding string `json:"bounding"` // the capabilities, with commas between
	// UID and GID are what a user's only ids are inside; zero where there is a
	// range.
	UID int `json:"uid,omitempty"`
	GID int `json:"gid,omitempty"`
}

// Kind returns the document's kind, for a launcher that is root.
func (d *Document) Kind() Kind {
	shared := d.Annotations[AnnotationNetworkOf] != ""
	return Kind{
		Image:    len(d.Layers()) > 0,
		Link:     !shared && d.Annotations[AnnotationNetwork] != "",
		Shared:   shared,
		Seccomp:  d.Annotations[AnnotationSeccomp],
		Bounding: strings.Join(d.Process.Capabilities.Bounding, ","),
	}
}

// Capabilities are those that a program of this kind keeps.
func (k Kind) Capabilities() []string {
	return strings.FieldsFunc(k.Bounding, func(r rune) bool { return r == ',' })
}

// ForProgram returns what the first process needs of a document besides the
// kind: not the filter, which it has, nor the server's own spec.
func (d *Document) ForProgram() *Document {
	short := *d
	short.Annotations = maps.Clone(d.Annotations)
	delete(short.Annotations, AnnotationSeccomp)
	delete(short.Annotations, AnnotationSpec)
	return &short
}
