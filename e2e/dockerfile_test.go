//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	cloudbuild "cloud.google.com/go/cloudbuild/apiv1/v2"
	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/google/go-containerregistry/pkg/crane"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// Why something needs a server that is root.
const (
	manyUsers     = "builds have many users only where the server is started as root"
	sharedNetwork = "a user cannot share a network between sandboxes"
)

// needRoot skips where the server is not root.
func needRoot(t *testing.T, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: " + why)
	}
}

// pushBase pushes gcr.io/sunya/base: one static busybox, under its own name and
// as the shell.
func pushBase(t *testing.T, s *platform.Server) {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox-static is not installed")
	}
	busybox, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.For(t).Push(platform.Image(t, map[string][]byte{"/bin/busybox": busybox, "/bin/sh": busybox}, v1.Config{Env: []string{"PATH=/bin"}}), "sunya/base")
}

// submit builds a Dockerfile with some files beside it.
func submit(t *testing.T, s *platform.Server, tag, dockerfile string, files map[string]string, flags ...string) platform.Result {
	t.Helper()
	all := map[string]string{"Dockerfile": dockerfile}
	for name, text := range files {
		all[name] = text
	}
	return s.For(t).CLI(append([]string{"builds", "submit", platform.Files(t, all), "--tag", tag}, flags...)...)
}

var imageLine = regexp.MustCompile(`^gcr\.io/sunya/[a-z]+@sha256:[0-9a-f]{64}$`)

// everything uses what Dockerfiles are written with.
const everything = `# syntax=docker/dockerfile:1
ARG BASE=gcr.io/sunya/base
FROM ${BASE} AS build
ARG GREETING=hello
RUN --network=none busybox ifconfig -a | busybox grep -c eth0; echo $GREETING > /greeting
RUN --mount=type=bind,source=data.txt,target=/mnt/data.txt --mount=type=tmpfs,target=/scratch \
    busybox cat /mnt/data.txt > /scratch/x && busybox cp /scratch/x /copied
RUN --mount=type=cache,target=/var/cache busybox touch /var/cache/kept
RUN --mount=type=cache,target=/var/cache busybox ls /var/cache > /cached
RUN <<SCRIPT
busybox mkdir -p /etc
echo "app:x:1000:1000::/home:/bin/sh" > /etc/passwd
echo "app:x:1000:" > /etc/group
SCRIPT
WORKDIR /home/app
RUN busybox chown 1000:1000 .
USER app
RUN busybox id -u > id && busybox ls -ldn . | busybox grep -q "1000 *1000"
SHELL ["/bin/busybox", "sh", "-ec"]
RUN echo shell > shell
FROM scratch
COPY --from=build /greeting /copied /cached /
COPY --from=build --chown=7:8 /home/app/id /home/app/shell /
COPY --chmod=755 <<FILE /inline
inline
FILE
ADD packed.tar.gz /unpacked/
LABEL who=e2e
ENV A=b
EXPOSE 8080
ENTRYPOINT ["/bin/x"]
`

// TestDockerfile builds what Dockerfiles are written with, from one base.
func TestDockerfile(t *testing.T) {
	needRoot(t, manyUsers)
	t.Parallel()
	s := platform.Start(t)
	pushBase(t, s)
	t.Run("everything", func(t *testing.T) { dockerfileOfEverything(t, s) })
	t.Run("cache", func(t *testing.T) { dockerfileCache(t, s) })
	t.Run("mistakes", func(t *testing.T) { dockerfileMistakes(t, s) })
	t.Run("hostile", func(t *testing.T) { hostileDockerfiles(t, s) })
	t.Run("cloudbuild", func(t *testing.T) { cloudBuildFile(t, s) })
	t.Run("clients", func(t *testing.T) { cloudBuildClients(t, s) })
	t.Run("end", func(t *testing.T) { buildsEnd(t, s) })
}

