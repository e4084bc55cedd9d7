package runv1

import (
	"fmt"

	"cloud.google.com/go/run/apiv2/runpb"
	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya"
)

// decodeContainers turns the containers of a template into v2's. field is what
// they are called in errors: spec.template.spec.containers.
func decodeContainers(field string, cs []*knative.Container) ([]*runpb.Container, error) {
	var out []*runpb.Container
	for i, c := range cs {
		m, err := decodeContainer(fmt.Sprintf("%s[%d]", field, i), c)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func decodeContainer(field string, c *knative.Container) (*runpb.Container, error) {
	if c == nil {
		return nil, sunya.Invalid(field, "is null: name at least an image")
	}
	for _, r := range []struct {
		set     bool
		name    string
		instead string
	}{
		{len(c.EnvFrom) > 0, ".envFrom", "set the variables one by one in env"},
		{c.SecurityContext != nil, ".securityContext", "say in the image who runs it (USER)"},
		{c.SandboxLauncher, ".sandboxLauncher", "leave it out"},
	} {
		if r.set {
			return nil, unimplemented(field+r.name, "is not supported, as in Cloud Run: "+r.instead)
		}
	}
	out := &runpb.Container{Name: c.Name, Image: c.Image, Command: c.Command, Args: c.Args, WorkingDir: c.WorkingDir}
	for i, p := range c.Ports {
		if p == nil {
			return nil, sunya.Invalid(fmt.Sprintf("%s.ports[%d]", field, i), "is null")
		}
		if p.Protocol != "" && p.Protocol != "TCP" {
			return nil, sunya.Invalid(fmt.Sprintf("%s.ports[%d].protocol", field, i), "%q is not a protocol of ports: use TCP; that HTTP/2 is spoken says the name h2c", p.Protocol)
		}
		out.Ports = append(out.Ports, &runpb.ContainerPort{Name: p.Name, ContainerPort: small(p.ContainerPort)})
	}
	if c.Resources != nil && len(c.Resources.Limits) > 0 {
		out.Resources = &runpb.ResourceRequirements{Limits: c.Resources.Limits, CpuIdle: true}
	}
	for i, m := range c.VolumeMounts {
		if m == nil {
			return nil, sunya.Invalid(fmt.Sprintf("%s.volumeMounts[%d]", field, i), "is null")
		}
		out.VolumeMounts = append(out.VolumeMounts, &runpb.VolumeMount{Name: m.Name, MountPath: m.MountPath, SubPath: m.SubPath})
	}
	var err error
	if out.Env, err = decodeEnv(field+".env", c.Env); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		name string
		from *knative.Probe
		to   **runpb.Probe
	}{{".startupProbe", c.StartupProbe, &out.StartupProbe}, {".livenessProbe", c.LivenessProbe, &out.LivenessProbe}, {".readinessProbe", c.ReadinessProbe, &out.ReadinessProbe}} {
		if *p.to, err = decodeProbe(field+p.name, p.from); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func decodeEnv(field string, vars []*knative.EnvVar) ([]*runpb.EnvVar, error) {
	var out []*runpb.EnvVar
	for i, v := range vars {
		if v == nil {
			return nil, sunya.Invalid(fmt.Sprintf("%s[%d]", field, i), "is null")
		}
		if v.ValueFrom != nil {
			return nil, unimplemented(fmt.Sprintf("%s[%d].valueFrom", field, i), "there is no Secret Manager here yet: give the value itself")
		}
		out = append(out, &runpb.EnvVar{Name: v.Name, Values: &runpb.EnvVar_Value{Value: v.Value}})
	}
	return out, nil
}

// encodeContainers is the reverse of decodeContainers.
func encodeContainers(cs []*runpb.Container) []*knative.Container {
	var out []*knative.Container
	for _, c := range cs {
		k := &knative.Container{
			Name: c.GetName(), Image: c.GetImage(), Command: c.GetCommand(), Args: c.GetArgs(), WorkingDir: c.GetWorkingDir(),
			StartupProbe: encodeProbe(c.GetStartupProbe()), LivenessProbe: encodeProbe(c.GetLivenessProbe()),
		}
		for _, p := range c.GetPorts() {
			k.Ports = append(k.Ports, &knative.ContainerPort{Name: p.GetName(), ContainerPort: int64(p.GetContainerPort())})
		}
		if limits := c.GetResources().GetLimits(); len(limits) > 0 {
			k.Resources = &knative.ResourceRequirements{Limits: limits}
		}
		for _, m := range c.GetVolumeMounts() {
			k.VolumeMounts = append(k.VolumeMounts, &knative.VolumeMount{Name: m.GetName(), MountPath: m.GetMountPath(), SubPath: m.GetSubPath()})
		}
		for _, v := range c.GetEnv() {
			// An empty value is one: without it the variable would read as half sent.
			k.Env = append(k.Env, &knative.EnvVar{Name: v.GetName(), Value: v.GetValue(), ForceSendFields: []string{"Value"}})
		}
		out = append(out, k)
	}
	return out
}

// small keeps a number within what v2's fields hold; what does not fit is out of
// every field's range, and stays so.
func small(n int64) int32 { return int32(max(min(n, 1<<31-1), -1)) }

func unimplemented(field, message string) error {
	return &sunya.Error{Code: sunya.Unimplemented, Field: field, Message: message}
}
