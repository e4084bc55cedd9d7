package cli

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// place is where bytes are: an object, a bucket, a file or a stream. The name of
// an object or a file may be a pattern.
type place struct {
	bucket     string // of an object; empty: this machine
	name       string
	generation int64 // 0: the live one
	buckets    bool  // gs:// alone, or with a pattern as its bucket
}

// parsePlace reads gs://BUCKET/OBJECT#GENERATION, file://PATH, a path, or "-" for
// a stream.
func parsePlace(arg string) (place, error) {
	rest, cloud := strings.CutPrefix(arg, "gs://")
	if !cloud {
		if scheme, _, ok := strings.Cut(arg, "://"); ok && scheme != "file" {
			return place{}, usagef("%q is neither gs://BUCKET/OBJECT nor a file", arg)
		}
		if arg == "" {
			return place{}, usagef("an empty argument names neither an object nor a file")
		}
		return place{name: strings.TrimPrefix(arg, "file://")}, nil
	}
	bucket, name, _ := strings.Cut(rest, "/")
	p := place{bucket: bucket, name: name, buckets: bucket == "" || isPattern(bucket)}
	if before, after, ok := cutLast(name, "#"); ok {
		if n, err := parseGeneration(after); err == nil && n > 0 {
			p.name, p.generation = before, n
		}
	}
	return p, nil
}

// parseObject is parsePlace for what must be in a bucket.
func parseObject(arg string) (place, error) {
	p, err := parsePlace(arg)
	if err == nil && (p.bucket == "" || p.buckets) {
		return p, usagef("%q: write gs://BUCKET/OBJECT", arg)
	}
	return p, err
}

// parseBucket reads gs://BUCKET or BUCKET.
func parseBucket(arg string) (string, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(arg, "gs://"), "/")
	if name == "" || strings.Contains(name, "/") || isPattern(name) {
		return "", usagef("%q: write gs://BUCKET", arg)
	}
	return name, nil
}

func parseGeneration(v string) (int64, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a generation: use a whole number", v)
	}
	return n, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func (p place) cloud() bool  { return p.bucket != "" || p.buckets }
func (p place) stream() bool { return !p.cloud() && p.name == "-" }

// String is the place as it is written on the command line.
func (p place) String() string {
	switch {
	case !p.cloud():
		return cmp.Or(map[bool]string{true: "-"}[p.stream()], "file://"+p.name)
	case p.generation != 0:
		return fmt.Sprintf("gs://%s/%s#%d", p.bucket, p.name, p.generation)
	}
	return "gs://" + p.bucket + "/" + p.name
}

// below is a place under p, which is a folder or bucket.
func (p place) below(rel string) place {
	if !p.cloud() {
		return place{name: filepath.Join(p.name, filepath.FromSlash(rel))}
	}
	return place{bucket: p.bucket, name: folder(p.name) + rel}
}

// folder is a prefix that ends in a slash, or the whole bucket.
func folder(name string) string {
	if name == "" || strings.HasSuffix(name, "/") {
		return name
	}
	return name + "/"
}

// base is the last part of a place: what it is called where it is copied to.
func (p place) base() string {
	if !p.cloud() {
		return filepath.Base(p.name)
	}
	return path.Base(cmp.Or(strings.TrimSuffix(p.name, "/"), p.bucket))
}

func isPattern(s string) bool { return strings.ContainsAny(s, "*?[") }

// literal is what every name that matches begins with.
func literal(pattern string) string {
	if i := strings.IndexAny(pattern, "*?["); i >= 0 {
		return pattern[:i]
	}
	return pattern
}

// matcher compiles a pattern of names: * and ? stay within a folder, ** does
// not, [a-z] and [!a-z] are sets.
func matcher(pattern string) (*regexp.Regexp, error) {
	var re strings.Builder
	re.WriteString(`(?s)^`)
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			if strings.HasPrefix(pattern[i:], "**") {
				i++
				re.WriteString(`.*`)
			} else {
				re.WriteString(`[^/]*`)
			}
		case '?':
			re.WriteString(`[^/]`)
		case '[':
			end := strings.IndexByte(pattern[i+1:], ']')
			if end < 1 {
				re.WriteString(`\[`)
				continue
			}
			set := pattern[i+1 : i+1+end]
			if not, ok := strings.CutPrefix(set, "!"); ok {
				set = "^" + not
			}
			re.WriteString("[" + strings.ReplaceAll(set, `\`, `\\`) + "]")
			i += end + 1
		default:
			if c < utf8.RuneSelf {
				re.WriteString(regexp.QuoteMeta(string(c)))
			} else {
				re.WriteByte(c) // a part of a character that means nothing here
			}
		}
	}
	out, err := regexp.Compile(strings.ToValidUTF8(re.String(), "") + `$`)
	if err != nil {
		return nil, usagef("%q is not a pattern: %v", pattern, err)
	}
	return out, nil
}
