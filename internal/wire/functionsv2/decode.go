package functionsv2

import (
	"fmt"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// decode turns the API's function into what core/functions deploys.
func decode(f *functionspb.Function) (functions.Spec, []string, error) {
	if err := refuse(f); err != nil {
		return functions.Spec{}, nil, err
	}
	b, c := f.GetBuildConfig(), f.GetServiceConfig()
	src := b.GetSource().GetStorageSource()
	s := functions.Spec{
		Runtime:     b.GetRuntime(),
		EntryPoint:  b.GetEntryPoint(),
		Source:      functions.Source{Bucket: src.GetBucket(), Object: src.GetObject()},
		BuildEnv:    b.GetEnvironmentVariables(),
		Env:         c.GetEnvironmentVariables(),
		Timeout:     time.Duration(c.GetTimeoutSeconds()) * time.Second,
		Concurrency: int(c.GetMaxInstanceRequestConcurrency()),
		Min:         int(c.GetMinInstanceCount()),
		Max:         int(c.GetMaxInstanceCount()),
		Account:     c.GetServiceAccountEmail(),
		Labels:      f.GetLabels(),
		Description: f.GetDescription(),
	}
	if c.GetIngressSettings() > functionspb.ServiceConfig_ALLOW_ALL {
		s.Ingress = sunya.IngressInternal
	}
	var err error
	if s.Event, err = decodeTrigger(f.GetEventTrigger()); err != nil {
		return s, nil, err
	}
	if m := c.GetAvailableMemory(); m != "" {
		if s.MemoryBytes, err = functions.ParseMemory(m); err != nil {
			return s, nil, sunya.InField("function.service_config.available_memory", err)
		}
	}
	if cpu := c.GetAvailableCpu(); cpu != "" {
		if s.CPUMillis, err = functions.ParseCPU(cpu); err != nil {
			return s, nil, sunya.InField("function.service_config.available_cpu", err)
		}
	}
	s.Document, err = sent(f)
	return s, warnings(f), err
}

// sent is what is stored of a function: all that was sent, but for what only the
// server says.
func sent(f *functionspb.Function) ([]byte, error) {
	kept := proto.CloneOf(f)
	kept.Name, kept.State, kept.StateMessages, kept.Url = "", 0, nil, ""
	kept.UpdateTime, kept.CreateTime = nil, nil
	if c := kept.GetServiceConfig(); c != nil {
		c.Service, c.Uri, c.Revision = "", "", ""
	}
	if e := kept.GetEventTrigger(); e != nil {
		e.Trigger = ""
	}
	if b := kept.GetBuildConfig(); b != nil {
		b.Build, b.SourceProvenance = "", nil
	}
	doc, err := protojson.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encode function: %w", err)
	}
	return doc, nil
}

// refuse answers what would be wrong to ignore.
func refuse(f *functionspb.Function) error {
	b, c := f.GetBuildConfig(), f.GetServiceConfig()
	for _, r := range []struct {
		set            bool
		field, message string
	}{
		{f.GetEnvironment() == functionspb.Environment_GEN_1, "environment", "functions of the first generation are made by the API's version v1: use it, or GEN_2"},
		{len(c.GetSecretEnvironmentVariables()) > 0, "service_config.secret_environment_variables", "there is no Secret Manager here yet: use environment variables"},
		{len(c.GetSecretVolumes()) > 0, "service_config.secret_volumes", "there is no Secret Manager here yet: use environment variables"},
		{b.GetSource().GetRepoSource() != nil || b.GetSource().GetGitUri() != "", "build_config.source", "sources in repositories are not supported yet: upload an archive"},
		{c.GetVpcConnectorEgressSettings() == functionspb.ServiceConfig_ALL_TRAFFIC, "service_config.vpc_connector_egress_settings", "ALL_TRAFFIC is not supported yet: use PRIVATE_RANGES_ONLY"},
	} {
		if r.set {
			return &sunya.Error{Code: sunya.Unimplemented, Field: "function." + r.field, Message: r.message}
		}
	}
	return nil
}

// warnings name what is accepted and has no effect.
func warnings(f *functionspb.Function) []string {
	var out []string
	b, c := f.GetBuildConfig(), f.GetServiceConfig()
	for _, w := range []struct {
		set  bool
		text string
	}{
		{c.GetVpcConnector() != "", "serviceConfig.vpcConnector: not needed here; private addresses are reached without it"},
		{c.GetIngressSettings() == functionspb.ServiceConfig_ALLOW_INTERNAL_AND_GCLB, "serviceConfig.ingressSettings: there is no load balancer of Google's here; only instances of the project reach the function"},
		{b.GetServiceAccount() != "", "buildConfig.serviceAccount: stored and has no effect; builds have no account"},
		{c.GetBinaryAuthorizationPolicy() != "", "serviceConfig.binaryAuthorizationPolicy: stored and has no effect"},
		{f.GetKmsKeyName() != "", "kmsKeyName: stored and has no effect"},
		{b.GetWorkerPool() != "", "buildConfig.workerPool: stored and has no effect; builds run here"},
		{b.GetDockerRepository() != "", "buildConfig.dockerRepository: stored and has no effect; there is no image to push"},
	} {
		if w.set {
			out = append(out, w.text)
		}
	}
	for _, name := range transcode.Ignored(f) {
		out = append(out, name+": not a field of this API; it has no effect")
	}
	return out
}