func dockerfileOfEverything(t *testing.T, s *platform.Server) {
	dir := platform.Files(t, map[string]string{
		"Dockerfile": everything, "data.txt": "data\n", ".dockerignore": "*.secret\n", "a.secret": "x", "in/file": "packed\n",
	})
	if out, err := exec.Command("tar", "-C", dir+"/in", "-czf", dir+"/packed.tar.gz", "file").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	r := s.For(t).OK("builds", "submit", dir, "--tag", "gcr.io/sunya/all")
	if !imageLine.MatchString(r.LastLine()) {
		t.Errorf("last line %q", r.LastLine())
	}
	if !strings.Contains(r.Stderr, "docker/dockerfile:1: the frontend that is built in is used") {
		t.Errorf("the syntax line is not mentioned:\n%s", r.Stderr)
	}
	img, err := crane.Pull("localhost:" + s.Port + "/sunya/all")
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil || !strings.HasSuffix(r.LastLine(), digest.String()) {
		t.Errorf("digest %v %v, printed %s", digest, err, r.LastLine())
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.Labels["who"] != "e2e" || c.Env[len(c.Env)-1] != "A=b" || c.Entrypoint[0] != "/bin/x" {
		t.Errorf("config %+v", c)
	}
	var archive bytes.Buffer
	if err := crane.Export(img, &archive); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	cmd := exec.Command("tar", "-xf", "-", "-C", out)
	cmd.Stdin = &archive
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, msg)
	}
	for name, want := range map[string]string{
		"greeting": "hello\n", "copied": "data\n", "cached": "kept\n", "id": "1000\n", "shell": "shell\n", "inline": "inline\n", "unpacked/file": "packed\n",
	} {
		if got, err := os.ReadFile(filepath.Join(out, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

func dockerfileCache(t *testing.T, s *platform.Server) {
	const text = "FROM gcr.io/sunya/base\nRUN busybox date +%s%N > /made\nCOPY a /a\n"
	first := submit(t, s, "gcr.io/sunya/cache", text, map[string]string{"a": "1"})
	again := submit(t, s, "gcr.io/sunya/cache", text, map[string]string{"a": "1"})
	if first.Code != 0 || first.LastLine() != again.LastLine() {
		t.Errorf("the same source makes %s and %s", first.LastLine(), again.LastLine())
	}
	changed := submit(t, s, "gcr.io/sunya/cache", text, map[string]string{"a": "2"})
	if changed.LastLine() == first.LastLine() || strings.Count(changed.Stderr, "CACHED") < 1 {
		t.Errorf("changed source: %s\n%s", changed.LastLine(), changed.Stderr)
	}
	if fresh := submit(t, s, "gcr.io/sunya/cache", text, map[string]string{"a": "2"}, "--no-cache"); fresh.LastLine() == changed.LastLine() {
		t.Errorf("--no-cache: %s", fresh.LastLine())
	}
}

func dockerfileMistakes(t *testing.T, s *platform.Server) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"syntax", "FROM gcr.io/sunya/base\nRUNN x\n", []string{"line 2", "RUNN", "did you mean RUN"}},
		{"step", "FROM gcr.io/sunya/base\nRUN echo last words; exit 3\n", []string{"exit", "3", "last words"}},
		{"base", "FROM nowhere.invalid/a\n", []string{"nowhere.invalid/a", "cannot be had"}},
		{"file", "FROM gcr.io/sunya/base\nCOPY nope /\n", []string{"/nope", "not found"}},
		{"ssh", "FROM gcr.io/sunya/base\nRUN --mount=type=ssh true\n", []string{"line 2", "type=ssh is not supported"}},
		{"host network", "FROM gcr.io/sunya/base\nRUN --network=host true\n", []string{"network"}},
		{"program", "FROM gcr.io/sunya/base\nRUN [\"/bin/nope\"]\n", []string{"/bin/nope"}},
	} {
		r := submit(t, s, "gcr.io/sunya/bad", tt.text, nil)
		if r.Code != 6 {
			t.Errorf("%s: exit %d, want 6:\n%s", tt.name, r.Code, r.Stderr)
		}
		for _, w := range tt.want {
			if !strings.Contains(r.Stderr, w) {
				t.Errorf("%s lacks %q:\n%s", tt.name, w, r.Stderr)
			}
		}
	}
	if r := s.For(t).CLI("builds", "submit", t.TempDir(), "--tag", "gcr.io/sunya/none"); r.Code == 0 || !strings.Contains(r.Stderr, "there is no Dockerfile") {
		t.Errorf("no Dockerfile: %d %s", r.Code, r.Stderr)
	}
}

