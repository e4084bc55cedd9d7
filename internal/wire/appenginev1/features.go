package appenginev1

import (
	"slices"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sunya-cloud/sunya/internal/core/appengine"
)

// understood are the fields of a version that newVersion reads, that only the
// server sets, or that are looked at one by one below.
func understood() []protoreflect.Name {
	return []protoreflect.Name{
		"name", "id", "runtime", "entrypoint", "env_variables", "build_env_variables", "instance_class",
		"deployment", "runtime_main_executable_path", "created_by", "create_time", "disk_usage_bytes",
		"version_url", "automatic_scaling", "basic_scaling", "manual_scaling", "handlers", "error_handlers",
		"default_expiration", "env", "vm",
		"vpc_access_connector", "serving_status", "runtime_channel", "threadsafe", "inbound_services",
		"service_account",
	}
}

// features names what else a client has set.
func features(v *appenginepb.Version) []appengine.Feature {
	var out []appengine.Feature
	known := understood()
	v.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if !slices.Contains(known, f.Name()) {
			out = append(out, appengine.Feature(f.JSONName()))
		}
		return true
	})
	for _, f := range []struct {
		set  bool
		name appengine.Feature
	}{
		{v.GetVm() || !slices.Contains([]string{"", "1", "standard"}, v.GetEnv()), "flexible"},
		{v.GetDeployment().GetContainer() != nil, "deployment.container"},
		{v.GetServingStatus() == appenginepb.ServingStatus_STOPPED, "servingStatus.STOPPED"},
		{v.GetVpcAccessConnector() != nil, "vpcAccessConnector"},
		{v.GetVpcAccessConnector().GetEgressSetting() == appenginepb.VpcAccessConnector_ALL_TRAFFIC, "vpcAccessConnector.egress"},
		{otherInbound(v.GetInboundServices()), "inboundServices"},
		{v.GetRuntimeChannel() != "" && v.GetRuntimeChannel() != "default", "runtimeChannel"},
	} {
		if f.set {
			out = append(out, f.name)
		}
	}
	out = append(out, handlerFeatures(v.GetHandlers())...)
	return append(out, automaticFeatures(v.GetAutomaticScaling())...)
}

// handlerFeatures looks for what handlers of current runtimes do not have.
func handlerFeatures(handlers []*appenginepb.UrlMap) []appengine.Feature {
	var out []appengine.Feature
	add := func(set bool, name appengine.Feature) {
		if set && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, h := range handlers {
		login := h.GetLogin()
		add(login == appenginepb.LoginRequirement_LOGIN_REQUIRED || login == appenginepb.LoginRequirement_LOGIN_ADMIN, "handlers.login")
		add(h.GetApiEndpoint() != nil, "handlers.apiEndpoint")
	}
	return out
}

// otherInbound reports whether more is asked for than warm-up requests.
func otherInbound(services []appenginepb.InboundServiceType) bool {
	return slices.ContainsFunc(services, func(s appenginepb.InboundServiceType) bool {
		return s != appenginepb.InboundServiceType_INBOUND_SERVICE_WARMUP
	})
}

func automaticFeatures(s *appenginepb.AutomaticScaling) []appengine.Feature {
	var out []appengine.Feature
	if s.GetStandardSchedulerSettings().GetTargetCpuUtilization() != 0 {
		out = append(out, "automaticScaling.cpu")
	}
	if s.GetCoolDownPeriod() != nil || s.GetCpuUtilization() != nil || s.GetMaxTotalInstances() != 0 ||
		s.GetMinTotalInstances() != 0 || s.GetRequestUtilization() != nil || s.GetDiskUtilization() != nil ||
		s.GetNetworkUtilization() != nil {
		out = append(out, "automaticScaling.flexible")
	}
	return out
}
