package cloudbuild

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
	"github.com/sunya-cloud/sunya/internal/core/images"
)

// program is what a build comes to: either steps for the builder of images, or
// builds from source.
type program struct {
	steps []plan.Step
	packs []*packBuild
}

// Limits of a build (cloud.google.com/build/quotas).
const (
	maxSteps  = 300
	maxImages = 100
)

// compile turns the steps of a build into what the builders understand, and
// refuses what they do not.
func compile(b *Build) (*program, error) {
	if len(b.Steps) == 0 {
		return nil, sunya.Invalid("build.steps", "is empty: a build needs a step")
	}
	if len(b.Steps) > maxSteps || len(b.Images) > maxImages {
		return nil, sunya.Invalid("build.steps", "%d steps and %d images: at most %d and %d are allowed", len(b.Steps), len(b.Images), maxSteps, maxImages)
	}
	if err := checkOrder(b.Steps); err != nil {
		return nil, err
	}
	p := &program{}
	for i := range b.Steps {
		if err := p.add(fmt.Sprintf("steps[%d]", i), &b.Steps[i]); err != nil {
			return nil, err
		}
	}
	if len(p.packs) > 0 && len(p.packs) < len(b.Steps) {
		return nil, unsupported("build.steps", "steps of pack and others in one build are not supported: make two builds")
	}
	for i, name := range b.Images {
		if _, err := images.Parse(name); err != nil {
			return nil, sunya.InField(fmt.Sprintf("images[%d]", i), err)
		}
	}
	return p, p.checkTags()
}

func (p *program) add(where string, s *Step) error {
	switch kind := builderOf(s.Name); kind {
	case dockerBuilder:
		step, err := dockerStep(where, s)
		if err != nil {
			return err
		}
		p.steps = append(p.steps, stepLimits(s, step))
		return nil
	case packBuilder:
		pack, err := packStep(where, s)
		if err != nil {
			return err
		}
		p.packs = append(p.packs, pack)
		return nil
	}
	step, err := containerStep(where, s)
	if err != nil {
		return err
	}
	p.steps = append(p.steps, stepLimits(s, step))
	return nil
}

// checkTags makes sure that names of images are some, before anything is built.
func (p *program) checkTags() error {
	for i, s := range p.steps {
		names := slices.Clone(s.Push)
		if s.Build != nil {
			names = append(names, s.Build.Tags...)
		}
		if s.Tag != nil {
			names = append(names, s.Tag.From, s.Tag.To)
		}
		for _, name := range names {
			if _, err := images.Parse(name); err != nil {
				return sunya.InField(fmt.Sprintf("steps[%d].args", i), err)
			}
		}
	}
	for i, pack := range p.packs {
		if pack.Image == "" {
			continue
		}
		if _, err := images.Parse(pack.Image); err != nil {
			return sunya.InField(fmt.Sprintf("steps[%d].args", i), err)
		}
	}
	return nil
}

// The builders of images that are not fetched.
const (
	dockerBuilder = "docker"
	packBuilder   = "pack"
)

// builderOf tells which builder the image of a step is, if it is one.
func builderOf(name string) string {
	base := name
	if i := strings.LastIndex(base, "@"); i > 0 {
		base = base[:i]
	}
	if i := strings.LastIndex(base, ":"); i > strings.LastIndex(base, "/") {
		base = base[:i]
	}
	switch base {
	case "gcr.io/cloud-builders/docker", "docker", "docker.io/library/docker", "us-docker.pkg.dev/cloud-builders/ga/v1/docker":
		return dockerBuilder
	case "gcr.io/k8s-skaffold/pack", "gcr.io/cloud-builders/pack", "buildpacksio/pack", "docker.io/buildpacksio/pack":
		return packBuilder
	}
	return ""
}

// containerStep is a step that runs as a container of its own.
func containerStep(where string, s *Step) (plan.Step, error) {
	if _, err := images.Parse(s.Name); err != nil {
		return plan.Step{}, sunya.InField(where+".name", err)
	}
	if s.Script != "" && (len(s.Args) > 0 || s.Entrypoint != "") {
		return plan.Step{}, sunya.Invalid(where+".script", "a step with a script has neither args nor an entrypoint")
	}
	dir, err := inWorkspace(where+".dir", "", path.Join(workspace, s.Dir))
	if err != nil {
		return plan.Step{}, err
	}
	r := &plan.Run{
		Image: s.Name, Entrypoint: s.Entrypoint, Args: s.Args, Script: s.Script, Env: s.Env, Dir: dir,
		Secrets: s.SecretEnv, Volumes: map[string]string{},
	}
	for _, v := range s.Volumes {
		if !path.IsAbs(v.Path) || v.Name == "" || v.Path == workspace || strings.HasPrefix(v.Path, "/builder") {
			return plan.Step{}, sunya.Invalid(where+".volumes", "%q at %q: a volume has a name and an absolute path that is not %s", v.Name, v.Path, workspace)
		}
		r.Volumes[path.Clean(v.Path)] = v.Name
	}
	return plan.Step{Run: r}, nil
}

// checkOrder checks ids and what steps wait for. Steps run in their order,
// which waitFor always allows: it can only name earlier ones.
func checkOrder(steps []Step) error {
	earlier := map[string]bool{"-": true}
	for i, s := range steps {
		for _, w := range s.WaitFor {
			if !earlier[w] {
				return sunya.Invalid(fmt.Sprintf("steps[%d].wait_for", i), "%q is no earlier step: %s", w, strings.Join(slices.Sorted(maps.Keys(earlier)), ", "))
			}
		}
		if s.ID != "" && earlier[s.ID] {
			return sunya.Invalid(fmt.Sprintf("steps[%d].id", i), "%q is taken by an earlier step", s.ID)
		}
		if s.ID != "" {
			earlier[s.ID] = true
		}
	}
	return nil
}
