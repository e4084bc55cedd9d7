package run

import (
	"strconv"

	"github.com/sunya-cloud/sunya"
)

// deployment is the work from a template to a revision that serves.
func (a *Admin) deployment(s *Service, op *sunya.Operation, id string) *sunya.Deployment {
	d := a.rerouting(s, op)
	d.Step = sunya.StepBuilding
	d.Unproven = s.Template.Unchecked
	d.Build.Images = map[string]sunya.ImageSpec{}
	for _, c := range s.Template.Containers {
		d.Build.Images[c.ContainerName] = c.From
	}
	d.Revision = a.revision(s, id)
	return d
}

// rerouting is the work that brings a service's split, hosts and policy into
// effect.
func (a *Admin) rerouting(s *Service, op *sunya.Operation) *sunya.Deployment {
	return &sunya.Deployment{
		ID:         s.Deployment,
		Operation:  op.Name,
		Step:       sunya.StepRouting,
		CreateTime: s.UpdateTime,
		Access:     s.access(),
		Revision:   sunya.Revision{Service: s.Name(), Project: s.Project, Product: sunya.CloudRun},
		Document:   a.document(s.Key),
	}
}

// revision is a template in the core's terms.
func (a *Admin) revision(s *Service, id string) sunya.Revision {
	t, name := &s.Template, s.RevisionName(id)
	rev := sunya.Revision{
		Name:           name,
		ID:             "run-" + sunya.ShortID(s.Build),
		Service:        s.Name(),
		Project:        s.Project,
		Product:        sunya.CloudRun,
		Labels:         s.labels(id),
		Volumes:        t.Volumes,
		Affinity:       t.Affinity,
		Concurrency:    t.Concurrency,
		ServiceAccount: t.Account,
		Scaling:        sunya.Scaling{Min: t.Min, Max: t.Max},
		RequestTimeout: t.Timeout,
		StartTimeout:   a.StartTimeout,
		CreateTime:     s.UpdateTime,
	}
	for i := range t.Containers {
		c := &t.Containers[i]
		own := c.Container
		own.Env = s.environment(c, id)
		if c.AlwaysOn {
			rev.Scaling.NoFreeze = true
		}
		if c.Port == 0 {
			rev.Sidecars = append(rev.Sidecars, own)
			continue
		}
		rev.Container, rev.Port, rev.Protocol = own, c.Port, c.Protocol
	}
	return rev
}

// labels are the monitored-resource labels of cloud_run_revision.
func (s *Service) labels(revision string) map[string]string {
	return map[string]string{
		"project_id":         s.Project,
		"location":           s.Location,
		"service_name":       s.ID,
		"configuration_name": s.ID,
		"revision_name":      revision,
	}
}

// environment is the container contract's variables and the user's.
func (s *Service) environment(c *Container, revision string) []sunya.EnvVar {
	var env []sunya.EnvVar
	if c.Port != 0 {
		env = append(env, sunya.EnvVar{Name: "PORT", Value: strconv.Itoa(c.Port)})
	}
	env = append(env,
		sunya.EnvVar{Name: "K_SERVICE", Value: s.ID},
		sunya.EnvVar{Name: "K_REVISION", Value: revision},
		sunya.EnvVar{Name: "K_CONFIGURATION", Value: s.ID},
	)
	return append(env, c.Env...)
}
