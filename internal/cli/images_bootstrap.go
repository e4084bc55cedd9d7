package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

func newImagesBootstrapCommand(env *Env) *cobra.Command {
	var suite string
	cmd := &cobra.Command{
		Use:   "bootstrap NAME...",
		Short: "Make base images from this machine's own distribution (Debian, with mmdebstrap).",
		Args:  args(1, 64, "the name of an image"),
		Example: "sunya images bootstrap debian:12-slim python:3-slim\n" +
			"sunya images bootstrap nginx --suite bookworm",
		RunE: func(cmd *cobra.Command, names []string) error {
			wanted, err := parseBases(names)
			if err != nil {
				return err
			}
			if err := checkBootstrap(); err != nil {
				return err
			}
			return bootstrapImages(cmd.Context(), env, wanted, suite)
		},
	}
	cmd.Flags().StringVar(&suite, "suite", "", "release of Debian (default: this machine's)")
	return cmd
}

// base is an image to be made.
type base struct {
	repository, tag string
	recipe          recipe
}

func parseBases(names []string) ([]base, error) {
	var all []base
	for _, n := range names {
		short := strings.TrimPrefix(strings.TrimPrefix(n, "docker.io/"), "library/")
		repository, tag, _ := strings.Cut(short, ":")
		r, ok := recipes[repository]
		if !ok {
			return nil, usagef("%q cannot be made from the distribution's packages: %s can", n, recipeNames())
		}
		all = append(all, base{repository, cmp.Or(tag, "latest"), r})
	}
	return all, nil
}

// checkBootstrap says what the machine lacks.
func checkBootstrap() error {
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return sunya.Errorf(sunya.FailedPrecondition, "mmdebstrap", "is not installed: apt install mmdebstrap (Debian and its relatives only)")
	}
	if os.Geteuid() == 0 {
		return nil
	}
	if _, err := exec.LookPath("newuidmap"); err != nil {
		return sunya.Errorf(sunya.FailedPrecondition, "newuidmap", "is not installed: apt install uidmap, or run this as root")
	}
	return nil
}

func bootstrapImages(ctx context.Context, env *Env, wanted []base, suite string) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	if suite == "" {
		if suite, err = ownSuite("/etc/os-release"); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "sunya-bootstrap-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, b := range wanted {
		if err := bootstrapImage(ctx, env, c, b, suite, dir); err != nil {
			return fmt.Errorf("make %s:%s: %w", b.repository, b.tag, err)
		}
	}
	return nil
}

// bootstrapImage makes one image and pushes it under the name that a mirror rule
// docker.io=local answers from.
func bootstrapImage(ctx context.Context, env *Env, c *client, b base, suite, dir string) error {
	archive := filepath.Join(dir, b.repository+".tar")
	fmt.Fprintf(env.Stderr, "Making %s:%s from the packages of Debian %s ...\n", b.repository, b.tag, suite)
	if err := mmdebstrap(ctx, env, b.recipe, suite, archive); err != nil {
		return err
	}
	img, err := b.image(archive)
	if err != nil {
		return err
	}
	ref, err := name.ParseReference(c.base.Host+"/docker.io/library/"+b.repository+":"+b.tag, name.Insecure)
	if err != nil {
		return err
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx), remote.WithTransport(c.http.Transport)); err != nil {
		return explainPush(err)
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	return write(env.Stdout, []byte("docker.io/library/"+b.repository+":"+b.tag+"@"+digest.String()+"\n"))
}

// explainPush names the rule without which the server asks Docker Hub.
func explainPush(err error) error {
	if strings.Contains(err.Error(), http.StatusText(http.StatusServiceUnavailable)) {
		return sunya.Errorf(sunya.FailedPrecondition, "docker.io", "the server asks Docker Hub for these names: start it with sunya up --registry-mirror docker.io=local")
	}
	return fmt.Errorf("push: %w", err)
}

// mmdebstrap makes a file system of packages as a tar archive, from where this
// machine itself gets packages.
func mmdebstrap(ctx context.Context, env *Env, r recipe, suite, archive string) error {
	args := []string{"--variant=minbase", "--format=tar", "--quiet",
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
		"--customize-hook=" + r.script()}
	if len(r.packages) > 0 {
		args = append(args, "--include="+strings.Join(r.packages, ","))
	}
	args = append(args, suite, archive)
	args = append(args, aptSources("/etc/apt")...)
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1") // the same packages, the same image
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	for line := range strings.Lines(said.String()) {
		if err != nil || env.flags.talk("info") || slices.ContainsFunc([]string{r.version}, func(p string) bool { return p != "" && strings.HasPrefix(line, p+" ") }) {
			fmt.Fprint(env.Stderr, "  "+line)
		}
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("mmdebstrap: %w", err)
	}
	return errors.Join(err, context.Cause(ctx))
}

// aptSources are the files that say where packages come from.
func aptSources(dir string) []string {
	var files []string
	for _, pattern := range []string{"sources.list", "sources.list.d/*.list", "sources.list.d/*.sources"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern)) // the patterns are right
		for _, f := range found {
			if info, err := os.Stat(f); err == nil && info.Size() > 0 {
				files = append(files, f)
			}
		}
	}
	return files
}

// ownSuite reads the release of Debian that this machine has (os-release(5)).
func ownSuite(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("find the release: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok && v != "" {
			return strings.Trim(v, `"`), nil
		}
	}
	return "", usagef("%s names no release: give one with --suite", file)
}

// image puts an archive and the recipe's configuration together.
func (b base) image(archive string) (v1.Image, error) {
	layer, err := tarball.LayerFromFile(archive)
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config = v1.Config{Env: slices.Concat([]string{searchPath}, b.recipe.env), Entrypoint: b.recipe.entrypoint, Cmd: b.recipe.cmd}
	if hasPath := slices.ContainsFunc(b.recipe.env, func(e string) bool { return strings.HasPrefix(e, "PATH=") }); hasPath {
		file.Config.Env = b.recipe.env
	}
	return mutate.ConfigFile(img, file)
}
