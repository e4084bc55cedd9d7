package cloudbuildv1

import (
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild"
)

// decode reads the request's build. What would change what a build does and is
// not supported is refused by name; everything else is kept and returned.
func decode(in *cloudbuildpb.Build) (b *cloudbuild.Build, loose bool, err error) {
	if in == nil {
		return nil, false, sunya.Invalid("build", "is missing")
	}
	if err := refuse(in); err != nil {
		return nil, false, err
	}
	b = &cloudbuild.Build{
		Images: in.GetImages(), Tags: in.GetTags(),
		Timeout: in.GetTimeout().AsDuration(), QueueTTL: in.GetQueueTtl().AsDuration(), LogsBucket: in.GetLogsBucket(),
	}
	if src := in.GetSource().GetStorageSource(); src != nil {
		b.Source = &cloudbuild.Source{Bucket: src.GetBucket(), Object: src.GetObject(), Generation: src.GetGeneration()}
	}
	options := in.GetOptions()
	for i, s := range in.GetSteps() {
		step, err := decodeStep(fmt.Sprintf("build.steps[%d]", i), s, options)
		if err != nil {
			return nil, false, err
		}
		b.Steps = append(b.Steps, *step)
	}
	kept := proto.CloneOf(in)
	kept.ProtoReflect().SetUnknown(nil)
	if b.Document, err = protojson.Marshal(kept); err != nil {
		return nil, false, fmt.Errorf("keep build: %w", err)
	}
	loose = options.GetSubstitutionOption() == cloudbuildpb.BuildOptions_ALLOW_LOOSE
	return b, loose, nil
}

func decodeStep(where string, s *cloudbuildpb.BuildStep, o *cloudbuildpb.BuildOptions) (*cloudbuild.Step, error) {
	if s.GetName() == "" {
		return nil, sunya.Invalid(where+".name", "is missing: the image of the step")
	}
	step := &cloudbuild.Step{
		ID: s.GetId(), Name: s.GetName(), Entrypoint: s.GetEntrypoint(), Args: s.GetArgs(), Script: s.GetScript(),
		Env: slices.Concat(o.GetEnv(), s.GetEnv()), Dir: s.GetDir(), WaitFor: s.GetWaitFor(),
		Timeout: s.GetTimeout().AsDuration(), AllowFailure: s.GetAllowFailure(),
	}
	for _, e := range step.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return nil, sunya.Invalid(where+".env", "%q is not NAME=value", e)
		}
	}
	for _, v := range slices.Concat(o.GetVolumes(), s.GetVolumes()) {
		step.Volumes = append(step.Volumes, cloudbuild.Volume{Name: v.GetName(), Path: v.GetPath()})
	}
	for _, code := range s.GetAllowExitCodes() {
		step.AllowExitCodes = append(step.AllowExitCodes, int(code))
	}
	return step, nil
}

// refuse names the first field that is not supported and would change what a
// build does.
func refuse(in *cloudbuildpb.Build) error {
	a := in.GetArtifacts()
	for _, u := range []struct {
		there       bool
		field, text string
	}{
		{in.GetSource() != nil && in.GetSource().GetStorageSource() == nil, "build.source", "only a storageSource is supported: upload the source to a bucket"},
		{len(in.GetSecrets()) > 0, "build.secrets", "secrets encrypted with Cloud KMS are not supported"},
		{in.GetAvailableSecrets() != nil, "build.availableSecrets", "Secret Manager is not supported yet"},
		{len(in.GetOptions().GetSecretEnv()) > 0, "build.options.secretEnv", "Secret Manager is not supported yet"},
		{slices.ContainsFunc(in.GetSteps(), func(s *cloudbuildpb.BuildStep) bool { return len(s.GetSecretEnv()) > 0 }), "build.steps.secretEnv", "Secret Manager is not supported yet"},
		{a != nil && (a.GetObjects() != nil || len(a.GetMavenArtifacts())+len(a.GetPythonPackages())+len(a.GetNpmPackages()) > 0), "build.artifacts", "only images are kept: copy files to a bucket in a step"},
		{in.GetOptions().GetPool().GetName() != "", "build.options.pool", "worker pools are not supported: builds run on this machine"},
		{in.GetOptions().GetRequestedVerifyOption() != 0, "build.options.requestedVerifyOption", "provenance is not made"},
		{in.GetApproval() != nil, "build.approval", "approvals are not supported"},
		{len(in.GetDependencies()) > 0, "build.dependencies", "dependencies are not fetched: put them into the source"},
	} {
		if u.there {
			return &sunya.Error{Code: sunya.Unimplemented, Field: u.field, Message: u.text}
		}
	}
	return nil
}
