package images

import (
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// DockerHub is the registry of names without a host.
const DockerHub = "docker.io"

// LatestTag is meant where a name has neither tag nor digest.
const LatestTag = "latest"

// maxName bounds host and repository together, as Docker does.
const maxName = 255

// Reference is the name of an image in its one, full form.
type Reference struct {
	Host       string // docker.io, gcr.io, localhost:8080
	Repository string // library/python
	Tag        string // empty when there is a Digest and no tag was given
	Digest     string // sha256:<hex>; empty: whatever has the Tag
}

// The grammar of the OCI distribution specification (v1.1, "Pulling manifests").
var (
	componentRE = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$`)
	tagRE       = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	hostRE      = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?$`)
	digestRE    = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
)

// Parse reads [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST] as docker does: without a
// host it is Docker Hub's, without tag and digest it is latest. An error is
// InvalidArgument about the field image.
func Parse(s string) (Reference, error) {
	if err := checkText(s); err != nil {
		return Reference{}, err
	}
	name, digest, hasDigest := strings.Cut(s, "@")
	if hasDigest && !digestRE.MatchString(digest) {
		return Reference{}, invalid("%q has the digest %q: it is sha256: and 64 lower-case hexadecimal digits", s, digest)
	}
	name, tag, hasTag := cutTag(name)
	if hasTag && !tagRE.MatchString(tag) {
		return Reference{}, invalid("%q has the tag %q: use up to 128 letters, digits, dots, dashes and underscores, not beginning with a dot or dash", s, tag)
	}
	if !hasTag && !hasDigest {
		tag = LatestTag
	}
	r := Reference{Tag: tag, Digest: digest}
	r.Host, r.Repository = cutHost(name)
	return r, r.check(s)
}

// checkText refuses what is no image name at all, in its own words.
func checkText(s string) error {
	switch {
	case s == "":
		return invalid("is missing: give a name such as gcr.io/PROJECT/NAME")
	case strings.Contains(s, "://"):
		_, rest, _ := strings.Cut(s, "://")
		return invalid("%.300q is a URL: leave out everything before %.300q", s, rest)
	case strings.ContainsAny(s, " \t\r\n"):
		return invalid("%.300q has a space in it", s)
	}
	return nil
}

// cutTag separates a tag, which comes after the last colon unless that belongs
// to the port of the host.
func cutTag(name string) (rest, tag string, ok bool) {
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 || strings.IndexByte(name[colon:], '/') >= 0 {
		return name, "", false
	}
	return name[:colon], name[colon+1:], true
}

// cutHost separates the host: a first component that cannot be that of a
// repository of Docker Hub.
func cutHost(name string) (host, repository string) {
	first, rest, ok := strings.Cut(name, "/")
	if !ok || first != "localhost" && !strings.ContainsAny(first, ".:") {
		host, repository = DockerHub, name
	} else {
		host, repository = strings.ToLower(first), rest
	}
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = DockerHub
	}
	if host == DockerHub && !strings.Contains(repository, "/") {
		repository = "library/" + repository
	}
	return host, repository
}

// check says what is wrong with the name that s was read into.
func (r Reference) check(s string) error {
	if !hostRE.MatchString(r.Host) {
		return invalid("%.300q has the registry %.300q, which is not a host name or address with an optional port", s, r.Host)
	}
	if len(r.Host)+1+len(r.Repository) > maxName {
		return invalid("the name %.60q… has %d characters, more than %d", s, len(r.Host)+1+len(r.Repository), maxName)
	}
	if err := CheckRepository(r.Repository); err != nil {
		return invalid("%q: %s", s, err.(*sunya.Error).Message)
	}
	return nil
}

// IsHost reports whether s can be the registry in the name of an image, in the
// form that Parse has it: what has no dot and no port is a part of a repository's
// name there, such as that of a project.
func IsHost(s string) bool {
	return hostRE.MatchString(s) && s == strings.ToLower(s) && strings.ContainsAny(s, ".:")
}

// CheckRepository reports whether a name can be that of a repository: lower-case
// components, separated by slashes.
func CheckRepository(name string) error {
	if name == "" || name == "library/" {
		return invalid("the name of the repository is missing")
	}
	if len(name) > maxName {
		return invalid("the name of the repository has %d characters, more than %d", len(name), maxName)
	}
	for c := range strings.SplitSeq(name, "/") {
		switch {
		case componentRE.MatchString(c):
		case componentRE.MatchString(strings.ToLower(c)):
			return invalid("%q has upper-case letters: write %q", name, strings.ToLower(name))
		case c == "":
			return invalid("%q has an empty part between slashes", name)
		default:
			return invalid("%q is not a part of a repository's name: use lower-case letters and digits, with single dots, dashes and underscores between them", c)
		}
	}
	return nil
}

// CheckTag reports whether a name can be that of a tag.
func CheckTag(tag string) error {
	if !tagRE.MatchString(tag) {
		return invalid("%.200q is not a tag: use up to 128 letters, digits, dots, dashes and underscores, not beginning with a dot or dash", tag)
	}
	return nil
}

// CheckDigest reports whether s is a digest.
func CheckDigest(s string) error {
	if !digestRE.MatchString(s) {
		return invalid("%.200q is not a digest: it is sha256: and 64 lower-case hexadecimal digits", s)
	}
	return nil
}

// String returns the full form, with everything that Parse adds.
func (r Reference) String() string {
	s := r.Host + "/" + r.Repository
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// Version is what the reference picks in its repository: the digest if there is
// one, else the tag.
func (r Reference) Version() string {
	if r.Digest != "" {
		return r.Digest
	}
	return r.Tag
}

// At returns the reference with a digest in the place of what it had.
func (r Reference) At(digest string) Reference {
	r.Tag, r.Digest = "", digest
	return r
}

func invalid(format string, args ...any) error { return sunya.Invalid("image", format, args...) }
