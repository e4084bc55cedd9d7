package runv1

import (
	"slices"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	knative "google.golang.org/api/run/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// Versions and kinds of resources.
const (
	servingVersion = "serving.knative.dev/v1"
	serviceKind    = "Service"
)

// decodeService turns a service into v2's message. project and id are those of
// the path; id is empty where the path names none. status is ignored.
func decodeService(project, id string, k *knative.Service) (*runpb.Service, error) {
	if err := checkHead(project, id, k.ApiVersion, servingVersion, k.Kind, serviceKind, k.Metadata); err != nil {
		return nil, err
	}
	if k.Spec == nil || k.Spec.Template == nil || k.Spec.Template.Spec == nil {
		return nil, sunya.Invalid("spec.template.spec", "is missing: name at least a container with an image")
	}
	t, err := decodeTemplate(k.Spec.Template)
	if err != nil {
		return nil, err
	}
	out := &runpb.Service{Template: t, Labels: ownLabels(k.Metadata.Labels)}
	out.Traffic, err = decodeTraffic(k.Spec.Traffic)
	if err != nil {
		return nil, err
	}
	out.Annotations, err = serviceAnnotations.take("metadata.annotations", out, k.Metadata.Annotations)
	if err != nil {
		return nil, err
	}
	if k.Metadata.ResourceVersion != "" {
		out.Etag = `"` + k.Metadata.ResourceVersion + `"`
	}
	return out, nil
}

// checkHead holds for what every resource begins with.
func checkHead(project, id, version, wantVersion, kind, wantKind string, meta *knative.ObjectMeta) error {
	switch {
	case version != wantVersion:
		return sunya.Invalid("apiVersion", "%q is not allowed: use %s", version, wantVersion)
	case kind != wantKind:
		return sunya.Invalid("kind", "%q is not allowed: use %s", kind, wantKind)
	case meta == nil || meta.Name == "":
		return sunya.Invalid("metadata.name", "is missing")
	case id != "" && meta.Name != id:
		return sunya.Invalid("metadata.name", "%q is not the name in the path, which is %q", meta.Name, id)
	case meta.Namespace != "" && meta.Namespace != project && meta.Namespace != number(project):
		return sunya.Invalid("metadata.namespace", "%q is not the project of the request, which is %q: leave it out", meta.Namespace, project)
	}
	return nil
}

// ownLabels are the labels that a user has given.
func ownLabels(labels map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range labels {
		if key != locationLabel && key != probeLabel && !strings.HasPrefix(key, servingPrefix) {
			out[key] = value
		}
	}
	return out
}

// decodeTemplate turns a revision template into v2's message.
func decodeTemplate(k *knative.RevisionTemplate) (*runpb.RevisionTemplate, error) {
	const spec = "spec.template.spec"
	for _, r := range []struct {
		set  bool
		name string
	}{
		{len(k.Spec.ImagePullSecrets) > 0, ".imagePullSecrets"}, {k.Spec.EnableServiceLinks, ".enableServiceLinks"},
		{k.Spec.RuntimeClassName != "", ".runtimeClassName"}, {len(k.Spec.NodeSelector) > 0, ".nodeSelector"}, {k.Spec.Sandboxes != nil, ".sandboxes"},
	} {
		if r.set {
			return nil, unimplemented(spec+r.name, "is not supported here: leave it out")
		}
	}
	out := &runpb.RevisionTemplate{
		MaxInstanceRequestConcurrency: small(k.Spec.ContainerConcurrency),
		ServiceAccount:                k.Spec.ServiceAccountName,
	}
	if k.Spec.TimeoutSeconds != 0 {
		out.Timeout = &durationpb.Duration{Seconds: int64(small(k.Spec.TimeoutSeconds))}
	}
	var err error
	if out.Containers, err = decodeContainers(spec+".containers", k.Spec.Containers); err != nil {
		return nil, err
	}
	if out.Volumes, err = decodeVolumes(spec+".volumes", k.Spec.Volumes); err != nil {
		return nil, err
	}
	if k.Metadata == nil {
		return out, nil
	}
	out.Revision, out.Labels = k.Metadata.Name, ownLabels(k.Metadata.Labels)
	if k.Metadata.Labels[probeLabel] == defaultProbe {
		forgetProbe(out.GetContainers())
	}
	out.Annotations, err = templateAnnotations.take("spec.template.metadata.annotations", out, k.Metadata.Annotations)
	return out, err
}

// defaultProbe says that a startup probe is there for want of another.
const defaultProbe = "Default"

// isDefaultProbe reports whether a container's startup probe is the one that goes
// without saying: a connection to its port within 240 seconds.
func isDefaultProbe(c *runpb.Container) bool {
	p := c.GetStartupProbe()
	return len(c.GetPorts()) > 0 && p.GetTcpSocket() != nil && p.GetTcpSocket().GetPort() == c.GetPorts()[0].GetContainerPort() &&
		p.GetTimeoutSeconds() == 240 && p.GetPeriodSeconds() == 240 && p.GetFailureThreshold() == 1 && p.GetInitialDelaySeconds() == 0
}

// forgetProbe takes a startup probe away that nobody asked for: another port has
// another.
func forgetProbe(cs []*runpb.Container) {
	for _, c := range cs {
		if len(c.GetPorts()) > 0 {
			c.StartupProbe = nil
		}
	}
}

func decodeTraffic(ts []*knative.TrafficTarget) ([]*runpb.TrafficTarget, error) {
	var out []*runpb.TrafficTarget
	for _, t := range ts {
		if t == nil {
			return nil, sunya.Invalid("spec.traffic", "holds null: name a revision, or ask for latestRevision")
		}
		m := &runpb.TrafficTarget{Revision: t.RevisionName, Percent: small(t.Percent), Tag: t.Tag, Type: revisionTarget}
		if t.LatestRevision {
			m.Type = latestTarget
		}
		out = append(out, m)
	}
	return out, nil
}

const (
	latestTarget   = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
	revisionTarget = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
)

// encodeService shows a service.
func encodeService(k run.Key, s *runpb.Service) *knative.Service {
	meta := metaOf(k.Project, "services", k.ID, s)
	meta.Annotations = serviceAnnotations.put(s, s.GetAnnotations())
	meta.Labels = withLabels(s.GetLabels(), locationLabel, k.Location)
	out := &knative.Service{
		ApiVersion: servingVersion, Kind: serviceKind, Metadata: meta,
		Spec: &knative.ServiceSpec{Template: encodeTemplate(s.GetTemplate())},
		Status: &knative.ServiceStatus{
			ObservedGeneration:        s.GetObservedGeneration(),
			Conditions:                encodeConditions(serviceConditions(s)),
			LatestCreatedRevisionName: lastOf(s.GetLatestCreatedRevision()),
			LatestReadyRevisionName:   lastOf(s.GetLatestReadyRevision()),
			Url:                       s.GetUri(),
			Traffic:                   encodeStatuses(s.GetTrafficStatuses()),
		},
	}
	if s.GetUri() != "" {
		out.Status.Address = &knative.Addressable{Url: s.GetUri()}
	}
	for _, t := range s.GetTraffic() {
		out.Spec.Traffic = append(out.Spec.Traffic, &knative.TrafficTarget{
			LatestRevision: t.GetType() == latestTarget, RevisionName: lastOf(t.GetRevision()), Percent: int64(t.GetPercent()), Tag: t.GetTag(),
		})
	}
	return out
}

// encodeTemplate is the reverse of decodeTemplate.
func encodeTemplate(t *runpb.RevisionTemplate) *knative.RevisionTemplate {
	labels := t.GetLabels()
	if slices.ContainsFunc(t.GetContainers(), isDefaultProbe) {
		labels = withLabels(labels, probeLabel, defaultProbe)
	}
	return &knative.RevisionTemplate{
		Metadata: &knative.ObjectMeta{Name: lastOf(t.GetRevision()), Labels: labels, Annotations: templateAnnotations.put(t, t.GetAnnotations())},
		Spec: &knative.RevisionSpec{
			ContainerConcurrency: int64(t.GetMaxInstanceRequestConcurrency()),
			TimeoutSeconds:       t.GetTimeout().GetSeconds(),
			ServiceAccountName:   t.GetServiceAccount(),
			Containers:           encodeContainers(t.GetContainers()),
			Volumes:              encodeVolumes(t.GetVolumes()),
		},
	}
}

// encodeStatuses shows who has the traffic. A target of the latest revision says
// so, and which that is.
func encodeStatuses(ts []*runpb.TrafficTargetStatus) []*knative.TrafficTarget {
	var out []*knative.TrafficTarget
	for _, t := range ts {
		out = append(out, &knative.TrafficTarget{
			LatestRevision: t.GetType() == latestTarget, RevisionName: lastOf(t.GetRevision()),
			Percent: int64(t.GetPercent()), Tag: t.GetTag(), Url: t.GetUri(),
		})
	}
	return out
}
