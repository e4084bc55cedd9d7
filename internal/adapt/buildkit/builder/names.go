package builder

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/distribution/reference"
)

// canonical returns the full form of a name with tag, as the frontend looks it
// up; a name that cannot be read is left as it is, and refused where it is used.
func canonical(name string) string {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.TagNameOnly(ref).String()
}

// familiar is the form in which the frontend looks an image up: short, and
// without the tag that is understood.
func familiar(name string) string {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return strings.TrimSuffix(reference.FamiliarString(ref), ":latest")
}

// noName is the repository of images that a build gives no name.
const noName = "gcr.io/sunya/untagged"

// repositoryOf returns where an image goes before it is tagged: the first name
// without its tag.
func repositoryOf(tags []string) string {
	for _, t := range tags {
		if ref, err := reference.ParseNormalizedNamed(t); err == nil {
			return reference.TrimNamed(ref).Name()
		}
	}
	return noName
}

// maxDockerfile is how much of a Dockerfile is read for the syntax line.
const maxDockerfile = 1 << 20

// readBelow reads a file of the source without leaving it.
func readBelow(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	f, err := root.Open(path.Clean(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxDockerfile))
}

// plain is an error about a file without the path of the sandbox.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
