package artifactregistryv1

import (
	"net/url"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// parseRepository reads projects/P/locations/L/repositories/R.
func parseRepository(field, s string) (registry.FolderKey, error) {
	k, rest, err := cutRepository(field, s)
	if err == nil && len(rest) > 0 {
		err = sunya.Invalid(field, "%q is not a name of the form projects/*/locations/*/repositories/*", s)
	}
	return k, err
}

// cutRepository separates the name of a repository from what is behind it.
func cutRepository(field, s string) (k registry.FolderKey, rest []string, err error) {
	parts := strings.Split(s, "/")
	if len(parts) < 6 || parts[0] != "projects" || parts[2] != "locations" || parts[4] != "repositories" || parts[1] == "" || parts[3] == "" || parts[5] == "" {
		return k, nil, sunya.Invalid(field, "%q is not a name of the form projects/*/locations/*/repositories/*", s)
	}
	return registry.FolderKey{Project: parts[1], Location: parts[3], ID: parts[5]}, parts[6:], nil
}

// item is something in a repository: an image, and what of it.
type item struct {
	registry.FolderKey
	image string // with its slashes
	part  string // digest or tag; empty: all of it
}

// repository is where the registry has it.
func (i item) repository() string { return registry.Join(i.Project, i.ID, i.image) }

// parseItem reads .../repositories/R/KIND/IMAGE, with SUB/PART behind it when
// sub is not empty. Slashes in the name of an image are escaped, or, after a
// transcoder, not any more.
func parseItem(field, s, kind, sub string) (item, error) {
	k, rest, err := cutRepository(field, s)
	if err != nil {
		return item{}, err
	}
	end := len(rest)
	if sub != "" {
		end -= 2
	}
	if end < 2 || rest[0] != kind || sub != "" && rest[end] != sub {
		form := "projects/*/locations/*/repositories/*/" + kind + "/*"
		if sub != "" {
			form += "/" + sub + "/*"
		}
		return item{}, sunya.Invalid(field, "%q is not a name of the form %s", s, form)
	}
	out := item{FolderKey: k}
	out.image, err = url.PathUnescape(strings.Join(rest[1:end], "/"))
	if err == nil && sub != "" {
		out.part, err = url.PathUnescape(rest[end+1])
	}
	if err != nil {
		return item{}, sunya.Invalid(field, "%q has a broken escape", s)
	}
	return out, nil
}

// escape writes the name of an image as a part of a resource name.
func escape(image string) string { return strings.ReplaceAll(image, "/", "%2F") }

// uri is under which name clients pull an image, or all of a folder when image
// is empty.
func uri(k registry.FolderKey, image string) string {
	base := k.Location + "-docker.pkg.dev/" + k.Project + "/" + k.ID
	if k.ID == registry.RootFolder {
		base = "gcr.io/" + k.Project
	}
	if image == "" {
		return base
	}
	return base + "/" + image
}
