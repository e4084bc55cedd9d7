package registryv2

import (
	"strings"

	"github.com/sunya-cloud/sunya"
)

// kind is what a path asks for.
type kind int

const (
	kindRoot kind = iota
	kindCatalog
	kindTags
	kindManifest
	kindReferrers
	kindBlob
	kindUploads
	kindUpload
)

// target is what a request is about.
type target struct {
	kind       kind
	name       string // of the repository, as it was asked for
	repository string // in the registry
	host       string // of another registry that is meant; empty: none is
	own        bool   // the caller may read what was pushed to the repository
	item       string // tag, digest or upload
}

// parseTarget reads a path below /v2/. The name of a repository has slashes of
// its own, so what is known is looked for from the end.
func parseTarget(path string) (target, error) {
	rest := strings.TrimPrefix(strings.TrimPrefix(path, "/v2"), "/")
	switch rest {
	case "":
		return target{kind: kindRoot}, nil
	case "_catalog":
		return target{kind: kindCatalog}, nil
	}
	if name, ok := strings.CutSuffix(rest, "/tags/list"); ok {
		return target{kind: kindTags, name: name}, nil
	}
	for _, trim := range []string{"/blobs/uploads", "/blobs/uploads/"} {
		if name, ok := strings.CutSuffix(rest, trim); ok {
			return target{kind: kindUploads, name: name}, nil
		}
	}
	slash := strings.LastIndexByte(rest, '/')
	if slash > 0 {
		head, item := rest[:slash], rest[slash+1:]
		for _, p := range []struct {
			kind   kind
			suffix string
		}{{kindUpload, "/blobs/uploads"}, {kindBlob, "/blobs"}, {kindManifest, "/manifests"}, {kindReferrers, "/referrers"}} {
			if name, ok := strings.CutSuffix(head, p.suffix); ok && name != "" && item != "" {
				return target{kind: p.kind, name: name, item: item}, nil
			}
		}
	}
	return target{}, sunya.Errorf(sunya.NotFound, "", "%.300q is not a path of the registry", path)
}
