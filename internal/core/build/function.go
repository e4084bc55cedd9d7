package build

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// FunctionLanguage is a Language whose builds know functions: its functions
// framework is added where the source does not name it, and serves.
type FunctionLanguage interface {
	Language
	// FunctionRuntimes are the ids of the runtimes that functions can have, oldest
	// first.
	FunctionRuntimes() []string
}

// Functions lists the runtime ids of functions.
func (r *Runner) Functions() []string {
	var list []string
	for _, l := range r.o.Languages {
		if f, ok := l.(FunctionLanguage); ok {
			list = append(list, f.FunctionRuntimes()...)
		}
	}
	return list
}

// noFunctions says what is missing for functions in a language.
func (r *Runner) noFunctions(l Language, runtime string) error {
	var names []string
	for _, l := range r.o.Languages {
		if _, ok := l.(FunctionLanguage); ok {
			names = append(names, l.Name())
		}
	}
	return &sunya.Error{Code: sunya.Unimplemented, Field: "runtime", Message: fmt.Sprintf(
		"functions in %s (%s) are not supported yet; functions can be in %s", runtime, l.Name(), strings.Join(names, ", "))}
}

// known are the ids of the versions that keep says yes to; n is the number in
// which versions differ, the second one of Python's.
func (f family) known(keep func(n int) bool) []string {
	var list []string
	for v := f.oldest; v.Compare(f.newest) <= 0; {
		n := &v.Major
		if f.oldest.Minor >= 0 {
			n = &v.Minor
		}
		if keep == nil || keep(*n) {
			list = append(list, f.id(v))
		}
		*n++
	}
	return list
}

// memoryVar is the instance's memory in MiB.
const memoryVar = "SUNYA_MEMORY_MB"

// signatureVar is the build variable, of Google's, that says how a function is
// called about which the source says nothing.
const signatureVar = "GOOGLE_FUNCTION_SIGNATURE_TYPE"

// signatures are those of the functions frameworks.
var signatures = []string{signatureHTTP, "cloudevent", "event", "typed"}

// askedSignature is a build's function with the signature that the variable
// names, unless it has one already.
func askedSignature(spec sunya.BuildSpec) (*sunya.FunctionSpec, error) {
	v := spec.Env[signatureVar]
	if spec.Function == nil || spec.Function.Signature != "" || v == "" {
		return spec.Function, nil
	}
	if !slices.Contains(signatures, v) {
		return nil, failed(nil, "%s: %q is not a signature: use %s", signatureVar, v, strings.Join(signatures, ", "))
	}
	f := *spec.Function
	f.Signature = v
	return &f, nil
}

// signatureHTTP is how a function is called about which nothing else is known.
const signatureHTTP = "http"

// functionEnv tells a functions framework which function of which kind it
// serves. What was asked for wins over what the source says.
func functionEnv(spec *sunya.FunctionSpec, target, signature string) []sunya.EnvVar {
	if spec == nil {
		return nil
	}
	return []sunya.EnvVar{
		{Name: "FUNCTION_TARGET", Value: cmp.Or(target, spec.Target)},
		{Name: "FUNCTION_SIGNATURE_TYPE", Value: cmp.Or(spec.Signature, signature, signatureHTTP)},
	}
}
