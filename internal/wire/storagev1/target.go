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
	kindBucketPart // b/BUCKET/PART
	kindObjectPart // b/BUCKET/o/OBJECT/PART
	kindProject    // projects/PROJECT/PART
	kindOther      // part of the API, but not of this server
)

// String names the resource for people.
func (k kind) String() string {
	return [...]string{"", "buckets", "a bucket", "objects", "an object", "an upload", "a part of a bucket", "a part of an object",
		"a project", "this path"}[k]
}

// target is what a request is about.
type target struct {
	kind   kind
	bucket string
	object string // for kindOther: what was asked for
	part   string // acl, iam/testPermissions, compose, …
	id     string // of one in the part: an entity, a notification; of kindProject: the project
	to     other  // where objects go
	media  bool   // the path asks for bytes, whatever alt says
}

// other is a second object.
type other struct{ bucket, object string }

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
	if path == "/b" || strings.HasPrefix(path, "/b/") || strings.HasPrefix(path, "/projects/") {
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
	if parts[0] == "projects" && len(parts) >= 3 {
		project, err := unescape(parts[1])
		return target{kind: kindProject, id: project, part: strings.Join(parts[2:], "/")}, err
	}
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
	case parts[2] != "o":
		return parseBucketPart(t, strings.Join(parts[2:], "/"))
	case len(parts) == 3 || parts[3] == "":
		t.kind = kindObjects
		return t, nil
	case parts[3] == "bulkRestore" || parts[3] == "watch":
		return target{kind: kindOther, bucket: bucket, object: "objects." + parts[3]}, nil
	}
	return parseObject(t, parts[3])
}

// parseBucketPart reads what follows a bucket.
func parseBucketPart(t target, rest string) (target, error) {
	part, id, _ := strings.Cut(rest, "/")
	t.kind, t.part = kindBucketPart, part
	switch {
	case part == "iam":
		t.part = rest
		return t, nil
	case part == "notificationConfigs" || part == "acl" || part == "defaultObjectAcl":
		var err error
		t.id, err = unescape(id)
		return t, err
	}
	t.part = rest
	return t, nil
}

// parseObject reads what follows b/BUCKET/o/. A slash in a name is escaped by
// every client of a method; where none follows, raw ones are taken too.
func parseObject(t target, rest string) (target, error) {
	name, method, _ := strings.Cut(rest, "/")
	part, more, _ := strings.Cut(method, "/")
	var err error
	t.kind, t.part = kindObjectPart, part
	switch part {
	case "compose", "restore":
		if more != "" {
			part = ""
		}
	case "acl":
		t.id, err = unescape(more)
	case "iam":
		t.part = method
	case "rewriteTo", "copyTo":
		t.to, err = parseOther(more)
	case "moveTo":
		t.to, err = parseOther("b/" + url.PathEscape(t.bucket) + "/" + more)
	default:
		part = ""
	}
	if err != nil {
		return t, err
	}
	if part == "" {
		t.kind, t.part, name = kindObject, "", rest
	}
	t.object, err = unescape(name)
	return t, err
}

// parseOther reads b/BUCKET/o/OBJECT.
func parseOther(s string) (other, error) {
	parts := strings.SplitN(s, "/", 4)
	if len(parts) != 4 || parts[0] != "b" || parts[2] != "o" || parts[3] == "" {
		return other{}, noSuchPath(s)
	}
	bucket, err := unescape(parts[1])
	if err != nil {
		return other{}, err
	}
	object, err := unescape(parts[3])
	return other{bucket, object}, err
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
