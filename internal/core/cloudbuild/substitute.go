package cloudbuild

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// userVariable is what the name of a user's own substitution looks like.
var userVariable = regexp.MustCompile(`^_[A-Z0-9_]+$`)

// limits of substitutions (cloud.google.com/build/docs/configuring-builds/substitute-variable-values).
const (
	maxSubstitutions = 200
	maxVariable      = 100
	maxValue         = 4000
)

// standard are the substitutions that every build has.
func standard(b *Build) map[string]string {
	return map[string]string{
		"PROJECT_ID": b.Project, "BUILD_ID": b.ID, "LOCATION": b.Location,
		"PROJECT_NUMBER": strconv.FormatInt(sunya.ProjectNumber(b.Project), 10),
		"TRIGGER_NAME":   "", "TRIGGER_BUILD_CONFIG_PATH": "", "COMMIT_SHA": "", "REVISION_ID": "", "SHORT_SHA": "",
		"REPO_NAME": "", "REPO_FULL_NAME": "", "BRANCH_NAME": "", "TAG_NAME": "", "REF_NAME": "",
		"SERVICE_ACCOUNT_EMAIL": "", "SERVICE_ACCOUNT": "",
	}
}

// checkSubstitutions checks the user's own.
func checkSubstitutions(own map[string]string) error {
	if len(own) > maxSubstitutions {
		return sunya.Invalid("substitutions", "%d of them: at most %d are allowed", len(own), maxSubstitutions)
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		given, builtin := settable[name]
		if !userVariable.MatchString(name) && !(builtin && given) {
			return sunya.Invalid("substitutions", "%q is not the name of a substitution: names of one's own begin with _ and have A-Z, 0-9 and _", name)
		}
		if len(name) > maxVariable || len(own[name]) > maxValue {
			return sunya.Invalid("substitutions", "%q: a name has at most %d characters and a value %d", name, maxVariable, maxValue)
		}
	}
	return nil
}

// settable are the standard substitutions that a request may set.
var settable = map[string]bool{
	"COMMIT_SHA": true, "REVISION_ID": true, "SHORT_SHA": true, "REPO_NAME": true, "REPO_FULL_NAME": true,
	"BRANCH_NAME": true, "TAG_NAME": true, "REF_NAME": true, "TRIGGER_NAME": true,
}

// replacer puts values into the texts of a build.
type replacer struct {
	values map[string]string
	loose  bool
	used   map[string]bool
	err    error // the first
}

// reference is $NAME, ${NAME} or $$, which stands for a dollar.
var reference = regexp.MustCompile(`\$\$|\$\{([A-Z_][A-Z0-9_]*)\}|\$([A-Z_][A-Z0-9_]*)`)

// text replaces the references in one text, which is where in the request.
func (r *replacer) text(where, s string) string {
	return reference.ReplaceAllStringFunc(s, func(match string) string {
		if match == "$$" {
			return "$"
		}
		name := strings.Trim(match, "${}")
		value, ok := r.values[name]
		if !ok {
			if r.err == nil && !r.loose {
				r.err = sunya.Invalid(where, "%s is not a substitution: define it, or write $%s for the variable of a shell", match, match)
			}
			return ""
		}
		r.used[name] = true
		return value
	})
}

func (r *replacer) texts(where string, list []string) []string {
	var out []string
	for i, s := range list {
		out = append(out, r.text(fmt.Sprintf("%s[%d]", where, i), s))
	}
	return out
}

// substitute replaces everything in a build that may hold references. What a
// user defines and nobody uses is an error, as at Google, unless he is loose.
func substitute(b *Build, own map[string]string, loose bool) error {
	if err := checkSubstitutions(own); err != nil {
		return err
	}
	values := standard(b)
	maps.Copy(values, own)
	r := &replacer{values: values, loose: loose, used: map[string]bool{}}
	for i := range b.Steps {
		r.step(fmt.Sprintf("steps[%d]", i), &b.Steps[i])
	}
	b.Images = r.texts("images", b.Images)
	b.Tags = r.texts("tags", b.Tags)
	b.LogsBucket = r.text("logs_bucket", b.LogsBucket)
	if r.err != nil {
		return r.err
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if !r.used[name] && !loose && strings.HasPrefix(name, "_") {
			return sunya.Invalid("substitutions", "%q is not used by the build: remove it, or set options.substitutionOption to ALLOW_LOOSE", name)
		}
	}
	b.Substitutions = own
	return nil
}

func (r *replacer) step(where string, s *Step) {
	s.Name = r.text(where+".name", s.Name)
	s.Args = r.texts(where+".args", s.Args)
	s.Env = r.texts(where+".env", s.Env)
	s.Dir = r.text(where+".dir", s.Dir)
	s.Entrypoint = r.text(where+".entrypoint", s.Entrypoint)
	s.ID = r.text(where+".id", s.ID)
	for i := range s.Volumes {
		s.Volumes[i].Name = r.text(where+".volumes", s.Volumes[i].Name)
		s.Volumes[i].Path = r.text(where+".volumes", s.Volumes[i].Path)
	}
}
