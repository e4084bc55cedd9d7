package run

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// reservedEnv are the variables that the platform sets.
func reservedEnv() []string {
	return []string{"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"}
}

// Complete fills in the defaults. It may be called again.
func (s *Spec) Complete(k Key) {
	if len(s.Traffic) == 0 {
		s.Traffic = []Target{{Latest: true, Percent: 100}}
	}
	if s.Ingress == "" {
		s.Ingress = IngressAll
	}
	s.Template.complete(k)
}

func (t *Template) complete(k Key) {
	for i := range t.Containers {
		t.Containers[i].Complete(i, len(t.Containers) > 1)
	}
	if len(t.Containers) == 1 && t.Containers[0].Port == 0 {
		t.Containers[0].Port = DefaultPort
	}
	if t.Timeout == 0 {
		t.Timeout = DefaultTimeout
	}
	if t.Account == "" {
		t.Account = sunya.ComputeAccount(k.Project)
	}
	if t.Max == 0 {
		t.Max = max(DefaultMax, t.Min)
	}
	in := t.Ingress()
	if in == nil {
		return
	}
	if t.Concurrency == 0 {
		t.Concurrency = DefaultConcurrency
		if in.CPUMillis < 1000 {
			t.Concurrency = 1
		}
	}
	if isDefaultStartup(in.Startup, in.Port) {
		in.Startup = nil
	}
}

// Ingress is the container that answers requests: the one with a port, nil when
// there is none.
func (t *Template) Ingress() *Container {
	for i := range t.Containers {
		if t.Containers[i].Port != 0 {
			return &t.Containers[i]
		}
	}
	return nil
}

// isDefaultStartup reports whether a startup probe says what holds without one:
// that the container listens on its port after 240 seconds.
func isDefaultStartup(p *sunya.Probe, port int) bool {
	return p != nil && p.TCP != nil && (p.TCP.Port == 0 || p.TCP.Port == port) &&
		p.Delay == 0 && p.Timeout == maxStartup && p.Period == maxStartup && p.Failures == 1
}

// Check holds for everything that the owner says of itself, after Complete.
func (s *Spec) Check(k Key) error {
	switch s.Ingress {
	case IngressAll, IngressInternal, IngressLoadBalancer, IngressNone:
	default:
		return sunya.Invalid("service.ingress", "%q is not an ingress setting: use all, internal or internal-and-cloud-load-balancing", s.Ingress)
	}
	if len(s.Description) > maxDescription {
		return sunya.Invalid("service.description", "%d characters are more than %d", len(s.Description), maxDescription)
	}
	if err := checkLabels("service", s.Labels, s.Annotations); err != nil {
		return err
	}
	for i, aud := range s.CustomAudiences {
		if u, err := url.Parse(aud); err != nil || aud == "" || len(aud) > 256 || strings.ContainsAny(aud, " \t\n") || u.Fragment != "" {
			return sunya.Invalid(fmt.Sprintf("service.custom_audiences[%d]", i), "%q is not an audience: use a URL of 256 characters at most", aud)
		}
	}
	if err := s.Scaling.check(); err != nil {
		return err
	}
	if err := checkTargets(s.Traffic); err != nil {
		return err
	}
	return s.Template.check(k)
}

func (s *Scaling) check() error {
	const field = "service.scaling."
	switch {
	case s.Min < 0 || s.Min > maxInstances:
		return sunya.Invalid(field+"min_instance_count", "%d is not allowed: use 0 to %d", s.Min, maxInstances)
	case s.Max < 0 || s.Max > maxInstances:
		return sunya.Invalid(field+"max_instance_count", "%d is not allowed: use 0 to %d", s.Max, maxInstances)
	case s.Max > 0 && s.Min > s.Max:
		return sunya.Invalid(field+"min_instance_count", "%d is more than max_instance_count %d", s.Min, s.Max)
	case s.Manual != nil && (*s.Manual < 0 || *s.Manual > maxInstances):
		return sunya.Invalid(field+"manual_instance_count", "%d is not allowed: use 0 to %d", *s.Manual, maxInstances)
	}
	return nil
}

