package runv1

import (
	"strconv"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/api"
	"google.golang.org/protobuf/proto"
)

type service = *runpb.Service

// ingresses are the values of run.googleapis.com/ingress.
var ingresses = map[string]runpb.IngressTraffic{
	"all":                               runpb.IngressTraffic_INGRESS_TRAFFIC_ALL,
	"internal":                          runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_ONLY,
	"internal-and-cloud-load-balancing": runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER,
	"none":                              runpb.IngressTraffic_INGRESS_TRAFFIC_NONE,
}

var stages = map[string]api.LaunchStage{"ALPHA": api.LaunchStage_ALPHA, "BETA": api.LaunchStage_BETA, "GA": api.LaunchStage_GA}

// serviceAnnotations are those of a service's metadata.
var serviceAnnotations = annotations[service]{
	choice(runPrefix+"ingress", ingresses, func(s service) *runpb.IngressTraffic { return &s.Ingress }),
	output(runPrefix+"ingress-status", func(s service) string {
		return choice("", ingresses, func(s service) *runpb.IngressTraffic { return &s.Ingress }).show(s)
	}),
	{runPrefix + "launch-stage", choice("", stages, launchStage).read, func(s service) string {
		if s.GetLaunchStage() == api.LaunchStage_GA {
			return "" // as at Google: the usual is not said
		}
		return choice("", stages, launchStage).show(s)
	}},
	text(runPrefix+"description", func(s service) *string { return &s.Description }),
	text(runPrefix+"client-name", func(s service) *string { return &s.Client }),
	text(runPrefix+"client-version", func(s service) *string { return &s.ClientVersion }),
	count(runPrefix+"minScale", func(s service) int32 { return s.GetScaling().GetMinInstanceCount() }, func(s service) *int32 { return &scalingOf(s).MinInstanceCount }),
	count(runPrefix+"maxScale", func(s service) int32 { return s.GetScaling().GetMaxInstanceCount() }, func(s service) *int32 { return &scalingOf(s).MaxInstanceCount }),
	choice(runPrefix+"scalingMode", map[string]runpb.ServiceScaling_ScalingMode{
		"automatic": runpb.ServiceScaling_AUTOMATIC, "manual": runpb.ServiceScaling_MANUAL,
	}, func(s service) *runpb.ServiceScaling_ScalingMode { return &scalingOf(s).ScalingMode }),
	{runPrefix + "manualInstanceCount", func(s service, v string) error {
		n, err := readCount(v)
		scalingOf(s).ManualInstanceCount = proto.Int32(n)
		return err
	}, func(s service) string {
		if s.GetScaling().GetManualInstanceCount() == 0 && s.GetScaling().GetScalingMode() != runpb.ServiceScaling_MANUAL {
			return ""
		}
		return strconv.Itoa(int(s.GetScaling().GetManualInstanceCount()))
	}},
	flag(runPrefix+"default-url-disabled", func(s service) *bool { return &s.DefaultUriDisabled }),
	flag(runPrefix+"invoker-iam-disabled", func(s service) *bool { return &s.InvokerIamDisabled }),
	flag(runPrefix+"iap-enabled", func(s service) *bool { return &s.IapEnabled }),
	{runPrefix + "custom-audiences", func(s service, v string) error { return readJSON(v, &s.CustomAudiences) },
		func(s service) string { return showJSON(s.GetCustomAudiences(), len(s.GetCustomAudiences())) }},
	refused[service](runPrefix+"binary-authorization", "there is no Binary Authorization here"),
	refused[service](runPrefix+"binary-authorization-breakglass", "there is no Binary Authorization here"),
	refused[service](runPrefix+"gc-traffic-tags", "tags are never removed by themselves here: remove them with update-traffic"),
	output(runPrefix+"urls", func(s service) string { return showJSON(s.GetUrls(), len(s.GetUrls())) }),
	output[service](runPrefix+"operation-id", nil), // gcloud polls the service itself without it
	output(creatorKey, service.GetCreator),
	output(lastModifierKey, service.GetLastModifier),

	text(runPrefix+"build-name", func(s service) *string { return &buildOf(s).Name }).only(hasBuild),
	text(runPrefix+"build-image-uri", func(s service) *string { return &buildOf(s).ImageUri }).only(hasBuild),
	text(runPrefix+"build-source-location", func(s service) *string { return &buildOf(s).SourceLocation }).only(hasBuild),
	text(runPrefix+"build-function-target", func(s service) *string { return &buildOf(s).FunctionTarget }).only(hasBuild),
	text(runPrefix+"build-base-image", func(s service) *string { return &buildOf(s).BaseImage }).only(hasBuild),
	text(runPrefix+"build-worker-pool", func(s service) *string { return &buildOf(s).WorkerPool }).only(hasBuild),
	text(runPrefix+"build-service-account", func(s service) *string { return &buildOf(s).ServiceAccount }).only(hasBuild),
	flag(runPrefix+"build-enable-automatic-updates", func(s service) *bool { return &buildOf(s).EnableAutomaticUpdates }).only(hasBuild),
	{runPrefix + "build-environment-variables", func(s service, v string) error { return readJSON(v, &buildOf(s).EnvironmentVariables) },
		func(s service) string {
			return showJSON(s.GetBuildConfig().GetEnvironmentVariables(), len(s.GetBuildConfig().GetEnvironmentVariables()))
		}},
	output(runPrefix+"build-id", func(s service) string { return lastOf(s.GetBuildConfig().GetName()) }),
}

// only shows an annotation where there is something: what it reads from would be
// made otherwise.
func (a annotation[M]) only(has func(M) bool) annotation[M] {
	show := a.show
	a.show = func(m M) string {
		if !has(m) {
			return ""
		}
		return show(m)
	}
	return a
}

func hasBuild(s service) bool { return s.GetBuildConfig() != nil }

func launchStage(s service) *api.LaunchStage { return &s.LaunchStage }

func jobStage(j *runpb.Job) *api.LaunchStage { return &j.LaunchStage }

func scalingOf(s service) *runpb.ServiceScaling {
	if s.GetScaling() == nil {
		s.Scaling = &runpb.ServiceScaling{}
	}
	return s.GetScaling()
}

func buildOf(s service) *runpb.BuildConfig {
	if s.GetBuildConfig() == nil {
		s.BuildConfig = &runpb.BuildConfig{}
	}
	return s.GetBuildConfig()
}
