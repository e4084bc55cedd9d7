package source

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sunya-cloud/sunya"
)

const (
	maxPath = 1024 // bytes
	maxName = 255  // bytes of one component: what Linux can store
)

var driveRE = regexp.MustCompile(`^[A-Za-z]:`)

// CheckPath reports whether p can be the path of a source file: relative,
// clean, separated by slashes, beneath the source's root on every system.
func CheckPath(p string) error {
	if why := badPath(p); why != "" {
		return sunya.Invalid("deployment.files", "path %s %s", quote(p), why)
	}
	return nil
}

func badPath(p string) string {
	switch {
	case p == "" || p == ".":
		return "is empty"
	case len(p) > maxPath:
		return "is longer than 1,024 bytes"
	case !utf8.ValidString(p):
		return "is not valid UTF-8"
	case strings.ContainsFunc(p, unicode.IsControl):
		return "contains a control character"
	case strings.Contains(p, `\`):
		return "contains a backslash: write / between folders"
	case strings.HasPrefix(p, "/"):
		return "is absolute: write it relative to the source's root"
	case driveRE.MatchString(p):
		return "begins with a drive letter"
	}
	for part := range strings.SplitSeq(p, "/") {
		switch {
		case part == "..":
			return "leads out of the source"
		case len(part) > maxName:
			return "has a name of more than 255 bytes in it"
		}
	}
	if path.Clean(p) != p {
		return "is not clean: write it as " + quote(path.Clean(p))
	}
	return ""
}

// quote shows a name that anything may be in, at a bearable length.
func quote(name string) string {
	if len(name) > 120 {
		name = name[:120] + "…"
	}
	return strconv.Quote(name)
}

// fold maps names that a case-insensitive file system takes for one name to
// one string.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}
