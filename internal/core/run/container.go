package run

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Limits and defaults of containers (Cloud Run, "Quotas and limits", "Memory
// limits", "CPU limits").
const (
	DefaultMemory = 512 << 20
	DefaultCPU    = 1000 // thousandths of a core
	minMemory     = 128 << 20
	maxMemory     = 32 << 30
	minCPU        = 80
	maxContainers = 10
	maxEnv        = 1000
	maxArgs       = 1000
)

// Complete fills in what a container does not say about itself. i is its place
// among several.
func (c *Container) Complete(i int, several bool) {
	if c.MemoryBytes == 0 {
		c.MemoryBytes = DefaultMemory
	}
	if c.CPUMillis == 0 {
		c.CPUMillis = DefaultCPU
	}
	if c.ContainerName == "" && several {
		c.ContainerName = fmt.Sprintf("container-%d", i+1)
	}
}

// CheckContainers holds for the containers of a revision or task, whatever they
// are for. reserved are the variables that the platform sets.
func CheckContainers(field string, cs []Container, volumes []sunya.Volume, reserved []string) error {
	switch {
	case len(cs) == 0:
		return sunya.Invalid(field+".containers", "is empty: name at least one container")
	case len(cs) > maxContainers:
		return sunya.Invalid(field+".containers", "%d containers are more than %d", len(cs), maxContainers)
	}
	if err := checkVolumes(field+".volumes", volumes); err != nil {
		return err
	}
	names := map[string]int{}
	for i := range cs {
		name := cs[i].ContainerName
		if _, twice := names[name]; twice {
			return sunya.Invalid(fmt.Sprintf("%s.containers[%d].name", field, i), "%q is the name of another container, too", name)
		}
		names[name] = i
	}
	for i := range cs {
		if err := cs[i].check(fmt.Sprintf("%s.containers[%d]", field, i), volumes, reserved); err != nil {
			return err
		}
	}
	if err := checkOrder(field, cs, names); err != nil {
		return err
	}
	return checkSize(field, cs)
}

// check holds for one container.
func (c *Container) check(field string, volumes []sunya.Volume, reserved []string) error {
	switch {
	case c.From.Reference == "":
		return sunya.Invalid(field+".image", "is missing: name an image such as gcr.io/project/image:tag")
	case c.ContainerName != "" && (!nameRE.MatchString(c.ContainerName) || len(c.ContainerName) > maxRevision):
		return sunya.Invalid(field+".name", "%q is not the name of a container: use 1 to %d lower-case letters, digits and dashes", c.ContainerName, maxRevision)
	case len(c.From.Command)+len(c.From.Args) > maxArgs:
		return sunya.Invalid(field+".args", "%d arguments are more than %d", len(c.From.Command)+len(c.From.Args), maxArgs)
	case c.Dir != "" && !path.IsAbs(c.Dir):
		return sunya.Invalid(field+".working_dir", "%q is not an absolute path", c.Dir)
	case c.MemoryBytes < minMemory || c.MemoryBytes > maxMemory:
		return sunya.Invalid(field+".resources.limits[memory]", "%v is not allowed: use 128Mi to 32Gi", sunya.Bytes(c.MemoryBytes))
	}
	for i, arg := range slices.Concat(c.From.Command, c.From.Args) {
		if strings.ContainsRune(arg, 0) {
			return sunya.Invalid(field+".args", "argument %d holds a NUL byte", i)
		}
	}
	if err := checkCPU(field+".resources.limits[cpu]", c.CPUMillis); err != nil {
		return err
	}
	if err := c.checkEnv(field+".env", reserved); err != nil {
		return err
	}
	if err := c.checkMounts(field+".volume_mounts", volumes); err != nil {
		return err
	}
	if err := checkProbe(field+".startup_probe", c.Startup, maxStartup); err != nil {
		return err
	}
	return checkProbe(field+".liveness_probe", c.Liveness, maxLiveness)
}

// checkCPU holds for "CPU limits": hundredths below a whole core, then 1, 2, 4, 6
// and 8 of them.
func checkCPU(field string, millis int) error {
	switch {
	case millis >= minCPU && millis < 1000 && millis%10 == 0:
	case slices.Contains([]int{1000, 2000, 4000, 6000, 8000}, millis):
	default:
		return sunya.Invalid(field, "%g CPUs are not allowed: use 1, 2, 4, 6, 8, or 0.08 to 1 in hundredths", float64(millis)/1000)
	}
	return nil
}

// checkSize holds for all containers together: so much memory asks for so many
// CPUs, and so many CPUs for so much memory ("Memory limits").
func checkSize(field string, cs []Container) error {
	var memory int64
	cpu := 0
	for i := range cs {
		memory += cs[i].MemoryBytes
		cpu += cs[i].CPUMillis
	}
	if memory > maxMemory {
		return sunya.Invalid(field+".containers", "the containers have %v of memory together, more than 32Gi", sunya.Bytes(memory))
	}
	for _, rule := range []struct {
		over int64
		cpu  int
	}{{24 << 30, 8000}, {16 << 30, 6000}, {8 << 30, 4000}, {4 << 30, 2000}, {1 << 30, 1000}, {512 << 20, 500}} {
		if memory > rule.over && cpu < rule.cpu {
			return sunya.Invalid(field+".containers[0].resources.limits[cpu]", "%v of memory needs %g CPUs or more, not %g", sunya.Bytes(memory), float64(rule.cpu)/1000, float64(cpu)/1000)
		}
	}
	for _, rule := range []struct {
		cpu    int
		memory int64
	}{{6000, 4 << 30}, {4000, 2 << 30}} {
		if cpu >= rule.cpu && memory < rule.memory {
			return sunya.Invalid(field+".containers[0].resources.limits[memory]", "%g CPUs need %v of memory or more, not %v", float64(cpu)/1000, sunya.Bytes(rule.memory), sunya.Bytes(memory))
		}
	}
	return nil
}

func (c *Container) checkEnv(field string, reserved []string) error {
	if len(c.Env) > maxEnv {
		return sunya.Invalid(field, "%d variables are more than %d", len(c.Env), maxEnv)
	}
	env := make(map[string]string, len(c.Env))
	for _, v := range c.Env {
		if slices.Contains(reserved, v.Name) || strings.HasPrefix(v.Name, "X_GOOGLE_") {
			return sunya.Invalid(field, "%s is reserved: the platform sets it", v.Name)
		}
		if _, twice := env[v.Name]; twice {
			return sunya.Invalid(field, "%s is set twice", v.Name)
		}
		env[v.Name] = v.Value
	}
	return sunya.CheckEnv(field, env)
}

func (c *Container) checkMounts(field string, volumes []sunya.Volume) error {
	seen := map[string]bool{}
	for i, m := range c.Mounts {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case !slices.ContainsFunc(volumes, func(v sunya.Volume) bool { return v.Name == m.Volume }):
			return sunya.Invalid(at+".name", "%q is not a volume of the template", m.Volume)
		case !path.IsAbs(m.Path) || path.Clean(m.Path) != m.Path || m.Path == "/" || strings.ContainsRune(m.Path, 0):
			return sunya.Invalid(at+".mount_path", "%q is not an absolute path, or not in its shortest form", m.Path)
		case systemPath(m.Path):
			return sunya.Invalid(at+".mount_path", "%q belongs to the system: mount the volume elsewhere", m.Path)
		case seen[m.Path]:
			return sunya.Invalid(at+".mount_path", "%q has another volume, too", m.Path)
		}
		seen[m.Path] = true
	}
	return nil
}

