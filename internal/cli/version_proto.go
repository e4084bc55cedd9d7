package cli

import (
	"time"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya/internal/core/appyaml"
	"github.com/sunya-cloud/sunya/internal/core/ignore"
)

// objectURL is how App Engine's API names an uploaded file.
const objectURL = "https://storage.googleapis.com/"

// versionOf is the request that an app.yaml and its files make.
func versionOf(cfg *appyaml.Config, id, bucket string, files []ignore.File) *appenginepb.Version {
	v := &appenginepb.Version{
		Id:                        id,
		Runtime:                   cfg.Runtime,
		Env:                       "standard",
		InstanceClass:             cfg.InstanceClass,
		EnvVariables:              cfg.Env,
		BuildEnvVariables:         cfg.BuildEnv,
		RuntimeMainExecutablePath: cfg.Main,
		Deployment:                &appenginepb.Deployment{Files: manifest(bucket, files)},
	}
	if cfg.Entrypoint != "" {
		v.Entrypoint = &appenginepb.Entrypoint{Command: &appenginepb.Entrypoint_Shell{Shell: cfg.Entrypoint}}
	}
	scale(v, cfg)
	return v
}

func manifest(bucket string, files []ignore.File) map[string]*appenginepb.FileInfo {
	out := make(map[string]*appenginepb.FileInfo, len(files))
	for _, f := range files {
		out[f.Path] = &appenginepb.FileInfo{SourceUrl: objectURL + bucket + "/" + f.SHA1, Sha1Sum: f.SHA1}
	}
	return out
}

func scale(v *appenginepb.Version, cfg *appyaml.Config) {
	switch {
	case cfg.Automatic != nil:
		v.Scaling = &appenginepb.Version_AutomaticScaling{AutomaticScaling: automatic(cfg.Automatic)}
	case cfg.Basic != nil:
		v.Scaling = &appenginepb.Version_BasicScaling{BasicScaling: &appenginepb.BasicScaling{
			MaxInstances: int32(cfg.Basic.MaxInstances),
			IdleTimeout:  length(cfg.Basic.IdleTimeout),
		}}
	case cfg.Manual != nil:
		v.Scaling = &appenginepb.Version_ManualScaling{ManualScaling: &appenginepb.ManualScaling{
			Instances: int32(cfg.Manual.Instances),
		}}
	}
}

func automatic(a *appyaml.Automatic) *appenginepb.AutomaticScaling {
	return &appenginepb.AutomaticScaling{
		MinIdleInstances:      int32(a.MinIdleInstances),
		MaxIdleInstances:      int32(a.MaxIdleInstances),
		MaxConcurrentRequests: int32(a.MaxConcurrentRequests),
		MinPendingLatency:     length(a.MinPendingLatency),
		MaxPendingLatency:     length(a.MaxPendingLatency),
		StandardSchedulerSettings: &appenginepb.StandardSchedulerSettings{
			TargetCpuUtilization:        a.TargetCPU,
			TargetThroughputUtilization: a.TargetThroughput,
			MinInstances:                int32(a.MinInstances),
			MaxInstances:                int32(a.MaxInstances),
		},
	}
}

// length is a duration, or nothing where the default counts.
func length(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}