// hostileDockerfiles tries what a step must not reach or break.
func hostileDockerfiles(t *testing.T, s *platform.Server) {
	probe := strings.ReplaceAll(`FROM gcr.io/sunya/base
RUN busybox nc -w 2 127.0.0.1 PORT </dev/null && echo REACHED loopback; \
    busybox nc -w 2 10.213.0.1 PORT </dev/null && echo REACHED gateway; \
    busybox nc -w 2 169.254.169.254 80 </dev/null && echo REACHED metadata; \
    busybox ls /sunya && echo REACHED builder; \
    busybox mount -t tmpfs t /mnt && echo REACHED mount; \
    busybox unshare -m true && echo REACHED unshare; \
    busybox mknod /d c 1 3 && echo REACHED device; \
    busybox kill -9 -1; \
    busybox cat /proc/kcore >/dev/null && echo REACHED kcore; \
    echo 1 > /proc/sys/kernel/panic && echo REACHED sysctl; \
    busybox grep -h CapBnd /proc/self/status; true
`, "PORT", s.Port)
	r := submit(t, s, "gcr.io/sunya/probe", probe, nil)
	if r.Code != 0 || !strings.Contains(r.Stderr, "00000000a00405fb") {
		t.Errorf("the probe did not run: %s", r.Stderr)
	}
	for line := range strings.Lines(r.Stderr) {
		if strings.Contains(line, "REACHED") && !strings.Contains(line, "echo REACHED") {
			t.Errorf("a step can: %s", line)
		}
	}
	// A bomb ends with its step, and the builder outlives it.
	if r := submit(t, s, "gcr.io/sunya/bomb", "FROM gcr.io/sunya/base\nRUN b() { b | b & }; b; busybox sleep 1; echo over\n", nil); r.Code != 0 || !strings.Contains(r.Stderr, "over") {
		t.Errorf("fork bomb: %d %s", r.Code, r.Stderr)
	}
	files := map[string]string{"a": "x"}
	if r := submit(t, s, "gcr.io/sunya/esc", "FROM scratch\nCOPY ../../../../etc/passwd /x\n", files); r.Code == 0 {
		t.Error("COPY leaves the context")
	}
	s.For(t).Eventually(10*time.Second, "sandboxes of builds are gone", func() error {
		for _, dir := range s.Cgroups() {
			if strings.HasPrefix(filepath.Base(dir), "i-") {
				return fmt.Errorf("%s is still there", dir)
			}
		}
		return nil
	})
}

const steps = `steps:
- name: gcr.io/sunya/base
  id: prepare
  script: |
    echo "FROM gcr.io/sunya/base" > made
    echo "COPY message /message" >> made
    echo $WHAT > message
  env: ['WHAT=${_WHAT}']
- name: gcr.io/cloud-builders/docker
  args: [build, -f, made, -t, 'gcr.io/$PROJECT_ID/steps:$BUILD_ID', .]
  waitFor: [prepare]
- name: gcr.io/cloud-builders/docker
  args: [tag, 'gcr.io/$PROJECT_ID/steps:$BUILD_ID', gcr.io/$PROJECT_ID/copy]
- name: 'gcr.io/$PROJECT_ID/steps:$BUILD_ID'
  entrypoint: busybox
  args: [cat, /message]
- name: gcr.io/sunya/base
  entrypoint: busybox
  args: ['false']
  allowFailure: true
images: ['gcr.io/$PROJECT_ID/steps:$BUILD_ID', gcr.io/$PROJECT_ID/copy]
tags: [e2e]
`

func cloudBuildFile(t *testing.T, s *platform.Server) {
	s = s.For(t)
	dir := platform.Files(t, map[string]string{"cloudbuild.yaml": steps})
	r := s.OK("builds", "submit", dir, "--substitutions", "_WHAT=made by a step")
	if !strings.Contains(r.Stderr, "made by a step") {
		t.Errorf("the image of a step is not the next one's:\n%s", r.Stderr)
	}
	if _, err := crane.Digest("localhost:" + s.Port + "/sunya/copy"); err != nil {
		t.Error(err)
	}
	if out := s.OK("builds", "list", "--filter", `tags="e2e"`, "--format", "value(status)").Stdout; strings.TrimSpace(out) != "SUCCESS" {
		t.Errorf("list: %s", out)
	}
	for name, want := range map[string]string{
		"steps:\n- name: gcr.io/cloud-builders/gcloud\n  args: [version]\n": "gcr.io/cloud-builders/gcloud",
		"steps:\n- nam: x\n": "nam",
		"steps:\n- name: gcr.io/cloud-builders/docker\n  args: [run, x]\n":                                         "docker run",
		"steps:\n- name: gcr.io/sunya/base\n  args: [$_NOPE]\n":                                                    "_NOPE",
		"availableSecrets:\n  secretManager:\n  - versionName: x\n    env: A\nsteps:\n- name: gcr.io/sunya/base\n": "Secret Manager",
	} {
		bad := platform.Files(t, map[string]string{"cloudbuild.yaml": name})
		if r := s.CLI("builds", "submit", bad); r.Code == 0 || !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: exit %d, lacks %q:\n%s", name, r.Code, want, r.Stderr)
		}
	}
}

