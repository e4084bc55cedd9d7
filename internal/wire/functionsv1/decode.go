package functionsv1

import (
	"fmt"

	"cloud.google.com/go/functions/apiv1/functionspb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// decode turns the API's function into what core/functions deploys.
func (a *API) decode(project string, f *functionspb.CloudFunction) (functions.Spec, []string, error) {
	if err := refuse(f); err != nil {
		return functions.Spec{}, nil, err
	}
	s := functions.Spec{
		FirstGen:    true,
		Runtime:     f.GetRuntime(),
		EntryPoint:  f.GetEntryPoint(),
		BuildEnv:    f.GetBuildEnvironmentVariables(),
		Env:         f.GetEnvironmentVariables(),
		MemoryBytes: int64(f.GetAvailableMemoryMb()) << 20,
		Timeout:     f.GetTimeout().AsDuration(),
		Min:         int(f.GetMinInstances()),
		Max:         int(f.GetMaxInstances()),
		Account:     f.GetServiceAccountEmail(),
		Labels:      f.GetLabels(),
		Description: f.GetDescription(),
	}
	if f.GetIngressSettings() > functionspb.CloudFunction_ALLOW_ALL {
		s.Ingress = sunya.IngressInternal
	}
	var err error
	if s.Event, err = a.decodeTrigger(project, f.GetEventTrigger()); err != nil {
		return s, nil, err
	}
	if s.Source, err = sourceOf(f); err != nil {
		return s, nil, err
	}
	s.Document, err = sent(f)
	return s, warnings(f), err
}

func sourceOf(f *functionspb.CloudFunction) (functions.Source, error) {
	if uri := f.GetSourceArchiveUrl(); uri != "" {
		s, ok := functions.ArchiveSource(uri)
		if !ok {
			return s, sunya.Invalid("function.source_archive_url", "%q is not of the form gs://BUCKET/OBJECT", uri)
		}
		return s, nil
	}
	link := f.GetSourceUploadUrl()
	s, ok := functions.LinkedSource(link)
	if !ok && link != "" {
		return s, sunya.Invalid("function.source_upload_url", "this is not a URL that generateUploadUrl has returned")
	}
	return s, nil
}

// sent is what is stored of a function: all that was sent, but for what only the
// server says.
func sent(f *functionspb.CloudFunction) ([]byte, error) {
	kept := proto.CloneOf(f)
	kept.Name, kept.Status, kept.UpdateTime, kept.VersionId, kept.BuildId, kept.BuildName = "", 0, nil, 0, "", ""
	if h := kept.GetHttpsTrigger(); h != nil {
		h.Url = ""
	}
	doc, err := protojson.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encode function: %w", err)
	}
	return doc, nil
}

// refuse answers what would be wrong to ignore.
func refuse(f *functionspb.CloudFunction) error {
	for _, r := range []struct {
		set            bool
		field, message string
	}{
		{len(f.GetSecretEnvironmentVariables()) > 0, "secret_environment_variables", "there is no Secret Manager here yet: use environment variables"},
		{len(f.GetSecretVolumes()) > 0, "secret_volumes", "there is no Secret Manager here yet: use environment variables"},
		{f.GetSourceRepository() != nil, "source_repository", "sources in repositories are not supported yet: upload an archive"},
		{f.GetVpcConnectorEgressSettings() == functionspb.CloudFunction_ALL_TRAFFIC, "vpc_connector_egress_settings", "ALL_TRAFFIC is not supported yet: use PRIVATE_RANGES_ONLY"},
	} {
		if r.set {
			return &sunya.Error{Code: sunya.Unimplemented, Field: "function." + r.field, Message: r.message}
		}
	}
	return nil
}

// warnings name what is accepted and has no effect.
func warnings(f *functionspb.CloudFunction) []string {
	var out []string
	for _, w := range []struct {
		set  bool
		text string
	}{
		{f.GetVpcConnector() != "", "vpcConnector: not needed here; private addresses are reached without it"},
		{f.GetKmsKeyName() != "", "kmsKeyName: stored and has no effect"},
		{f.GetBuildWorkerPool() != "", "buildWorkerPool: stored and has no effect; builds run here"},
		{f.GetBuildServiceAccount() != "", "buildServiceAccount: stored and has no effect; builds have no account"},
		{f.GetDockerRepository() != "", "dockerRepository: stored and has no effect; there is no image to push"},
		{f.GetIngressSettings() == functionspb.CloudFunction_ALLOW_INTERNAL_AND_GCLB, "ingressSettings: there is no load balancer of Google's here; only instances of the project reach the function"},
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
