package functionsv2

import (
	"regexp"
	"strings"

	"cloud.google.com/go/functions/apiv2/functionspb"

	"github.com/sunya-cloud/sunya"
)

// filter is a condition of a list: terms that must all hold. It is the part of
// Google's filters (AIP-160) that is asked of functions and runtimes.
type filter []term

// term compares a field: = and != by the whole value, : by a part of it.
type term struct{ field, op, value string }

var termRE = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*(!=|=|:)\s*("(?:[^"\\]|\\.)*"|[^\s"()]+)`)

var andRE = regexp.MustCompile(`^(?i:\s+AND\s+|\s*$|\s+)`)

// parseFilter reads FIELD=VALUE AND …; fields are those that can be asked for,
// labels. stands for every label.
func parseFilter(s string, fields ...string) (filter, error) {
	var out filter
	for rest := s; strings.TrimSpace(rest) != ""; {
		m := termRE.FindStringSubmatch(rest)
		if m == nil {
			return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "filter", Message: "\"" + strings.TrimSpace(rest) + "\" is not supported: use FIELD=VALUE, joined by AND"}
		}
		if !filterable(m[1], fields) {
			return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "filter", Message: "\"" + m[1] + "\" cannot be asked for: use " + strings.Join(fields, ", ")}
		}
		out = append(out, term{m[1], m[2], unquote(m[3])})
		rest = rest[len(m[0]):]
		and := andRE.FindString(rest)
		if and == "" && rest != "" {
			return nil, sunya.Invalid("filter", "%q is not readable from %q on", s, rest)
		}
		rest = rest[len(and):]
	}
	return out, nil
}

func filterable(field string, fields []string) bool {
	for _, f := range fields {
		if field == f || strings.HasSuffix(f, ".") && strings.HasPrefix(field, f) {
			return true
		}
	}
	return false
}

func unquote(s string) string {
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s[1 : len(s)-1])
}

// holds reports whether all terms are true of what get says about fields.
func (f filter) holds(get func(field string) string) bool {
	for _, t := range f {
		v := get(t.field)
		switch t.op {
		case "=":
			if v != t.value {
				return false
			}
		case "!=":
			if v == t.value {
				return false
			}
		default:
			if !strings.Contains(strings.ToLower(v), strings.ToLower(t.value)) {
				return false
			}
		}
	}
	return true
}

// functionFields are those that lists of functions can be filtered by.
var functionFields = []string{"name", "environment", "state", "buildConfig.runtime", "build_config.runtime", "labels."}

// functionField is the value of one of them.
func functionField(f *functionspb.Function) func(string) string {
	return func(field string) string {
		switch field {
		case "name":
			return f.GetName()
		case "environment":
			return f.GetEnvironment().String()
		case "state":
			return f.GetState().String()
		case "buildConfig.runtime", "build_config.runtime":
			return f.GetBuildConfig().GetRuntime()
		}
		return f.GetLabels()[strings.TrimPrefix(field, "labels.")]
	}
}

// runtimeFields are those that lists of runtimes can be filtered by.
var runtimeFields = []string{"name", "environment", "stage"}

func runtimeField(r *functionspb.ListRuntimesResponse_Runtime) func(string) string {
	return func(field string) string {
		switch field {
		case "name":
			return r.GetName()
		case "environment":
			return r.GetEnvironment().String()
		}
		return r.GetStage().String()
	}
}
