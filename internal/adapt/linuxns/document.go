package linuxns

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// defaultPIDs is the process limit of a sandbox that names none.
const defaultPIDs = 1024

// openFiles is RLIMIT_NOFILE of a sandbox, or less where the launcher has less.
const openFiles = 65536

// document describes a sandbox as an OCI runtime-spec document, in the
// launcher's own types, which have the same JSON.
func document(spec sandbox.Spec) (*ipc.Document, error) {
	if err := validate(spec); err != nil {
		return nil, err
	}
	oci, err := runtimeSpec(spec)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(oci)
	if err != nil {
		return nil, fmt.Errorf("encode runtime spec: %w", err)
	}
	var doc ipc.Document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("read runtime spec: %w", err)
	}
	return &doc, nil
}

func runtimeSpec(spec sandbox.Spec) (*specs.Spec, error) {
	p := profiles[spec.Profile]
	filter, err := seccompFilter(p.caps, spec.Template != "")
	if err != nil {
		return nil, err
	}
	own, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(UIDBase(spec.UIDRange)), Size: 65536}}
	oci := &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{
			User: specs.User{UID: p.uid, GID: p.uid, Username: spec.User},
			Args: spec.Args, Env: environment(spec), Cwd: workDir(spec),
			Rlimits: []specs.POSIXRlimit{
				{Type: "RLIMIT_NOFILE", Soft: openFiles, Hard: openFiles},
				{Type: "RLIMIT_CORE"},
			},
			Capabilities: &specs.LinuxCapabilities{Bounding: p.caps}, NoNewPrivileges: true,
		},
		Root:     &specs.Root{Readonly: !p.image},
		Hostname: hostname(spec),
		Mounts:   append(rootMount(spec), mounts(spec)...),
		Linux: &specs.Linux{
			UIDMappings: ids, GIDMappings: ids, Namespaces: namespaces(), Resources: resources(spec),
		},
		Annotations: map[string]string{
			ipc.AnnotationSpec: string(own), ipc.AnnotationPort: strconv.Itoa(spec.Port),
			ipc.AnnotationSeccomp: filter,
		},
	}
	if spec.NetworkOf != "" {
		oci.Annotations[ipc.AnnotationNetworkOf] = spec.NetworkOf
	} else if spec.Network {
		oci.Annotations[ipc.AnnotationNetwork] = "link"
	}
	return oci, nil
}

func validate(spec sandbox.Spec) error {
	p, known := profiles[spec.Profile]
	switch {
	case !known:
		return sunya.Errorf(sunya.Unimplemented, spec.ID, "sandbox profile %q is not supported", spec.Profile)
	case len(spec.Args) == 0:
		return sunya.Errorf(sunya.InvalidArgument, spec.ID, "no program to run")
	case spec.UIDRange < 0 || spec.UIDRange > 32000:
		return sunya.Errorf(sunya.InvalidArgument, spec.ID, "uid range %d is not 0 to 32000", spec.UIDRange)
	case spec.Port < 0 || spec.Port > 65535:
		return sunya.Errorf(sunya.InvalidArgument, spec.ID, "port %d is not 0 to 65535", spec.Port)
	case spec.MemoryBytes < 0 || spec.CPUMillis < 0 || spec.PIDs < 0:
		return sunya.Errorf(sunya.InvalidArgument, spec.ID, "limits cannot be negative")
	case strings.ContainsRune(strings.Join(spec.Args, "")+strings.Join(spec.Env, "")+spec.Dir+spec.User, 0):
		return sunya.Errorf(sunya.InvalidArgument, spec.ID, "arguments and environment cannot contain NUL")
	case !p.image && (len(spec.Root) > 0 || spec.User != ""):
		return sunya.Errorf(sunya.InvalidArgument, spec.ID, "only a container has layers and a user of its own")
	case p.image && len(spec.Root) == 0:
		return sunya.Errorf(sunya.InvalidArgument, spec.ID, "the image has no layers, so there is nothing to run")
	case len(spec.Root) > maxLayers:
		return sunya.Errorf(sunya.InvalidArgument, spec.ID, "the image has %d layers; at most %d are supported", len(spec.Root), maxLayers)
	}
	return validateMounts(spec)
}

