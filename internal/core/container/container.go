// Package container says what a sunya.Container becomes as a sandbox: its file
// system, environment, user and limits. Whoever runs it adds what is his own:
// kind, labels and the range of host uids.
package container

import (
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Layers finds unpacked layers (layers.Store).
type Layers interface {
	Path(digest string) (string, error)
}

// Place is where a container runs.
type Place struct {
	ID        string         // of the sandbox, and FieldInstanceID; unique among live ones
	Instance  string         // FieldInstanceID where the sandbox is one of several; empty: ID
	Port      int            // $PORT; 0: it is not told to listen, and nobody waits for it to
	NetworkOf string         // the sandbox whose network it shares; empty: its own
	Volumes   []sunya.Volume // what its mounts refer to
	// MemoryBytes is the memory of all containers of the instance or task: a
	// volume without a limit of its own may hold half of it. 0: this one's.
	MemoryBytes int64
	// Project is the one whose Storage and Pub/Sub the program is told of; empty:
	// of none.
	Project string
}

// Spec returns the sandbox of c. Its error is a *sunya.Error where a layer or a
// volume is not there.
func Spec(c *sunya.Container, p Place, layers Layers) (sandbox.Spec, error) {
	s := sandbox.Spec{
		ID:          p.ID,
		Profile:     sandbox.App,
		Args:        c.Command,
		Env:         environ(c, p),
		Dir:         c.Dir,
		Hostname:    p.ID,
		NetworkOf:   p.NetworkOf,
		MemoryBytes: c.MemoryBytes,
		CPUMillis:   c.CPUMillis,
		Port:        p.Port,
		Network:     true,
	}
	files := hostFiles
	if c.Image.Stack == sunya.ContainerStack {
		s.Profile, s.User = sandbox.Container, c.User
		files = imageFiles
	}
	if err := files(&s, c, layers); err != nil {
		return sandbox.Spec{}, err
	}
	return s, mountVolumes(&s, c, p)
}

// hostFiles shows the machine's directories that the image stands on, its
// layers, and /tmp in memory (App Engine: everything else is read-only).
func hostFiles(s *sandbox.Spec, c *sunya.Container, layers Layers) error {
	for _, dir := range c.Image.HostPaths {
		s.Mounts = append(s.Mounts, sandbox.Mount{Source: dir, Target: dir})
	}
	for _, l := range c.Image.Layers {
		dir, err := layers.Path(l.Digest)
		if err != nil {
			return fmt.Errorf("find layer: %w", err)
		}
		s.Mounts = append(s.Mounts, sandbox.Mount{Source: dir, Target: l.Target})
	}
	s.Mounts = append(s.Mounts, sandbox.Mount{Target: "/tmp", Writable: true, Bytes: c.MemoryBytes})
	return nil
}

// imageFiles makes the layers of a container image the whole file system.
func imageFiles(s *sandbox.Spec, c *sunya.Container, layers Layers) error {
	for _, l := range c.Image.Layers {
		dir, err := layers.Path(l.Digest)
		if err != nil {
			return fmt.Errorf("find layer of image %s: %w", c.Image.Reference, err)
		}
		s.Root = append(s.Root, dir)
	}
	return nil
}

// mountVolumes shows volumes of the instance in the container.
func mountVolumes(s *sandbox.Spec, c *sunya.Container, p Place) error {
	for _, m := range c.Mounts {
		i := slices.IndexFunc(p.Volumes, func(v sunya.Volume) bool { return v.Name == m.Volume })
		if i < 0 {
			return sunya.Errorf(sunya.InvalidArgument, p.ID, "volume mount %s: there is no volume %q", m.Path, m.Volume)
		}
		memory := p.Volumes[i].Memory
		if memory == nil {
			return sunya.Errorf(sunya.Unimplemented, p.ID, "volume %q is not in memory: other kinds are not supported yet", m.Volume)
		}
		s.Mounts = append(s.Mounts, sandbox.Mount{
			Target: m.Path, Writable: true, Shared: m.Volume, Bytes: volumeBytes(memory, c, p),
		})
	}
	return nil
}

// volumeBytes is the limit of a volume; half of the memory is what an emptyDir
// without sizeLimit gets on Cloud Run.
func volumeBytes(v *sunya.MemoryVolume, c *sunya.Container, p Place) int64 {
	switch {
	case v.Bytes > 0:
		return v.Bytes
	case p.MemoryBytes > 0:
		return p.MemoryBytes / 2
	}
	return c.MemoryBytes / 2
}

// The search paths of a program without PATH: the machine's, and the one that
// Docker gives.
const (
	hostPath  = "/usr/local/bin:/usr/bin:/bin"
	imagePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// environ is the container's environment with what differs by instance filled
// in, and what every program expects. An image may have a PORT of its own, for
// elsewhere: $PORT is where requests come (Cloud Run's container contract).
// HOME of an image's user is known inside only.
func environ(c *sunya.Container, p Place) []string {
	image := c.Image.Stack == sunya.ContainerStack
	var out []string
	for i, v := range c.Env {
		over := slices.ContainsFunc(c.Env[i+1:], func(w sunya.EnvVar) bool { return w.Name == v.Name })
		if over || image && p.Port > 0 && v.Name == "PORT" {
			continue
		}
		out = append(out, v.Name+"="+value(v, c, p))
	}
	var defaults []sunya.EnvVar
	if p.Port > 0 {
		defaults = append(defaults, sunya.EnvVar{Name: "PORT", Value: strconv.Itoa(p.Port)})
	}
	if image {
		defaults = append(defaults, sunya.EnvVar{Name: "PATH", Value: imagePath})
	} else {
		defaults = append(defaults, sunya.EnvVar{Name: "HOME", Value: "/tmp"}, sunya.EnvVar{Name: "PATH", Value: hostPath})
	}
	defaults = append(defaults, apis(p.Project)...)
	for _, d := range defaults {
		own := slices.ContainsFunc(c.Env, func(v sunya.EnvVar) bool { return v.Name == d.Name })
		if !own || image && d.Name == "PORT" {
			out = append(out, d.Name+"="+d.Value)
		}
	}
	return out
}

// apis are the variables by which Google's clients find Storage and Pub/Sub
// elsewhere than at Google. Python's client of Storage wants the scheme; those of
// Go and Node.js take it.
func apis(project string) []sunya.EnvVar {
	if project == "" {
		return nil
	}
	at := net.JoinHostPort(sandbox.MetadataIP, strconv.Itoa(sandbox.APIPort))
	return []sunya.EnvVar{
		{Name: "STORAGE_EMULATOR_HOST", Value: "http://" + at},
		{Name: "PUBSUB_EMULATOR_HOST", Value: at},
		{Name: "PUBSUB_PROJECT_ID", Value: project},
	}
}

func value(v sunya.EnvVar, c *sunya.Container, p Place) string {
	switch v.Field {
	case sunya.FieldInstanceID:
		if p.Instance != "" {
			return p.Instance
		}
		return p.ID
	case sunya.FieldMemoryMB:
		return strconv.FormatInt(c.MemoryBytes>>20, 10)
	}
	return v.Value
}
