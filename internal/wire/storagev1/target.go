package storagev1

import (
	"net/url"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// kind is what a path means.
type kind int

const (
	kindBuckets kind = iota + 1 // the collection
	kindBucket
	kindObjects
	kindObject
	kindUpload
	kindLayout
	kindOther // part of the API, but not of this server
)

// String names the resource for people.
func (k kind) String() string {
	return [...]string{"", "buckets", "a bucket", "objects", "an object", "an upload", "a storage layout", "this path"}[k]
}

// target is what a request is about.
type target struct {
	kind   kind
	bucket string
	object string // for kindOther: what was asked for
	media  bool   // the path asks for bytes, whatever alt says
}

// parseTarget reads an escaped path. A slash inside an object's name is %2F;
// raw ones are taken too.
func parseTarget(path string) (target, error) {
	if rest, ok := cutAny(path, "/resumable/upload/storage/v1", "/upload/storage/v1"); ok {
		return parseUpload(rest)
	}
	if rest, ok := cutAny(path, "/download/storage/v1"); ok {
		t, err := parseResource(rest)
		t.media = true
		return t, err
	}
	if strings.HasPrefix(path, "/batch") {
		return target{kind: kindOther, object: "batch requests"}, nil
	}
	if rest, ok := cutAny(path, "/storage/v1"); ok {
		return parseResource(rest)
	}
	if path == "/b" || strings.HasPrefix(path, "/b/") {
		return parseResource(path)
	}
	return target{}, noSuchPath(path)
}

// cutAny removes the first prefix that is a whole number of segments of path.
func cutAny(path string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(path, p); ok && (rest == "" || rest[0] == '/') {
			return rest, true
		}
	}
	return "", false
}

// parseUpload reads /b/BUCKET/o.
func parseUpload(rest string) (target, error) {
	t, err := parseResource(rest)
	if err != nil {
		return t, err
	}
	if t.kind != kindObjects {
		return t, noSuchPath(rest)
	}
	t.kind = kindUpload
	return t, nil
}

// parseResource reads what follows /storage/v1.
func parseResource(rest string) (target, error) {
	parts := strings.SplitN(strings.TrimPrefix(rest, "/"), "/", 4) // b BUCKET o OBJECT…
	if parts[0] != "b" {
		return target{kind: kindOther, object: "storage/v1" + rest}, nil
	}
	if len(parts) == 1 || parts[1] == "" {
		return target{kind: kindBuckets}, nil
	}
	bucket, err := unescape(parts[1])
	if err != nil {
		return target{}, err
	}
	t := target{kind: kindBucket, bucket: bucket}
	switch {
	case len(parts) == 2:
		return t, nil
	case len(parts) == 3 && parts[2] == "storageLayout":
		t.kind = kindLayout
		return t, nil
	case parts[2] != "o":
		return target{kind: kindOther, bucket: bucket, object: "buckets." + parts[2]}, nil
	case len(parts) == 3 || parts[3] == "":
		t.kind = kindObjects
		return t, nil
	}
	return parseObject(t, parts[3])
}

// methodsOf are the custom methods and collections of an object; a name that
// ends like one is escaped (%2F) by every client.
func methodsOf() []string {
	return []string{"compose", "rewriteTo", "copyTo", "moveTo", "restore", "acl", "iam", "watch", "bulkRestore"}
}

func parseObject(t target, name string) (target, error) {
	object, rest, _ := strings.Cut(name, "/")
	for _, m := range methodsOf() {
		if rest == m || strings.HasPrefix(rest, m+"/") {
			return target{kind: kindOther, bucket: t.bucket, object: "objects." + m}, nil
		}
	}
	if rest != "" {
		object = name
	}
	var err error
	t.kind = kindObject
	t.object, err = unescape(object)
	return t, err
}

func unescape(s string) (string, error) {
	out, err := url.PathUnescape(s)
	if err != nil {
		return "", sunya.Invalid("path", "%q is not a well-formed path", s)
	}
	return out, nil
}

func noSuchPath(path string) error {
	return sunya.Errorf(sunya.NotFound, "", "nothing is at %q", path)
}
