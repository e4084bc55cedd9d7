package build

import "slices"

// Machine is what the host stack offers: the runtimes that this machine has
// and the client settings that its owner gave. It is found once, before the
// server gives up its rights, and never changes afterwards.
type Machine struct {
	Runtimes []Runtime
	Client   Client
}

// Runtime is one interpreter or tool chain of the machine.
type Runtime struct {
	Language    string   // "python"
	Version     string   // 3.11.7
	Path        string   // the real binary, no link and no shim
	Prefixes    []string // directories that it needs besides the standard ones
	Fingerprint string   // changes when the runtime does
	Modules     []string // what it can do by itself: "venv", "ensurepip", "pip"
}

// Has reports whether the runtime comes with a module.
func (r Runtime) Has(module string) bool { return slices.Contains(r.Modules, module) }

// Client is the owner's settings for package installers, by value: a build
// never sees a home folder.
type Client struct {
	Env   map[string]string
	Files []ClientFile
	Paths []string // local package folders, shown read-only at their own path
}

// ClientFile is a file that a setting names, such as a CA bundle. Its copy in
// the sandbox replaces the path in the variables that named it.
type ClientFile struct {
	Name    string // base name in the sandbox
	Vars    []string
	Content []byte
}

// of returns the runtimes of one language.
func (m Machine) of(language string) []Runtime {
	var rs []Runtime
	for _, r := range m.Runtimes {
		if r.Language == language {
			rs = append(rs, r)
		}
	}
	return rs
}
