package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya"
)

// submitFlags are those of builds submit.
type submitFlags struct {
	tag, pack, config string
	substitutions     map[string]string
	timeout           time.Duration
	async, noSource   bool
	noCache           bool
}

func newBuildsSubmitCommand(env *Env) *cobra.Command {
	f := &submitFlags{}
	cmd := &cobra.Command{
		Use:   "submit [DIR]",
		Short: "Build an image from a directory, and store it.",
		Args:  args(0, 1, "a directory"),
		Example: "sunya builds submit --tag gcr.io/sunya/hello\n" +
			"sunya builds submit app --pack image=gcr.io/sunya/hello\n" +
			"sunya builds submit --config cloudbuild.yaml --substitutions _TAG=v1",
		RunE: func(cmd *cobra.Command, given []string) error {
			dir := "."
			if len(given) > 0 {
				dir = given[0]
			}
			return submitBuild(cmd.Context(), env, f, dir)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.tag, "tag", "t", "", "build the Dockerfile, and store the image under this name")
	fs.StringVar(&f.pack, "pack", "", "build without a Dockerfile: image=NAME[,env=NAME=VALUE]")
	fs.StringVar(&f.config, "config", "", "file with the steps of the build (default: cloudbuild.yaml of DIR)")
	fs.DurationVar(&f.timeout, "timeout", 0, "when the build is given up (default 1h)")
	fs.BoolVar(&f.async, "async", false, "do not wait for the build")
	fs.BoolVar(&f.noSource, "no-source", false, "the build needs no source")
	fs.BoolVar(&f.noCache, "no-cache", false, "with --tag: do every step of the Dockerfile again")
	textFlag(fs, "substitutions", "values for the config: _NAME=VALUE,...", func(v string) (err error) {
		f.substitutions, err = splitPairs(v)
		return err
	})
	return cmd
}

func submitBuild(ctx context.Context, env *Env, f *submitFlags, dir string) error {
	full := dir
	if !filepath.IsAbs(full) {
		full = filepath.Join(env.Dir, full)
	}
	b, err := f.build(env, full)
	if err != nil {
		return err
	}
	return withBuilds(ctx, env, func(a *buildsAPI) error {
		s := &submission{buildWatch: &buildWatch{env: env, client: a.client, progress: newProgress(env)}, api: a}
		defer s.progress.close()
		if !f.noSource {
			err := s.progress.during(stageUploading, func() error { return s.upload(ctx, b, dir) })
			if err != nil {
				return &failure{stage: stageUploading, err: err}
			}
		}
		return s.run(ctx, b, f.async)
	})
}

// build is what the flags ask for.
func (f *submitFlags) build(env *Env, dir string) (*cloudbuildpb.Build, error) {
	var b *cloudbuildpb.Build
	var err error
	switch {
	case f.tag != "" && f.pack != "" || f.tag != "" && f.config != "" || f.pack != "" && f.config != "":
		return nil, usagef("of --tag, --pack and --config give only one")
	case f.tag != "":
		b, err = f.docker(dir)
	case f.pack != "":
		b, err = f.packed()
	default:
		b, err = f.configured(env, dir)
	}
	if err != nil {
		return nil, err
	}
	if f.timeout > 0 {
		b.Timeout = durationpb.New(f.timeout)
	}
	if len(f.substitutions) > 0 {
		if b.Substitutions == nil {
			b.Substitutions = map[string]string{}
		}
		maps.Copy(b.Substitutions, f.substitutions)
	}
	return b, nil
}

// docker is the build of a Dockerfile, as gcloud describes it.
func (f *submitFlags) docker(dir string) (*cloudbuildpb.Build, error) {
	if !f.noSource && !isFile(dir, "Dockerfile") {
		return nil, sunya.Errorf(sunya.InvalidArgument, dir, "there is no Dockerfile: add one, or build by language with --pack image=%s", f.tag)
	}
	args := []string{"build", "--network", "cloudbuild"}
	if f.noCache {
		args = append(args, "--no-cache")
	}
	return &cloudbuildpb.Build{
		Steps:  []*cloudbuildpb.BuildStep{{Name: "gcr.io/cloud-builders/docker", Args: append(args, "-t", f.tag, ".")}},
		Images: []string{f.tag},
	}, nil
}

// packed is a build by language, as gcloud describes it.
func (f *submitFlags) packed() (*cloudbuildpb.Build, error) {
	items, err := splitList(f.pack)
	if err != nil {
		return nil, usagef("--pack: %v", err)
	}
	image, args := "", []string{}
	for _, item := range items {
		name, value, _ := strings.Cut(item, "=")
		switch name {
		case "image":
			image = value
		case "env":
			args = append(args, "--env", value)
		case "builder": // what Google's do is done by the server's
		default:
			return nil, usagef("--pack: %q is not image=NAME, env=NAME=VALUE or builder=NAME", item)
		}
	}
	if image == "" {
		return nil, usagef("--pack: image=NAME is missing")
	}
	return &cloudbuildpb.Build{
		Steps:  []*cloudbuildpb.BuildStep{{Name: "gcr.io/k8s-skaffold/pack", Entrypoint: "pack", Args: append([]string{"build", image}, args...)}},
		Images: []string{image},
	}, nil
}

// configFiles are looked for where no file is named.
var configFiles = []string{"cloudbuild.yaml", "cloudbuild.yml", "cloudbuild.json"}

func (f *submitFlags) configured(env *Env, dir string) (*cloudbuildpb.Build, error) {
	name := f.config
	if name == "" {
		i := slices.IndexFunc(configFiles, func(file string) bool { return isFile(dir, file) })
		if i < 0 {
			return nil, usagef("say what to build: --tag NAME for the Dockerfile, --pack image=NAME without one, or --config FILE")
		}
		name = filepath.Join(dir, configFiles[i])
	} else if !filepath.IsAbs(name) {
		name = filepath.Join(env.Dir, name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	b, err := parseBuildConfig(data)
	if err != nil {
		return nil, sunya.Errorf(sunya.InvalidArgument, filepath.Base(name), "%v", err)
	}
	return b, nil
}

// submission is a build on its way.
type submission struct {
	*buildWatch
	api *buildsAPI
	id  string
}

// upload stores the source where gcloud would.
func (s *submission) upload(ctx context.Context, b *cloudbuildpb.Build, dir string) error {
	archive, err := pack(ctx, s.env, dir, "")
	if err != nil {
		return err
	}
	svc, err := storage.NewService(ctx, option.WithHTTPClient(s.client.http), option.WithEndpoint(s.client.base.String()+"/storage/v1/"))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	bucket := s.client.project + "_cloudbuild"
	_, err = svc.Buckets.Insert(s.client.project, &storage.Bucket{Name: bucket}).Context(ctx).Do()
	if err != nil && !hasStatus(err, http.StatusConflict) {
		return fmt.Errorf("make bucket %s: %w", bucket, err)
	}
	name := fmt.Sprintf("source/%d.zip", time.Now().UnixNano())
	var stored *storage.Object
	err = retry(ctx, func() (err error) {
		stored, err = svc.Objects.Insert(bucket, &storage.Object{Name: name, ContentType: "application/zip"}).
			Media(bytes.NewReader(archive), googleapi.ChunkSize(0), googleapi.ContentType("application/zip")).Context(ctx).Do()
		return err
	})
	if err != nil {
		return fmt.Errorf("upload source: %w", err)
	}
	b.Source = &cloudbuildpb.Source{Source: &cloudbuildpb.Source_StorageSource{StorageSource: &cloudbuildpb.StorageSource{
		Bucket: bucket, Object: name, Generation: stored.Generation,
	}}}
	return nil
}

// run creates the build, shows its log, and prints what it made.
func (s *submission) run(ctx context.Context, b *cloudbuildpb.Build, async bool) error {
	op, err := s.api.Client.CreateBuild(ctx, &cloudbuildpb.CreateBuildRequest{Parent: s.api.parent, ProjectId: s.client.project, Build: b})
	if err != nil {
		return err
	}
	meta, err := op.Metadata()
	if err != nil {
		return fmt.Errorf("read operation: %w", err)
	}
	s.id = meta.GetBuild().GetId()
	if async {
		s.progress.settle("going on")
		return s.print(meta.GetBuild())
	}
	err = s.follow(ctx, func(seen func(buildState)) error {
		_, err := waitFor(ctx, op.Name(), s.api.operation, func(*longrunningpb.Operation) { seen(buildState{build: s.id}) })
		return err
	})
	if err != nil {
		return s.fail(ctx, err)
	}
	s.progress.settle("done")
	done, err := s.api.build(ctx, s.id)
	if err != nil {
		return err
	}
	return s.print(done)
}

// print writes the build: for people its images with their digests, or its id
// where there is none.
func (s *submission) print(b *cloudbuildpb.Build) error {
	if s.env.output().kind != "table" {
		return printOne(s.env, b)
	}
	var out strings.Builder
	for _, i := range b.GetResults().GetImages() {
		out.WriteString(untaggedImage(i.GetName()) + "@" + i.GetDigest() + "\n")
	}
	if out.Len() == 0 {
		out.WriteString(b.GetId() + "\n")
	}
	return write(s.env.Stdout, []byte(out.String()))
}

// fail turns an error into one that says what to do.
func (s *submission) fail(ctx context.Context, err error) error {
	stage := s.progress.settle(stateAfter(err))
	var ended *operationFailed
	var sig Signal
	f := &failure{stage: stage, err: err, anchor: anchorOf(stage)}
	switch {
	case ctx.Err() != nil && errors.As(context.Cause(ctx), &sig):
		return &failure{
			err: fmt.Errorf("%w; the build continues on the server", sig), try: "sunya builds cancel " + s.id,
			anchor: "interrupted", code: exitSignalOffset + sig.Number,
		}
	case errors.As(err, &ended):
		s.explain(f, ended, "")
		f.try = "sunya builds log " + s.id
	}
	return f
}
