package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/pflag"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
)

// sourceFlags say how a source becomes an image.
type sourceFlags struct {
	function string
	env      mapFlags
}

func (f *sourceFlags) register(fs *pflag.FlagSet, s *containerSet) {
	textFlag(fs, "source", "directory to build the image from: its Dockerfile, else by language", func(v string) error { s.current().source = v; return nil })
	textFlag(fs, "function", "name of the function in the source", func(v string) error { f.function = v; return nil })
	registerMap(fs, "build-env-vars", "variables of the build", func() *mapFlags { return &f.env })
	registerMapFile(fs, "build-env-vars", "variables of the build", func() *mapFlags { return &f.env })
	hide(fs, "function", "set-build-env-vars", "update-build-env-vars")
}

// build makes the images of all containers that have a source.
func (d *runDeployment) build(ctx context.Context, f *sourceFlags) error {
	for _, c := range d.opts.containers.all {
		if c.source == "" {
			continue
		}
		if err := d.buildImage(ctx, c, f); err != nil {
			return d.fail(ctx, d.progress.settle(stateAfter(err)), err)
		}
		d.progress.settle("done")
	}
	return nil
}

// buildImage uploads one source, has it built, and points its container to the
// image by digest.
func (d *runDeployment) buildImage(ctx context.Context, c *containerFlags, f *sourceFlags) error {
	var src *runpb.StorageSource
	err := d.progress.during(stageUploading, func() (err error) { src, err = d.uploadSource(ctx, c.source); return err })
	if err != nil {
		return err
	}
	image := c.image
	if image == "" {
		image = d.imageOf(c.name)
	}
	env, err := f.env.apply(nil, d.env.Dir)
	if err != nil {
		return err
	}
	req := &runpb.SubmitBuildRequest{Parent: d.api.parent, Source: &runpb.SubmitBuildRequest_StorageSource{StorageSource: src}, ImageUri: image, Client: "sunya"}
	if f.function == "" && isFile(d.at(c.source), "Dockerfile") {
		req.BuildType = &runpb.SubmitBuildRequest_DockerBuild_{DockerBuild: &runpb.SubmitBuildRequest_DockerBuild{}}
	} else {
		req.BuildType = &runpb.SubmitBuildRequest_BuildpackBuild{BuildpackBuild: &runpb.SubmitBuildRequest_BuildpacksBuild{
			FunctionTarget: f.function, EnvironmentVariables: env,
		}}
	}
	digest, err := d.submit(ctx, req)
	if err != nil {
		return err
	}
	c.image = image
	if digest != "" {
		c.image = untaggedImage(image) + "@" + digest
	}
	return nil
}

// at is a directory of the command line.
func (d *runDeployment) at(dir string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(d.env.Dir, dir)
}

// imageOf is where the image of a source goes, as with gcloud.
func (d *runDeployment) imageOf(container string) string {
	name := d.id
	if container != "" {
		name += "-" + container
	}
	return fmt.Sprintf("%s-docker.pkg.dev/%s/cloud-run-source-deploy/%s", d.api.region(), d.client.project, name)
}

// untaggedImage is a reference without tag and digest.
func untaggedImage(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image
}

// submit has an image built, follows the build, and returns the digest.
func (d *runDeployment) submit(ctx context.Context, req *runpb.SubmitBuildRequest) (digest string, err error) {
	res, err := d.api.builds.SubmitBuild(ctx, req)
	if err != nil {
		return "", err
	}
	if w := res.GetBaseImageWarning(); w != "" {
		d.warn([]string{w})
	}
	meta := &cloudbuildpb.BuildOperationMetadata{}
	err = d.follow(ctx, func(seen func(buildState)) error {
		_, err := waitFor(ctx, res.GetBuildOperation().GetName(), d.api.operation, func(op *longrunningpb.Operation) {
			if op.GetMetadata() != nil {
				_ = op.GetMetadata().UnmarshalTo(meta) // another type has nothing to show
			}
			seen(buildState{build: meta.GetBuild().GetId()})
		})
		return err
	})
	if err != nil {
		return "", err
	}
	for _, image := range meta.GetBuild().GetResults().GetImages() {
		return image.GetDigest(), nil
	}
	return "", nil
}

// uploadSource stores a directory as an archive, where gcloud would.
func (d *runDeployment) uploadSource(ctx context.Context, dir string) (*runpb.StorageSource, error) {
	archive, err := pack(ctx, d.env, dir, "")
	if err != nil {
		return nil, err
	}
	svc, err := storage.NewService(ctx, option.WithHTTPClient(d.client.http), option.WithEndpoint(d.client.base.String()+"/storage/v1/"))
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	bucket := sourceBucket(d.client.project, d.api.region())
	if err := ensureBucket(ctx, svc, d.client.project, bucket); err != nil {
		return nil, fmt.Errorf("make bucket %s: %w", bucket, err)
	}
	name := fmt.Sprintf("services/%s/%d.zip", d.id, time.Now().UnixNano())
	var stored *storage.Object
	err = retry(ctx, func() (err error) {
		stored, err = svc.Objects.Insert(bucket, &storage.Object{Name: name, ContentType: "application/zip"}).
			Media(bytes.NewReader(archive), googleapi.ChunkSize(0), googleapi.ContentType("application/zip")).Context(ctx).Do()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("upload source: %w", err)
	}
	return &runpb.StorageSource{Bucket: bucket, Object: name, Generation: stored.Generation}, nil
}

// sourceBucket is where the sources of services are, as gcloud names it.
func sourceBucket(project, region string) string {
	return strings.NewReplacer(":", "_", ".", "_", "google", "elgoog").Replace("run-sources-" + project + "-" + region)
}

// ensureBucket makes a bucket exist.
func ensureBucket(ctx context.Context, svc *storage.Service, project, name string) error {
	_, err := svc.Buckets.Insert(project, &storage.Bucket{Name: name, Labels: map[string]string{"used-by": "cloudrun"}}).Context(ctx).Do()
	var e *googleapi.Error
	if errors.As(err, &e) && e.Code == http.StatusConflict {
		return nil
	}
	return err
}

// nameOf makes a service's name of a directory's.
func nameOf(dir string) (string, error) {
	var b strings.Builder
	for _, r := range strings.ToLower(filepath.Base(dir)) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else {
			b.WriteByte('-')
		}
	}
	name := strings.TrimLeft(b.String(), "-0123456789")
	name = strings.TrimRight(name[:min(len(name), 49)], "-")
	if name == "" {
		return "", &sunya.Error{Code: sunya.InvalidArgument, Message: "no name for a service follows from " + dir + ": give one, as in sunya run deploy NAME --source DIR"}
	}
	return name, nil
}
