package runmodel

import (
	"fmt"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// Containers turns the containers of a template into the model's. field is the
// template's name in errors: service.template.
func Containers(field string, cs []*runpb.Container) ([]run.Container, error) {
	var out []run.Container
	for i, c := range cs {
		got, err := container(fmt.Sprintf("%s.containers[%d]", field, i), c)
		if err != nil {
			return nil, err
		}
		out = append(out, got)
	}
	return out, nil
}

func container(field string, c *runpb.Container) (out run.Container, err error) {
	if err := refuseContainer(field, c); err != nil {
		return out, err
	}
	out.ContainerName = c.GetName()
	out.From = sunya.ImageSpec{Reference: c.GetImage(), Command: c.GetCommand(), Args: c.GetArgs()}
	out.Dir = c.GetWorkingDir()
	out.DependsOn = c.GetDependsOn()
	if out.Env, err = env(field+".env", c.GetEnv()); err != nil {
		return out, err
	}
	if err := resources(field+".resources", c.GetResources(), &out); err != nil {
		return out, err
	}
	if err := port(field+".ports", c.GetPorts(), &out); err != nil {
		return out, err
	}
	for i, m := range c.GetVolumeMounts() {
		if m.GetSubPath() != "" {
			return out, unimplemented(fmt.Sprintf("%s.volume_mounts[%d].sub_path", field, i), "a part of a volume cannot be mounted yet: mount the whole of it")
		}
		out.Mounts = append(out.Mounts, sunya.VolumeMount{Volume: m.GetName(), Path: m.GetMountPath()})
	}
	out.Startup, out.Liveness = probe(c.GetStartupProbe()), probe(c.GetLivenessProbe())
	return out, nil
}

// refuseContainer answers what would be wrong to ignore.
func refuseContainer(field string, c *runpb.Container) error {
	return firstOf([]refusal{
		{c.GetReadinessProbe() != nil, field + ".readiness_probe", "readiness probes are not supported yet: use a startup_probe and a liveness_probe"},
		{c.GetSourceCode() != nil, field + ".source_code", "a container cannot be made of source code here: build an image of it, and name that"},
	})
}

func env(field string, vars []*runpb.EnvVar) ([]sunya.EnvVar, error) {
	var out []sunya.EnvVar
	for i, v := range vars {
		if v.GetValueSource() != nil {
			return nil, unimplemented(fmt.Sprintf("%s[%d].value_source", field, i), "there is no Secret Manager here yet: give the value itself")
		}
		out = append(out, sunya.EnvVar{Name: v.GetName(), Value: v.GetValue()})
	}
	return out, nil
}

// resources reads limits. Without any the CPU is there while requests are; who
// sends them says so himself (ResourceRequirements.cpu_idle).
func resources(field string, r *runpb.ResourceRequirements, out *run.Container) (err error) {
	out.AlwaysOn = r != nil && !r.GetCpuIdle()
	for name, value := range r.GetLimits() {
		at := field + ".limits[" + name + "]"
		switch {
		case name == "memory":
			out.MemoryBytes, err = run.ParseMemory(value)
		case name == "cpu":
			out.CPUMillis, err = run.ParseCPU(value)
		case strings.HasSuffix(name, "/gpu"):
			return unimplemented(at, "there are no GPUs here yet")
		default:
			return sunya.Invalid(at, "is not a resource: use cpu and memory")
		}
		if err != nil {
			return sunya.InField(at, err)
		}
	}
	return nil
}

func port(field string, ports []*runpb.ContainerPort, out *run.Container) error {
	if len(ports) == 0 {
		return nil
	}
	if len(ports) > 1 {
		return sunya.Invalid(field, "%d ports: a container has one at most", len(ports))
	}
	out.Port = int(ports[0].GetContainerPort())
	if out.Port == 0 {
		out.Port = run.DefaultPort
	}
	if out.Port < 1 || out.Port > 65535 {
		return sunya.Invalid(field+"[0].container_port", "%d is not a port: use 1 to 65535", out.Port)
	}
	switch name := ports[0].GetName(); name {
	case "", "http1":
	case "h2c":
		out.Protocol = sunya.H2C
	default:
		return sunya.Invalid(field+"[0].name", "%q is not a protocol: use http1 or h2c", name)
	}
	return nil
}

// Volumes turns the volumes of a template into the model's.
func Volumes(field string, vs []*runpb.Volume) ([]sunya.Volume, error) {
	var out []sunya.Volume
	for i, v := range vs {
		at := fmt.Sprintf("%s.volumes[%d]", field, i)
		err := firstOf([]refusal{
			{v.GetSecret() != nil, at + ".secret", "there is no Secret Manager here yet"},
			{v.GetCloudSqlInstance() != nil, at + ".cloud_sql_instance", "Cloud SQL does not exist here: reach the database by its address"},
			{v.GetNfs() != nil, at + ".nfs", "NFS volumes are not supported yet: use empty_dir"},
			{v.GetGcs() != nil, at + ".gcs", "bucket volumes are not supported yet: use the Cloud Storage API, or empty_dir"},
			{v.GetEmptyDir().GetMedium() == runpb.EmptyDirVolumeSource_Medium(2), at + ".empty_dir.medium", "volumes on disk are not supported yet: use MEMORY"},
		})
		if err != nil {
			return nil, err
		}
		vol := sunya.Volume{Name: v.GetName()}
		if d := v.GetEmptyDir(); d != nil {
			vol.Memory = &sunya.MemoryVolume{}
			if s := d.GetSizeLimit(); s != "" {
				if vol.Memory.Bytes, err = run.ParseMemory(s); err != nil {
					return nil, sunya.InField(at+".empty_dir.size_limit", err)
				}
			}
		}
		out = append(out, vol)
	}
	return out, nil
}

// ContainerWarnings name what of containers is accepted and has no effect.
func ContainerWarnings(field string, cs []*runpb.Container) []string {
	var out []string
	for i, c := range cs {
		if c.GetBaseImageUri() != "" {
			out = append(out, fmt.Sprintf("%s.containers[%d].base_image_uri: stored and has no effect; base images are updated by a new build", field, i))
		}
	}
	return out
}

// refusal is a field that cannot be had.
type refusal struct {
	set            bool
	field, message string
}

// firstOf is the first refusal of fields that are set.
func firstOf(rs []refusal) error {
	for _, r := range rs {
		if r.set {
			return unimplemented(r.field, r.message)
		}
	}
	return nil
}

func unimplemented(field, message string) error {
	return &sunya.Error{Code: sunya.Unimplemented, Field: field, Message: message}
}
