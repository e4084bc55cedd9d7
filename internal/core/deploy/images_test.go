package deploy

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
)

// Fetch implements images.Fetcher: every image runs its own name.
func (w *world) Fetch(_ context.Context, project, reference string, log io.Writer) (*images.Fetched, error) {
	fmt.Fprintln(log, "pulling", reference)
	if strings.Contains(reference, "missing") {
		return nil, sunya.Errorf(sunya.NotFound, "", "image %s does not exist", reference)
	}
	return &images.Fetched{
		Image:  sunya.Image{Stack: sunya.ContainerStack, Reference: project + "/" + reference},
		Config: images.Config{Entrypoint: []string{"/" + reference}, Env: []string{"FROM=image"}},
	}, w.did("fetch")
}

// addImages is add for a deployment of images: a service and a sidecar.
func (w *world) addImages(specs map[string]sunya.ImageSpec) {
	w.add("v1", "s", sunya.StepBuilding)
	d := w.deployments["v1"]
	d.Build.Images = specs
	d.Revision.Project = "p"
	d.Revision.Sidecars = []sunya.Container{{ContainerName: "side", Env: []sunya.EnvVar{{Name: "FROM", Value: "user"}}}}
	w.deployments["v1"] = d
}

func TestImagesAreFetchedInsteadOfBuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.addImages(map[string]sunya.ImageSpec{"": {Reference: "main", Args: []string{"-v"}}, "side": {Reference: "proxy"}})
		w.runUntilIdle(t)
		if want := []string{"fetch", "fetch", "prove", "finish"}; !slices.Equal(w.events, want) {
			t.Errorf("events = %v, want %v", w.events, want)
		}
		rev := w.revisions["s/v1"]
		if !slices.Equal(rev.Command, []string{"/main", "-v"}) || rev.Image.Reference != "p/main" || len(rev.Env) != 1 {
			t.Errorf("container = %+v", rev.Container)
		}
		if side := rev.Sidecars[0]; !slices.Equal(side.Command, []string{"/proxy"}) || side.Env[0].Value != "user" || len(side.Env) != 1 {
			t.Errorf("sidecar = %+v", side)
		}
		if op := w.ops["op-v1"]; !op.Done || op.Error != nil {
			t.Errorf("operation = %+v", op)
		}
	})
}

func TestImageThatCannotBeFetched(t *testing.T) {
	for _, tt := range []struct {
		rule  string
		specs map[string]sunya.ImageSpec
		code  sunya.Code
		want  string
	}{
		{"it does not exist", map[string]sunya.ImageSpec{"": {Reference: "main"}, "side": {Reference: "missing"}}, sunya.NotFound, "does not exist"},
		{"none is given", map[string]sunya.ImageSpec{"": {Reference: "main"}}, sunya.InvalidArgument, `"side"`},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.addImages(tt.specs)
				w.runUntilIdle(t)
				op := w.ops["op-v1"]
				if op.Error == nil || op.Error.Code != tt.code || !strings.Contains(op.Error.Message, tt.want) {
					t.Errorf("operation error = %+v, want %v with %s", op.Error, tt.code, tt.want)
				}
				if len(w.revisions) > 0 || len(w.services) > 0 {
					t.Errorf("left behind: %v, %v", w.revisions, w.services)
				}
			})
		})
	}
}