// cloudBuildClients drives the API with Google's client over gRPC and REST.
func cloudBuildClients(t *testing.T, s *platform.Server) {
	rpc, err := cloudbuild.NewClient(t.Context(), option.WithEndpoint("127.0.0.1:"+s.Port), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	defer rpc.Close()
	rest, err := cloudbuild.NewRESTClient(t.Context(), option.WithEndpoint("http://127.0.0.1:"+s.Port), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	for name, c := range map[string]*cloudbuild.Client{"grpc": rpc, "rest": rest} {
		t.Run(name, func(t *testing.T) { cloudBuildClient(t, c) })
	}
}

func cloudBuildClient(t *testing.T, c *cloudbuild.Client) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	op, err := c.CreateBuild(ctx, &cloudbuildpb.CreateBuildRequest{ProjectId: "sunya", Build: &cloudbuildpb.Build{
		Steps:   []*cloudbuildpb.BuildStep{{Name: "gcr.io/sunya/base", Entrypoint: "busybox", Args: []string{"echo", "hi"}}},
		Tags:    []string{t.Name()},
		Options: &cloudbuildpb.BuildOptions{MachineType: cloudbuildpb.BuildOptions_E2_HIGHCPU_8},
	}})
	if err != nil {
		t.Fatal(err)
	}
	done, err := op.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.GetBuild(ctx, &cloudbuildpb.GetBuildRequest{ProjectId: "sunya", Id: done.GetId()})
	if err != nil || got.GetStatus() != cloudbuildpb.Build_SUCCESS || got.GetSteps()[0].GetStatus() != cloudbuildpb.Build_SUCCESS ||
		got.GetOptions().GetMachineType() != cloudbuildpb.BuildOptions_E2_HIGHCPU_8 || got.GetFinishTime() == nil {
		t.Errorf("build %v, %v", got, err)
	}
	again, err := c.RetryBuild(ctx, &cloudbuildpb.RetryBuildRequest{ProjectId: "sunya", Id: done.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Wait(ctx); err != nil {
		t.Error(err)
	}
	it := c.ListBuilds(ctx, &cloudbuildpb.ListBuildsRequest{ProjectId: "sunya", PageSize: 1, Filter: `tags="` + t.Name() + `"`})
	n := 0
	for ; ; n++ {
		if _, err := it.Next(); err == iterator.Done { //nolint:errorlint // the iterator returns it bare
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n != 2 {
		t.Errorf("listed %d builds, want 2", n)
	}
	slow, err := c.CreateBuild(ctx, &cloudbuildpb.CreateBuildRequest{ProjectId: "sunya", Parent: "projects/sunya/locations/us-central1", Build: &cloudbuildpb.Build{
		Steps: []*cloudbuildpb.BuildStep{{Name: "gcr.io/sunya/base", Entrypoint: "busybox", Args: []string{"sleep", "60"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	meta, err := slow.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	cancelled, err := c.CancelBuild(ctx, &cloudbuildpb.CancelBuildRequest{ProjectId: "sunya", Id: meta.GetBuild().GetId(), Name: meta.GetBuild().GetName()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Wait(ctx); err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("a cancelled build ends with %v (%v)", err, cancelled.GetStatus())
	}
	late, err := c.CreateBuild(ctx, &cloudbuildpb.CreateBuildRequest{ProjectId: "sunya", Build: &cloudbuildpb.Build{
		Steps:   []*cloudbuildpb.BuildStep{{Name: "gcr.io/sunya/base", Entrypoint: "busybox", Args: []string{"sleep", "60"}}},
		Timeout: durationpb.New(2 * time.Second),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Wait(ctx); err == nil || !strings.Contains(err.Error(), "timeout of 2s") {
		t.Errorf("a build that takes too long ends with %v", err)
	}
}

// buildsEnd kills the server in the middle of a build: the next one does it
// again, and a cancelled build leaves nothing.
func buildsEnd(t *testing.T, s *platform.Server) {
	s = s.For(t)
	dir := platform.Files(t, map[string]string{"Dockerfile": "FROM gcr.io/sunya/base\nRUN busybox sleep 2; echo through\n"})
	id := s.OK("builds", "submit", dir, "--tag", "gcr.io/sunya/killed", "--async").LastLine()
	status := func() string {
		return strings.TrimSpace(s.OK("builds", "describe", id, "--format", "value(status)").Stdout)
	}
	s.Eventually(20*time.Second, "the build begins", func() error {
		if got := status(); got != "WORKING" {
			return fmt.Errorf("status %s", got)
		}
		return nil
	})
	s.Kill()
	s.Up()
	s.Eventually(40*time.Second, "the build succeeds after all", func() error {
		if got := status(); got != "SUCCESS" {
			return fmt.Errorf("status %s", got)
		}
		return nil
	})
	if log := s.OK("builds", "log", id).Stdout; !strings.Contains(log, "through") || !strings.HasSuffix(log, "DONE\n") {
		t.Errorf("log:\n%s", log)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Data, "run/images/b-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
