package detect

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Version is major, minor, patch. What a text leaves out is -1.
type Version struct{ Major, Minor, Patch int }

var versionRE = regexp.MustCompile(`^v?([0-9]{1,4})(?:\.([0-9]{1,4}|x|\*)(?:\.([0-9]{1,4}|x|\*))?)?$`)

// ParseVersion reads 3.11.7, 3.11, 3.11.x, 22 or 22.x.x.
func ParseVersion(s string) (Version, error) {
	m := versionRE.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return Version{}, fmt.Errorf("%q is not a version: write 3.11 or 3.11.7", s)
	}
	v := Version{Minor: -1, Patch: -1}
	v.Major, _ = strconv.Atoi(m[1])
	if n, err := strconv.Atoi(m[2]); err == nil {
		v.Minor = n
	}
	if n, err := strconv.Atoi(m[3]); err == nil && v.Minor >= 0 {
		v.Patch = n
	}
	return v, nil
}

// String writes the version as it was given.
func (v Version) String() string {
	switch {
	case v.Minor < 0:
		return strconv.Itoa(v.Major)
	case v.Patch < 0:
		return fmt.Sprintf("%d.%d", v.Major, v.Minor)
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// Compare orders versions; a missing number counts as 0.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(max(v.Minor, 0), max(w.Minor, 0)), cmp.Compare(max(v.Patch, 0), max(w.Patch, 0)))
}

// Holds reports whether w is v, or one of those that v leaves open.
func (v Version) Holds(w Version) bool { return w.As(v) == v }

// As returns v with no more numbers than w has.
func (v Version) As(w Version) Version {
	if w.Minor < 0 {
		v.Minor = -1
	}
	if w.Patch < 0 || v.Minor < 0 {
		v.Patch = -1
	}
	return v
}

// Range is a set of version specifiers (PEP 440) that must all hold, such as
// ">=3.9,<3.13". The zero value holds everything.
type Range struct {
	text  string
	parts []specifier
}

type specifier struct {
	op    string
	v     Version
	parts int  // how many numbers were written
	wild  bool // 3.11.*
}

var specifierRE = regexp.MustCompile(`^(~=|===?|!=|<=|>=|<|>)\s*([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:\.([0-9]{1,4}))?(\.\*)?$`)

// ParseRange reads comma-separated specifiers. A form outside of PEP 440's
// release numbers is an error: guessing could pick a forbidden version.
func ParseRange(s string) (Range, error) {
	r := Range{text: strings.TrimSpace(s)}
	for part := range strings.SplitSeq(r.text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		m := specifierRE.FindStringSubmatch(part)
		if m == nil {
			return Range{}, fmt.Errorf("%q is not a version specifier: write for example >=3.9", part)
		}
		r.parts = append(r.parts, newSpecifier(m))
	}
	return r, nil
}

func newSpecifier(m []string) specifier {
	sp := specifier{op: m[1], wild: m[5] != ""}
	for i, n := range []*int{&sp.v.Major, &sp.v.Minor, &sp.v.Patch} {
		if m[2+i] != "" {
			*n, _ = strconv.Atoi(m[2+i])
			sp.parts++
		}
	}
	return sp
}

// String returns the text that was parsed.
func (r Range) String() string { return r.text }

// Holds reports whether v fulfils every specifier.
func (r Range) Holds(v Version) bool {
	for _, sp := range r.parts {
		if !sp.holds(v) {
			return false
		}
	}
	return true
}

func (sp specifier) holds(v Version) bool {
	c := v.Compare(sp.v)
	switch sp.op {
	case ">=":
		return c >= 0
	case ">":
		return c > 0
	case "<=":
		return c <= 0
	case "<":
		return c < 0
	case "~=": // ~=3.9 is >=3.9 and ==3.*; ~=3.9.2 is >=3.9.2 and ==3.9.*
		return c >= 0 && sp.prefix(v, sp.parts-1)
	case "!=":
		return !sp.equal(v)
	}
	return sp.equal(v)
}

func (sp specifier) equal(v Version) bool {
	if sp.wild {
		return sp.prefix(v, sp.parts)
	}
	return v.Compare(sp.v) == 0
}

// prefix reports whether the first n numbers are the same.
func (sp specifier) prefix(v Version, n int) bool {
	return (n < 1 || v.Major == sp.v.Major) && (n < 2 || v.Minor == sp.v.Minor) && (n < 3 || v.Patch == sp.v.Patch)
}