// systemPath reports whether a path is, or lies in, what the sandbox makes
// itself.
func systemPath(p string) bool {
	return slices.ContainsFunc([]string{"/dev", "/proc", "/sys"}, func(dir string) bool {
		return p == dir || strings.HasPrefix(p, dir+"/")
	})
}

func checkVolumes(field string, volumes []sunya.Volume) error {
	seen := map[string]bool{}
	for i, v := range volumes {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case !nameRE.MatchString(v.Name) || len(v.Name) > maxRevision:
			return sunya.Invalid(at+".name", "%q is not the name of a volume: use 1 to %d lower-case letters, digits and dashes", v.Name, maxRevision)
		case seen[v.Name]:
			return sunya.Invalid(at+".name", "%q is the name of another volume, too", v.Name)
		case v.Memory == nil:
			return sunya.Invalid(at, "the volume says not what it is: use empty_dir")
		case v.Memory.Bytes < 0:
			return sunya.Invalid(at+".empty_dir.size_limit", "%d bytes are not a size", v.Memory.Bytes)
		}
		seen[v.Name] = true
	}
	return nil
}

// checkOrder holds for depends_on: containers that exist, and no circle.
func checkOrder(field string, cs []Container, index map[string]int) error {
	const (
		fresh = iota
		open
		done
	)
	state := make([]int, len(cs))
	var visit func(i int) error
	visit = func(i int) error {
		at := fmt.Sprintf("%s.containers[%d].depends_on", field, i)
		state[i] = open
		for _, name := range cs[i].DependsOn {
			j, ok := index[name]
			switch {
			case !ok || name == "":
				return sunya.Invalid(at, "%q is not a container of the template", name)
			case state[j] == open:
				return sunya.Invalid(at, "%s and %s wait for each other", cs[i].ContainerName, name)
			case state[j] == done:
				continue
			}
			if err := visit(j); err != nil {
				return err
			}
		}
		state[i] = done
		return nil
	}
	for i := range cs {
		if state[i] == fresh {
			if err := visit(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// The longest that probes wait before and between questions (Cloud Run,
// "Container health checks").
const (
	maxStartup  = 240 * time.Second
	maxLiveness = 3600 * time.Second
)

// checkProbe holds for the times of a probe. A startup probe has to be through
// after limit in all.
func checkProbe(field string, p *sunya.Probe, limit time.Duration) error {
	if p == nil {
		return nil
	}
	switch {
	case p.HTTP == nil && p.TCP == nil && p.GRPC == nil:
		return sunya.Invalid(field, "says not how to ask: use http_get, tcp_socket or grpc")
	case p.HTTP != nil && !strings.HasPrefix(p.HTTP.Path, "/"):
		return sunya.Invalid(field+".http_get.path", "%q does not begin with a slash", p.HTTP.Path)
	case p.Delay < 0 || p.Delay > limit:
		return sunya.Invalid(field+".initial_delay_seconds", "%v is not allowed: use 0 to %d seconds", p.Delay, int(limit.Seconds()))
	case p.Timeout < time.Second || p.Timeout > limit:
		return sunya.Invalid(field+".timeout_seconds", "%v is not allowed: use 1 to %d seconds", p.Timeout, int(limit.Seconds()))
	case p.Period < time.Second || p.Period > limit:
		return sunya.Invalid(field+".period_seconds", "%v is not allowed: use 1 to %d seconds", p.Period, int(limit.Seconds()))
	case p.Timeout > p.Period:
		return sunya.Invalid(field+".timeout_seconds", "%v is longer than period_seconds, which is %v", p.Timeout, p.Period)
	case p.Failures < 1:
		return sunya.Invalid(field+".failure_threshold", "%d is not allowed: use 1 or more", p.Failures)
	case limit == maxStartup && p.Period*time.Duration(p.Failures) > limit:
		return sunya.Invalid(field+".failure_threshold", "%d failures with %v between them are more than the %d seconds that a start may take", p.Failures, p.Period, int(limit.Seconds()))
	}
	for _, port := range ports(p) {
		if port < 0 || port > 65535 {
			return sunya.Invalid(field+".port", "%d is not a port: use 1 to 65535", port)
		}
	}
	return nil
}

func ports(p *sunya.Probe) (out []int) {
	if p.HTTP != nil {
		out = append(out, p.HTTP.Port)
	}
	if p.TCP != nil {
		out = append(out, p.TCP.Port)
	}
	if p.GRPC != nil {
		out = append(out, p.GRPC.Port)
	}
	return out
}
