// Package hoststack finds what the machine itself offers to builds and
// instances: its interpreters and its owner's settings for package installers.
// It looks once, with the rights that the server starts with; afterwards the
// places it looked at may be out of the server's reach.
package hoststack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

// Host is what was found. It never changes.
type Host struct {
	machine  build.Machine
	loopback []string
}

// Discover looks for interpreters on PATH and in the places where their
// version managers keep them, and reads the client settings of the owner.
func Discover(ctx context.Context) (*Host, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // no home, nothing to find there
	}
	p := places{home: home, getenv: os.Getenv, path: filepath.SplitList(os.Getenv("PATH")), root: "/"}
	runtimes, err := p.runtimes(ctx)
	if err != nil {
		return nil, fmt.Errorf("discover runtimes: %w", err)
	}
	client, loopback := p.client(os.Environ())
	return &Host{machine: build.Machine{Runtimes: runtimes, Client: client}, loopback: loopback}, nil
}

// places is where Discover looks, so that a test can hold all of it.
type places struct {
	home   string
	root   string
	getenv func(string) string
	path   []string
}

// Machine is what builds need to know.
func (h *Host) Machine() build.Machine { return h.machine }

// ClientEnv returns the owner's settings for package installers.
func (h *Host) ClientEnv() build.Client { return h.machine.Client }

// Loopback returns the addresses on this machine's loopback that client
// settings name, IP:port, such as a local package index or proxy. Builds reach
// them at the same port of their gateway, if the network policy lets them.
func (h *Host) Loopback() []string { return slices.Clone(h.loopback) }

// Prefixes returns the directories outside of the standard ones that sandboxes
// may be shown, read-only and at their own path.
func (h *Host) Prefixes() []string {
	var list []string
	for _, r := range h.machine.Runtimes {
		list = append(list, r.Prefixes...)
	}
	list = append(list, h.machine.Client.Paths...)
	slices.Sort(list)
	return slices.Compact(list)
}

// Has reports whether a runtime with this fingerprint is here: what an image
// of the host stack asks before it starts.
func (h *Host) Has(fingerprint string) bool {
	return slices.ContainsFunc(h.machine.Runtimes, func(r build.Runtime) bool { return r.Fingerprint == fingerprint })
}

// standard reports whether every sandbox sees path anyway.
func standard(path string) bool {
	return path == "/usr" || strings.HasPrefix(path, "/usr/")
}
