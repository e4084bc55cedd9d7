package build

import (
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// SourceSpec says how a source is built that nobody has described: by its
// files, its Procfile and project.toml, and by the variables of Google's
// buildpacks in env (GOOGLE_RUNTIME, GOOGLE_ENTRYPOINT, GOOGLE_FUNCTION_TARGET).
func (r *Runner) SourceSpec(fsys fs.FS, env map[string]string) (sunya.BuildSpec, error) {
	all, err := detect.ProjectEnv(fsys)
	if err != nil {
		return sunya.BuildSpec{}, err
	}
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, env)
	spec := sunya.BuildSpec{Runtime: all["GOOGLE_RUNTIME"], Entrypoint: all["GOOGLE_ENTRYPOINT"], Env: all}
	if spec.Entrypoint == "" {
		if spec.Entrypoint, _, err = detect.Procfile(fsys); err != nil {
			return sunya.BuildSpec{}, err
		}
	}
	if target := all["GOOGLE_FUNCTION_TARGET"]; target != "" {
		spec.Function = &sunya.FunctionSpec{Target: target, Signature: all["GOOGLE_FUNCTION_SIGNATURE_TYPE"]}
	}
	// GOOGLE_RUNTIME may name a language without a version.
	language := spec.Runtime
	if language == "" {
		if language, err = detect.Language(fsys); err != nil {
			return sunya.BuildSpec{}, err
		}
	}
	if strings.TrimRight(language, "0123456789") == language {
		if spec.Runtime, err = r.newest(language); err != nil {
			return sunya.BuildSpec{}, err
		}
	}
	return spec, r.Check(spec)
}

// newest returns the runtime id of the newest version of a language that this
// machine has.
func (r *Runner) newest(language string) (string, error) {
	var best detect.Version
	found := false
	for _, rt := range r.o.Machine.Runtimes {
		v, err := detect.ParseVersion(rt.Version)
		if rt.Language != language || err != nil {
			continue
		}
		if !found || v.Compare(best) > 0 {
			best, found = v, true
		}
	}
	i := slices.IndexFunc(families, func(f family) bool { return f.language == language })
	switch {
	case i < 0:
		return "", sunya.Invalid("runtime", "unknown runtime %q: use %s", language, strings.Join(r.Runtimes(), ", "))
	case !found:
		f := families[i]
		return "", sunya.Errorf(sunya.FailedPrecondition, "", "the source needs %s, which this machine does not have: %s", f.need, f.install)
	}
	return families[i].id(clamp(best, families[i])), nil
}

// families are the languages whose runtime ids are known here.
var families = []family{pythons, nodes, gos, javas, phps, rubies}

// clamp brings a version into the range that has ids, with as many numbers as
// an id has.
func clamp(v detect.Version, f family) detect.Version {
	v = v.As(f.oldest)
	switch {
	case v.Compare(f.oldest) < 0:
		return f.oldest
	case v.Compare(f.newest) > 0:
		return f.newest
	}
	return v
}
