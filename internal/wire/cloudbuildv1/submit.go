package cloudbuildv1

import (
	"context"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild"
)

// submits is google.cloud.run.v2.Builds: a build from source for a service.
type submits struct {
	runpb.UnimplementedBuildsServer
	*API
}

// SubmitBuild implements the service.
func (s *submits) SubmitBuild(ctx context.Context, req *runpb.SubmitBuildRequest) (*runpb.SubmitBuildResponse, error) {
	project, location, err := parentOf(req.GetParent(), "")
	if err != nil {
		return nil, err
	}
	b, err := decodeSubmit(req)
	if err != nil {
		return nil, err
	}
	b.Project, b.Location = project, location
	_, op, err := s.builds.Create(ctx, *b, nil, true)
	if err != nil {
		return nil, err
	}
	out, err := s.ops.Encode(ctx, op)
	if err != nil {
		return nil, err
	}
	return &runpb.SubmitBuildResponse{BuildOperation: out}, nil
}

// decodeSubmit makes of the request the build that Cloud Run would make of it:
// one step of docker, or one of pack.
func decodeSubmit(req *runpb.SubmitBuildRequest) (*cloudbuild.Build, error) {
	src, image := req.GetStorageSource(), req.GetImageUri()
	switch {
	case src == nil:
		return nil, sunya.Invalid("storage_source", "is missing: upload the source to a bucket")
	case image == "":
		return nil, sunya.Invalid("image_uri", "is missing: the name of the image to build")
	case req.GetWorkerPool() != "":
		return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "worker_pool", Message: "worker pools are not supported: builds run on this machine"}
	}
	b := &cloudbuild.Build{
		Source: &cloudbuild.Source{Bucket: src.GetBucket(), Object: src.GetObject(), Generation: src.GetGeneration()},
		Tags:   req.GetTags(),
	}
	if req.GetDockerBuild() != nil {
		b.Steps = []cloudbuild.Step{{Name: "gcr.io/cloud-builders/docker", Args: []string{"build", "--tag", image, "."}}}
		b.Images = []string{image}
		return b, nil
	}
	pack := req.GetBuildpackBuild()
	if pack == nil {
		return nil, sunya.Invalid("build_type", "is missing: buildpackBuild or dockerBuild")
	}
	env := maps.Clone(pack.GetEnvironmentVariables())
	if env == nil {
		env = map[string]string{}
	}
	//lint:ignore SA1019 clients still send it
	if runtime := pack.GetRuntime(); runtime != "" {
		env["GOOGLE_RUNTIME"] = runtime
	}
	if pack.GetFunctionTarget() != "" {
		env["GOOGLE_FUNCTION_TARGET"] = pack.GetFunctionTarget()
	}
	args := []string{"build", image}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		args = append(args, "--env", name+"="+dollars(env[name]))
	}
	b.Steps = []cloudbuild.Step{{Name: "gcr.io/k8s-skaffold/pack", Entrypoint: "pack", Args: args}}
	return b, nil
}

// dollars keeps a value from being read as one with substitutions.
func dollars(value string) string { return strings.ReplaceAll(value, "$", "$$") }
