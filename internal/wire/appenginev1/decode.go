package appenginev1

import (
	"fmt"
	"slices"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// newVersion turns the API's version into what core/appengine deploys.
func newVersion(project, service string, v *appenginepb.Version) (appengine.NewVersion, error) {
	doc, err := document(v)
	if err != nil {
		return appengine.NewVersion{}, err
	}
	d := v.GetDeployment()
	n := appengine.NewVersion{
		Version: appengine.Version{
			Key:           appengine.Key{Project: project, Service: service, ID: v.GetId()},
			Runtime:       v.GetRuntime(),
			Entrypoint:    v.GetEntrypoint().GetShell(),
			Env:           v.GetEnvVariables(),
			BuildEnv:      v.GetBuildEnvVariables(),
			InstanceClass: v.GetInstanceClass(),
			Account:       v.GetServiceAccount(),
			Scaling:       scaling(v),
			WarmUp:        slices.Contains(v.GetInboundServices(), appenginepb.InboundServiceType_INBOUND_SERVICE_WARMUP),
			Document:      doc,
		},
		Files:        files(d),
		Zip:          d.GetZip().GetSourceUrl(),
		Main:         v.GetRuntimeMainExecutablePath(),
		AppYAML:      d.GetCloudBuildOptions().GetAppYamlPath(),
		BuildTimeout: d.GetCloudBuildOptions().GetCloudBuildTimeout().AsDuration(),
		Features:     features(v),

		Handlers:          handlers(v.GetHandlers()),
		ErrorHandlers:     errorHandlers(v.GetErrorHandlers()),
		DefaultExpiration: optional(v.GetDefaultExpiration()),
	}
	for _, name := range transcode.Ignored(v) {
		n.Warnings = append(n.Warnings, name+": not a field of this API; it has no effect")
	}
	return n, nil
}

// document is what is stored of a version: all that was sent, but for what
// only the server says.
func document(v *appenginepb.Version) ([]byte, error) {
	kept := proto.CloneOf(v)
	kept.Name, kept.CreatedBy, kept.VersionUrl = "", "", ""
	kept.CreateTime, kept.DiskUsageBytes = nil, 0
	doc, err := protojson.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encode version: %w", err)
	}
	return doc, nil
}

func files(d *appenginepb.Deployment) map[string]appengine.File {
	out := make(map[string]appengine.File, len(d.GetFiles()))
	for path, f := range d.GetFiles() {
		out[path] = appengine.File{SourceURL: f.GetSourceUrl(), SHA1: f.GetSha1Sum()}
	}
	return out
}

func scaling(v *appenginepb.Version) appengine.Scaling {
	switch s := v.GetScaling().(type) {
	case *appenginepb.Version_AutomaticScaling:
		return appengine.Scaling{Automatic: automatic(s.AutomaticScaling)}
	case *appenginepb.Version_BasicScaling:
		return appengine.Scaling{Basic: &appengine.BasicScaling{
			MaxInstances: int(s.BasicScaling.GetMaxInstances()),
			IdleTimeout:  s.BasicScaling.GetIdleTimeout().AsDuration(),
		}}
	case *appenginepb.Version_ManualScaling:
		return appengine.Scaling{Manual: &appengine.ManualScaling{
			Instances: int(s.ManualScaling.GetInstances()),
		}}
	}
	return appengine.Scaling{}
}

func automatic(s *appenginepb.AutomaticScaling) *appengine.AutomaticScaling {
	std := s.GetStandardSchedulerSettings()
	return &appengine.AutomaticScaling{
		MinInstances:                int(std.GetMinInstances()),
		MaxInstances:                int(std.GetMaxInstances()),
		MinIdleInstances:            int(s.GetMinIdleInstances()),
		MaxIdleInstances:            int(s.GetMaxIdleInstances()),
		MaxConcurrentRequests:       int(s.GetMaxConcurrentRequests()),
		MinPendingLatency:           s.GetMinPendingLatency().AsDuration(),
		MaxPendingLatency:           s.GetMaxPendingLatency().AsDuration(),
		TargetCPUUtilization:        std.GetTargetCpuUtilization(),
		TargetThroughputUtilization: std.GetTargetThroughputUtilization(),
	}
}