func validateMounts(spec sandbox.Spec) error {
	for _, m := range spec.Mounts {
		switch {
		case !path.IsAbs(m.Target) || path.Clean(m.Target) != m.Target || m.Target == "/":
			return sunya.Errorf(sunya.InvalidArgument, spec.ID, "mount target %q is not an absolute, clean path", m.Target)
		case m.Shared != "" && m.Source != "":
			return sunya.Errorf(sunya.InvalidArgument, spec.ID, "mount %s: a shared one has no source", m.Target)
		case m.Owned && spec.UIDRange != sunya.LayersRange:
			return sunya.Errorf(sunya.InvalidArgument, spec.ID, "mount %s: only range %d owns files on the disk", m.Target, sunya.LayersRange)
		}
	}
	return nil
}

// environment adds what every program may expect; values of the spec win. HOME
// of an image's user is set inside, where it is known.
func environment(spec sandbox.Spec) []string {
	p := profiles[spec.Profile]
	env := append([]string(nil), spec.Env...)
	defaults := []string{"PATH=" + p.path}
	if !p.image {
		defaults = append(defaults, "HOME=/tmp")
	}
	if spec.Port > 0 {
		defaults = append(defaults, "PORT="+strconv.Itoa(spec.Port))
	}
	for _, d := range defaults {
		name, _, _ := strings.Cut(d, "=")
		if !hasEnv(env, name) {
			env = append(env, d)
		}
	}
	return env
}

func hasEnv(env []string, name string) bool {
	for _, e := range env {
		if strings.HasPrefix(e, name+"=") {
			return true
		}
	}
	return false
}

func workDir(spec sandbox.Spec) string {
	if spec.Dir == "" {
		return "/"
	}
	return spec.Dir
}

func hostname(spec sandbox.Spec) string {
	if spec.Hostname == "" {
		return "localhost"
	}
	return spec.Hostname
}

// rootMount lays the layers on each other. A layer may be in an image twice,
// which overlayfs refuses: then the lower one changes nothing.
func rootMount(spec sandbox.Spec) []specs.Mount {
	if len(spec.Root) == 0 {
		return nil
	}
	root := specs.Mount{Destination: "/", Type: "overlay", Source: "overlay"}
	for i := len(spec.Root) - 1; i >= 0; i-- {
		option := "lowerdir=" + spec.Root[i]
		if !slices.Contains(root.Options, option) {
			root.Options = append(root.Options, option)
		}
	}
	return []specs.Mount{root}
}

func mounts(spec sandbox.Spec) []specs.Mount {
	var all []specs.Mount
	for _, m := range spec.Mounts {
		access := "ro"
		if m.Writable {
			access = "rw"
		}
		if m.Source == "" {
			all = append(all, memory(m, access))
			continue
		}
		options := []string{"rbind", access, "nosuid", "nodev"}
		if m.Owned {
			options = append(options, ipc.OptionOwned)
		}
		all = append(all, specs.Mount{Destination: m.Target, Type: "bind", Source: m.Source, Options: options})
	}
	return all
}

// memory is a mount of a file system in memory; everybody inside may write to
// one that is shared.
func memory(m sandbox.Mount, access string) specs.Mount {
	options := []string{access, "mode=0755"}
	if m.Shared != "" {
		options = []string{access, "mode=1777", ipc.OptionShared + "=" + m.Shared}
	}
	if m.Bytes > 0 {
		options = append(options, "size="+strconv.FormatInt(m.Bytes, 10))
	}
	return specs.Mount{Destination: m.Target, Type: "tmpfs", Source: "tmpfs", Options: options}
}

func namespaces() []specs.LinuxNamespace {
	var all []specs.LinuxNamespace
	for _, kind := range []specs.LinuxNamespaceType{
		specs.UserNamespace, specs.MountNamespace, specs.PIDNamespace, specs.IPCNamespace,
		specs.UTSNamespace, specs.NetworkNamespace, specs.CgroupNamespace,
	} {
		all = append(all, specs.LinuxNamespace{Type: kind})
	}
	return all
}

func resources(spec sandbox.Spec) *specs.LinuxResources {
	pids := int64(defaultPIDs)
	if spec.PIDs > 0 {
		pids = int64(spec.PIDs)
	}
	r := &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &pids}}
	if spec.MemoryBytes > 0 {
		r.Memory = &specs.LinuxMemory{Limit: &spec.MemoryBytes, Swap: &spec.MemoryBytes}
	}
	if spec.CPUMillis > 0 {
		shares := uint64(spec.CPUMillis) * 1024 / 1000
		r.CPU = &specs.LinuxCPU{Shares: &shares}
	}
	return r
}
