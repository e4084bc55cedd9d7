package cloudbuild

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Filter chooses builds in a list: terms that must all hold, such as
// status="SUCCESS" AND tags="v1" (cloud.google.com/build/docs/view-build-results,
// "filtering"). The nil Filter holds every build.
type Filter struct{ terms []term }

type term struct {
	field, op, value string
	not              bool
}

var termRE = regexp.MustCompile(`^\s*(?i:(NOT\s+|-))?([A-Za-z_.]+)\s*(>=|<=|!=|=|>|<|:)\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^\s()"']+)\s*`)

var andRE = regexp.MustCompile(`^(?i:AND)\s+`)

// maxFilter bounds a filter in bytes.
const maxFilter = 2048

// ParseFilter reads a filter; a field or a form that is not supported is an
// error that says which are.
func ParseFilter(text string) (*Filter, error) {
	if len(text) > maxFilter {
		return nil, sunya.Invalid("filter", "is longer than %d bytes", maxFilter)
	}
	f := &Filter{}
	for rest := strings.TrimSpace(text); rest != ""; {
		m := termRE.FindStringSubmatch(rest)
		if m == nil {
			return nil, sunya.Invalid("filter", "%q: terms look like status=\"SUCCESS\" and are joined by AND", rest)
		}
		t := term{field: fieldName(m[2]), op: m[3], value: unquote(m[4]), not: m[1] != ""}
		if err := t.check(); err != nil {
			return nil, err
		}
		f.terms = append(f.terms, t)
		rest = strings.TrimSpace(rest[len(m[0]):])
		rest = andRE.ReplaceAllString(rest+" ", "")
		rest = strings.TrimSpace(rest)
	}
	return f, nil
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') {
		s = s[1 : len(s)-1]
	}
	return strings.ReplaceAll(s, `\"`, `"`)
}

// fieldName brings the spellings of a field into one.
func fieldName(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }

// fields are those that can be asked for, with the values that a build has.
var fields = map[string]func(b *Build) []string{
	"status": func(b *Build) []string { return []string{string(b.Status)} },
	"id":     func(b *Build) []string { return []string{b.ID} },
	"buildid": func(b *Build) []string {
		return []string{b.ID}
	},
	"tags":   func(b *Build) []string { return b.Tags },
	"images": func(b *Build) []string { return b.Images },
	"results.images.name": func(b *Build) []string {
		var names []string
		for _, i := range b.Results {
			names = append(names, i.Name)
		}
		return names
	},
	"source.storagesource.bucket": func(b *Build) []string { return sourceField(b, func(s *Source) string { return s.Bucket }) },
	"source.storagesource.object": func(b *Build) []string { return sourceField(b, func(s *Source) string { return s.Object }) },
}

func sourceField(b *Build, field func(*Source) string) []string {
	if b.Source == nil {
		return nil
	}
	return []string{field(b.Source)}
}

// times are the fields that are compared as times.
var times = map[string]func(b *Build) time.Time{
	"createtime": func(b *Build) time.Time { return b.CreateTime },
	"starttime":  func(b *Build) time.Time { return b.StartTime },
	"finishtime": func(b *Build) time.Time { return b.FinishTime },
}

func (t *term) check() error {
	if times[t.field] != nil {
		if _, err := time.Parse(time.RFC3339, t.value); err != nil {
			return sunya.Invalid("filter", "%s: %q is not a time like 2026-01-02T15:04:05Z", t.field, t.value)
		}
		return nil
	}
	if fields[t.field] == nil {
		return &sunya.Error{Code: sunya.Unimplemented, Field: "filter", Message: fmt.Sprintf("the field %q is not supported: use status, id, tags, images, results.images.name, source.storageSource.*, createTime, startTime or finishTime", t.field)}
	}
	if t.op != "=" && t.op != ":" && t.op != "!=" {
		return sunya.Invalid("filter", "%s %s: use =", t.field, t.op)
	}
	return nil
}

// Holds reports whether a build is one that the filter asks for.
func (f *Filter) Holds(b *Build) bool {
	if f == nil {
		return true
	}
	return !slices.ContainsFunc(f.terms, func(t term) bool { return t.holds(b) == t.not })
}

func (t term) holds(b *Build) bool {
	if of := times[t.field]; of != nil {
		want, _ := time.Parse(time.RFC3339, t.value)
		return compare(t.op, of(b).Compare(want))
	}
	has := slices.ContainsFunc(fields[t.field](b), func(v string) bool {
		if t.field == "status" {
			return strings.EqualFold(v, t.value)
		}
		return v == t.value || (t.op == ":" && strings.Contains(v, t.value))
	})
	return has != (t.op == "!=")
}

func compare(op string, c int) bool {
	switch op {
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case "!=":
		return c != 0
	}
	return c == 0
}
