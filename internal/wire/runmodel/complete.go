package runmodel

import (
	"strconv"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya/internal/core/run"
)

// completeTemplate writes the defaults into a template, from the model that was
// completed: what a client reads and sends again is then the same.
func completeTemplate(m *runpb.RevisionTemplate, t *run.Template) {
	m.Timeout = durationpb.New(t.Timeout)
	m.ServiceAccount = t.Account
	m.MaxInstanceRequestConcurrency = int32(t.Concurrency)
	if m.GetScaling() == nil {
		m.Scaling = &runpb.RevisionScaling{}
	}
	m.Scaling.MaxInstanceCount = int32(t.Max)
	CompleteContainers(m.GetContainers(), t.Containers)
	for _, v := range m.GetVolumes() {
		if d := v.GetEmptyDir(); d != nil {
			d.Medium = runpb.EmptyDirVolumeSource_MEMORY
		}
	}
	for i, c := range m.GetContainers() {
		if port := t.Containers[i].Port; port != 0 {
			completeIngress(c, &t.Containers[i])
		}
	}
}

// CompleteContainers writes the defaults into containers, from the model's that
// were completed.
func CompleteContainers(ms []*runpb.Container, cs []run.Container) {
	for i, m := range ms {
		c := &cs[i]
		m.Name = c.ContainerName
		if m.GetResources() == nil {
			m.Resources = &runpb.ResourceRequirements{CpuIdle: true, StartupCpuBoost: false}
		}
		limits := map[string]string{}
		for name, value := range m.GetResources().GetLimits() {
			limits[name] = value
		}
		if limits["memory"] == "" {
			limits["memory"] = memory(c.MemoryBytes)
		}
		if limits["cpu"] == "" {
			limits["cpu"] = cpu(c.CPUMillis)
		}
		m.Resources.Limits = limits
		for _, p := range []*runpb.Probe{m.GetStartupProbe(), m.GetLivenessProbe()} {
			completeProbe(p)
		}
	}
}

// completeIngress is about the container that answers requests.
func completeIngress(m *runpb.Container, c *run.Container) {
	if len(m.GetPorts()) == 0 {
		m.Ports = []*runpb.ContainerPort{{}}
	}
	m.Ports[0].ContainerPort = int32(c.Port)
	if m.Ports[0].GetName() == "" {
		m.Ports[0].Name = "http1"
	}
	if m.GetStartupProbe() == nil {
		m.StartupProbe = defaultStartup(c.Port)
	}
}

func completeProbe(p *runpb.Probe) {
	if p == nil {
		return
	}
	for _, d := range []struct {
		field *int32
		value int32
	}{{&p.TimeoutSeconds, defaultTimeout}, {&p.PeriodSeconds, defaultPeriod}, {&p.FailureThreshold, defaultFailures}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if h := p.GetHttpGet(); h != nil && h.GetPath() == "" {
		h.Path = "/"
	}
}

// memory is an amount of memory as a quantity.
func memory(bytes int64) string {
	switch {
	case bytes%(1<<30) == 0:
		return strconv.FormatInt(bytes>>30, 10) + "Gi"
	case bytes%(1<<20) == 0:
		return strconv.FormatInt(bytes>>20, 10) + "Mi"
	}
	return strconv.FormatInt(bytes, 10)
}

// cpu is a number of CPUs as a quantity, as Google spells it.
func cpu(millis int) string { return strconv.Itoa(millis) + "m" }