func (t *Template) check(k Key) error {
	const field = "service.template"
	if t.Revision != "" {
		if err := k.checkRevision(t.Revision); err != nil {
			return err
		}
	}
	if err := checkLabels(field, t.Labels, t.Annotations); err != nil {
		return err
	}
	if err := CheckContainers(field, t.Containers, t.Volumes, reservedEnv()); err != nil {
		return err
	}
	if err := t.checkIngress(field); err != nil {
		return err
	}
	switch in := t.Ingress(); {
	case t.Timeout < time.Second || t.Timeout > maxTimeout:
		return sunya.Invalid(field+".timeout", "%v is not allowed: use 1 to %d seconds", t.Timeout, int(maxTimeout.Seconds()))
	case t.Concurrency < 1 || t.Concurrency > maxConcurrency:
		return sunya.Invalid(field+".max_instance_request_concurrency", "%d is not allowed: use 1 to %d", t.Concurrency, maxConcurrency)
	case t.Concurrency > 1 && in.CPUMillis < 1000:
		return sunya.Invalid(field+".max_instance_request_concurrency", "%d requests at once need a whole CPU: set the CPU to 1 or more, or the concurrency to 1", t.Concurrency)
	case in.AlwaysOn && in.CPUMillis < 1000:
		return sunya.Invalid(field+".containers[0].resources.cpu_idle", "a CPU that is always allocated is a whole one: set the CPU to 1 or more, or cpu_idle to true")
	case t.Min < 0 || t.Min > maxInstances:
		return sunya.Invalid(field+".scaling.min_instance_count", "%d is not allowed: use 0 to %d", t.Min, maxInstances)
	case t.Max < 1 || t.Max > maxInstances:
		return sunya.Invalid(field+".scaling.max_instance_count", "%d is not allowed: use 1 to %d", t.Max, maxInstances)
	case t.Min > t.Max:
		return sunya.Invalid(field+".scaling.min_instance_count", "%d is more than max_instance_count %d", t.Min, t.Max)
	case !sunya.IsAccount(t.Account):
		return sunya.CheckAccount(field+".service_account", t.Account)
	case t.Generation2 && t.memory() < DefaultMemory:
		return sunya.Invalid(field+".containers[0].resources.limits[memory]", "%v is not allowed: the second generation's execution environment needs 512Mi or more", sunya.Bytes(t.memory()))
	}
	return nil
}

// checkIngress holds for the port: one container has one.
func (t *Template) checkIngress(field string) error {
	n := 0
	for i := range t.Containers {
		if t.Containers[i].Port != 0 {
			n++
		}
	}
	if n != 1 {
		return sunya.Invalid(field+".containers", "%d containers have ports: exactly one answers requests, give that one ports", n)
	}
	return nil
}

func (t *Template) memory() (sum int64) {
	for i := range t.Containers {
		sum += t.Containers[i].MemoryBytes
	}
	return sum
}

// Bounds on labels and annotations (Kubernetes).
const (
	maxAnnotations = 256 << 10
	maxLabelValue  = 63
	maxLabelKey    = 317 // prefix of 253, a slash, name of 63
)

var labelKeyRE = regexp.MustCompile(`^([a-z0-9A-Z._-]+/)?[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$`)

func checkLabels(field string, labels, annotations map[string]string) error {
	for key, value := range labels {
		switch {
		case len(key) > maxLabelKey || !labelKeyRE.MatchString(key):
			return sunya.Invalid(field+".labels", "%q is not the name of a label", key)
		case len(value) > maxLabelValue:
			return sunya.Invalid(field+".labels", "the value of %s has %d characters, more than %d", key, len(value), maxLabelValue)
		}
	}
	size := 0
	for key, value := range annotations {
		if len(key) > maxLabelKey || !labelKeyRE.MatchString(key) {
			return sunya.Invalid(field+".annotations", "%q is not the name of an annotation", key)
		}
		size += len(key) + len(value)
	}
	if size > maxAnnotations {
		return sunya.Invalid(field+".annotations", "they have %d bytes together, more than %v", size, sunya.Bytes(maxAnnotations))
	}
	return nil
}
