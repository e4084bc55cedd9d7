package builder

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/util/progress/progressui"
	"github.com/tonistiigi/fsutil"

	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/job"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
)

// sourceName is the local source that holds what was submitted.
const sourceName = "source"

// dockerfile builds an image and puts it into the registry by its digest.
func (b *build) dockerfile(ctx context.Context, d *plan.Build) (digest string, err error) {
	if err := b.look(d); err != nil {
		return "", err
	}
	opt := client.SolveOpt{
		Frontend:      dockerfileFrontend,
		FrontendAttrs: b.attributes(d),
		Exports: []client.ExportEntry{{Type: client.ExporterImage, Attrs: map[string]string{
			"name": repositoryOf(d.Tags), "push": "true", "push-by-digest": "true", "oci-mediatypes": "true",
			"compression": "gzip", "compression-level": "1", // a rebuild waits for it
		}}},
	}
	if err := b.inputs(&opt, d); err != nil {
		return "", err
	}
	response, err := b.solve(ctx, opt)
	if err != nil {
		return "", err
	}
	digest = response.ExporterResponse[exptypes.ExporterImageDigestKey]
	if digest == "" {
		return "", errEmpty
	}
	for _, name := range d.Tags {
		b.made[canonical(name)] = made{repositoryOf(d.Tags), digest}
	}
	return digest, nil
}

// attributes are what the frontend takes from the flags of docker build.
func (b *build) attributes(d *plan.Build) map[string]string {
	attrs := map[string]string{
		// With this the frontend does not hand over to the one that a
		// "# syntax=" line names.
		"cmdline":  "builtin",
		"filename": path.Base(dockerfileOf(d)),
	}
	if d.Target != "" {
		attrs["target"] = d.Target
	}
	if d.Platform != "" {
		attrs["platform"] = d.Platform
	}
	if d.NoCache {
		attrs["no-cache"] = ""
	}
	if d.Network == "none" {
		attrs["force-network-mode"] = "none"
	}
	if len(d.AddHosts) > 0 {
		attrs["add-hosts"] = strings.ReplaceAll(strings.Join(d.AddHosts, ","), ":", "=")
	}
	for name, value := range d.Args {
		attrs["build-arg:"+name] = value
	}
	for name, value := range d.Labels {
		attrs["label:"+name] = value
	}
	for name, m := range b.made {
		attrs["context:"+familiar(name)] = "docker-image://" + m.repository + "@" + m.digest
	}
	return attrs
}

// inputs gives the frontend the context: the submitted source itself where no
// step has changed it, so that only what the Dockerfile uses is read.
func (b *build) inputs(opt *client.SolveOpt, d *plan.Build) error {
	contextDir := path.Join(job.SourceDir, path.Join("/", d.Context))
	if b.changed() {
		sub := llb.Scratch().File(llb.Copy(b.workspace, path.Join("/", d.Context), "/", &llb.CopyInfo{CopyDirContentsOnly: true}), llb.WithCustomName("take the workspace as context"))
		files := llb.Scratch().File(llb.Copy(b.workspace, path.Join("/", path.Dir(dockerfileOf(d))), "/", &llb.CopyInfo{CopyDirContentsOnly: true}))
		opt.FrontendInputs = map[string]llb.State{"context": sub, "dockerfile": files}
		return b.addSource(opt)
	}
	context, err := fsutil.NewFS(contextDir)
	if err != nil {
		return &refusal{fmt.Sprintf("build context %q: %v", d.Context, plain(err))}
	}
	files, err := fsutil.NewFS(path.Join(job.SourceDir, path.Join("/", path.Dir(dockerfileOf(d)))))
	if err != nil {
		return &refusal{fmt.Sprintf("directory of the Dockerfile: %v", plain(err))}
	}
	opt.LocalMounts = map[string]fsutil.FS{"context": context, "dockerfile": files}
	return nil
}

// addSource lets a solve read what was submitted.
func (b *build) addSource(opt *client.SolveOpt) error {
	source, err := fsutil.NewFS(job.SourceDir)
	if err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	opt.LocalMounts = map[string]fsutil.FS{sourceName: source}
	return nil
}

func dockerfileOf(d *plan.Build) string {
	if d.Dockerfile != "" {
		return d.Dockerfile
	}
	return path.Join(d.Context, "Dockerfile")
}

// look reads the Dockerfile for what is not done as it says: a frontend that it
// names is not fetched, and no agent is forwarded.
func (b *build) look(d *plan.Build) error {
	data, err := readBelow(job.SourceDir, dockerfileOf(d))
	if err != nil {
		return nil // the frontend reports it
	}
	if ref, _, _, ok := parser.DetectSyntax(data); ok {
		fmt.Fprintf(b.log, "# syntax=%s: the frontend that is built in is used.\n", ref)
	}
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	for _, node := range parsed.AST.Children {
		for _, flag := range node.Flags {
			if strings.HasPrefix(flag, "--mount=") && strings.Contains(flag, "type=ssh") {
				return &refusal{fmt.Sprintf("line %d: RUN --mount=type=ssh is not supported, no agent is forwarded to builds: use --mount=type=secret", node.StartLine)}
			}
		}
	}
	return nil
}

// solve runs one build of BuildKit and shows its progress.
func (b *build) solve(ctx context.Context, opt client.SolveOpt) (*client.SolveResponse, error) {
	opt.Session = append(opt.Session, b.attachables()...)
	return b.watch(func(status chan *client.SolveStatus) (*client.SolveResponse, error) {
		return b.client.Solve(ctx, nil, opt, status)
	})
}

func (b *build) attachables() []session.Attachable {
	return []session.Attachable{secretsprovider.FromMap(b.job.Secrets)}
}

// watch writes what happens to the log in BuildKit's own plain form.
func (b *build) watch(solve func(chan *client.SolveStatus) (*client.SolveResponse, error)) (*client.SolveResponse, error) {
	display, err := progressui.NewDisplay(b.log, progressui.PlainMode)
	if err != nil {
		return nil, fmt.Errorf("show progress: %w", err)
	}
	status := make(chan *client.SolveStatus)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		// Not bound to the build's context: what led to its end is shown too.
		_, _ = display.UpdateFrom(context.Background(), status)
	}()
	response, err := solve(status)
	<-shown
	return response, err
}
