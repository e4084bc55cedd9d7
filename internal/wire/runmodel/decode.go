package runmodel

import (
	"encoding/json"
	"fmt"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/api"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Service turns a service into the model's, completed, and says what of it is
// accepted and has no effect. m is not changed.
func Service(k run.Key, m *runpb.Service) (run.Spec, []string, error) {
	if m.GetTemplate() == nil {
		return run.Spec{}, nil, sunya.Invalid("service.template", "is missing: name at least the container's image")
	}
	if err := refuseService(m); err != nil {
		return run.Spec{}, nil, err
	}
	s := run.Spec{
		Description:     m.GetDescription(),
		Labels:          m.GetLabels(),
		Annotations:     m.GetAnnotations(),
		Client:          m.GetClient(),
		Version:         m.GetClientVersion(),
		Open:            m.GetInvokerIamDisabled(),
		DefaultURLOff:   m.GetDefaultUriDisabled(),
		CustomAudiences: m.GetCustomAudiences(),
		Scaling:         scaling(m.GetScaling()),
	}
	var err error
	if s.Ingress, err = ingress(m.GetIngress()); err != nil {
		return s, nil, err
	}
	if s.Traffic, err = traffic(k, m.GetTraffic()); err != nil {
		return s, nil, err
	}
	if s.Template, err = template(m.GetTemplate()); err != nil {
		return s, nil, err
	}
	s.Complete(k)
	return s, warnings(m), document(&s, m)
}

func scaling(m *runpb.ServiceScaling) run.Scaling {
	out := run.Scaling{Min: int(m.GetMinInstanceCount()), Max: int(m.GetMaxInstanceCount())}
	if m != nil && m.ManualInstanceCount != nil && m.GetScalingMode() != runpb.ServiceScaling_AUTOMATIC {
		n := int(m.GetManualInstanceCount())
		out.Manual = &n
	}
	return out
}

// ingresses is the ingress settings in the order of the enum.
func ingresses() []run.Ingress {
	return []run.Ingress{"", run.IngressAll, run.IngressInternal, run.IngressLoadBalancer, run.IngressNone}
}

func ingress(e runpb.IngressTraffic) (run.Ingress, error) {
	if e < 0 || int(e) >= len(ingresses()) {
		return "", sunya.Invalid("service.ingress", "%d is not an ingress setting", e)
	}
	return ingresses()[e], nil
}

// traffic reads a split. What asks for no kind of target names a revision, or
// means the latest.
func traffic(k run.Key, ts []*runpb.TrafficTarget) ([]run.Target, error) {
	var out []run.Target
	for i, t := range ts {
		target := run.Target{
			Revision: strings.TrimPrefix(t.GetRevision(), k.Name()+"/revisions/"),
			Percent:  int(t.GetPercent()),
			Tag:      t.GetTag(),
		}
		switch t.GetType() {
		case runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST:
			target.Latest = true
		case runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED:
			target.Latest = target.Revision == ""
		case runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION:
		default:
			return nil, sunya.Invalid(fmt.Sprintf("service.traffic[%d].type", i), "%d is not a kind of target: use LATEST or REVISION", t.GetType())
		}
		out = append(out, target)
	}
	return out, nil
}

func template(m *runpb.RevisionTemplate) (run.Template, error) {
	const field = "service.template"
	t := run.Template{
		Revision:    m.GetRevision(),
		Labels:      m.GetLabels(),
		Annotations: m.GetAnnotations(),
		Min:         int(m.GetScaling().GetMinInstanceCount()),
		Max:         int(m.GetScaling().GetMaxInstanceCount()),
		Timeout:     m.GetTimeout().AsDuration(),
		Account:     m.GetServiceAccount(),
		Concurrency: int(m.GetMaxInstanceRequestConcurrency()),
		Affinity:    m.GetSessionAffinity(),
		Unchecked:   m.GetHealthCheckDisabled(),
		Generation2: m.GetExecutionEnvironment() == runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_GEN2,
	}
	var err error
	if t.Containers, err = Containers(field, m.GetContainers()); err != nil {
		return t, err
	}
	t.Volumes, err = Volumes(field, m.GetVolumes())
	return t, err
}

// refuseService answers what would be wrong to ignore.
func refuseService(m *runpb.Service) error {
	const service, template = "service.", "service.template."
	t := m.GetTemplate()
	return firstOf([]refusal{
		{m.GetBinaryAuthorization() != nil, service + "binary_authorization", "there is no Binary Authorization here yet"},
		{m.GetIapEnabled(), service + "iap_enabled", "there is no Identity-Aware Proxy here yet: keep callers out with IAM instead"},
		{m.GetMultiRegionSettings() != nil, service + "multi_region_settings", "there is one region here: leave it out"},
		{t.GetVpcAccess() != nil, template + "vpc_access", "there are no VPC networks here; private addresses are reached without one: leave it out"},
		{t.GetEncryptionKey() != "", template + "encryption_key", "there is no Cloud KMS here yet"},
		{t.GetServiceMesh() != nil, template + "service_mesh", "there is no service mesh here"},
		{t.GetNodeSelector() != nil, template + "node_selector", "there are no GPUs here yet"},
	})
}

// warnings name what is accepted and has no effect.
func warnings(m *runpb.Service) []string {
	var out []string
	for _, w := range []struct {
		set  bool
		text string
	}{
		{m.GetBuildConfig().GetEnableAutomaticUpdates(), "service.build_config.enable_automatic_updates: base images are not updated without a build"},
		{m.GetIngress() == runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER, "service.ingress: there are no load balancers here; as INGRESS_TRAFFIC_INTERNAL_ONLY"},
	} {
		if w.set {
			out = append(out, w.text)
		}
	}
	out = append(out, ContainerWarnings("service.template", m.GetTemplate().GetContainers())...)
	for _, name := range transcode.Ignored(m) {
		out = append(out, "service."+name+": not a field of this API; it has no effect")
	}
	return out
}

// document puts into a Spec all that was sent but for what only the server
// says, with the defaults filled in.
func document(s *run.Spec, m *runpb.Service) (err error) {
	kept := &runpb.Service{
		Description: m.GetDescription(), Labels: m.GetLabels(), Annotations: m.GetAnnotations(),
		Client: m.GetClient(), ClientVersion: m.GetClientVersion(),
		LaunchStage: m.GetLaunchStage(), Scaling: m.GetScaling(), InvokerIamDisabled: m.GetInvokerIamDisabled(),
		DefaultUriDisabled: m.GetDefaultUriDisabled(), CustomAudiences: m.GetCustomAudiences(),
		BuildConfig: m.GetBuildConfig(),
		Ingress:     encodeIngress(s.Ingress), Traffic: encodeTraffic(s.Traffic),
	}
	if kept.GetLaunchStage() == api.LaunchStage_LAUNCH_STAGE_UNSPECIFIED {
		kept.LaunchStage = api.LaunchStage_GA
	}
	if s.Document, err = canonical(kept); err != nil {
		return err
	}
	t := proto.CloneOf(m.GetTemplate())
	t.Revision = ""
	completeTemplate(t, &s.Template)
	s.Template.Document, err = canonical(t)
	return err
}

// canonical is a message as JSON, the same for the same message.
func canonical(m proto.Message) ([]byte, error) {
	raw, err := protojson.Marshal(m) // whose spaces are random
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	var doc any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return json.Marshal(doc)
}
