package appengine

import (
	"context"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// File is one entry of a deployment's manifest.
type File struct {
	SourceURL string // https://storage.googleapis.com/BUCKET/OBJECT
	SHA1      string // hex
}

// maxFiles is how many files one deployment may have.
const maxFiles = 10_000

// source checks a manifest and returns what it names, with the size of all
// files together.
func (a *Admin) source(ctx context.Context, files map[string]File, zip string) (sunya.Source, int64, error) {
	switch {
	case len(files) > 0 && zip != "":
		return sunya.Source{}, 0, sunya.Invalid("version.deployment", "has files and zip: give one of them")
	case zip != "":
		return a.archive(ctx, zip)
	case len(files) == 0:
		return sunya.Source{}, 0, sunya.Invalid("version.deployment", "names no source: give files or zip")
	case len(files) > maxFiles:
		return sunya.Source{}, 0, sunya.Invalid("version.deployment.files", "has %d files, more than %d: list what the app does not need in .gcloudignore", len(files), maxFiles)
	}
	var src sunya.Source
	var total int64
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f, size, err := a.sourceFile(ctx, path, files[path])
		if err != nil {
			return sunya.Source{}, 0, err
		}
		src.Files = append(src.Files, f)
		total += size
	}
	return src, total, nil
}

func (a *Admin) archive(ctx context.Context, zip string) (sunya.Source, int64, error) {
	const field = "version.deployment.zip.sourceUrl"
	bucket, object, err := ParseSourceURL(zip, a.SourceHosts)
	if err != nil {
		return sunya.Source{}, 0, sunya.InField(field, err)
	}
	size, err := a.objectSize(ctx, field, bucket, object)
	if err != nil {
		return sunya.Source{}, 0, err
	}
	return sunya.Source{Archive: bucket + "/" + object}, size, nil
}

func (a *Admin) sourceFile(ctx context.Context, path string, f File) (sunya.SourceFile, int64, error) {
	field := "version.deployment.files[" + path + "]"
	if err := a.CheckPath(path); err != nil {
		return sunya.SourceFile{}, 0, sunya.InField(field, err)
	}
	sha1, err := parseSHA1(f.SHA1)
	if err != nil {
		return sunya.SourceFile{}, 0, sunya.InField(field+".sha1Sum", err)
	}
	bucket, object, err := ParseSourceURL(f.SourceURL, a.SourceHosts)
	if err != nil {
		return sunya.SourceFile{}, 0, sunya.InField(field+".sourceUrl", err)
	}
	size, err := a.objectSize(ctx, field+".sourceUrl", bucket, object)
	if err != nil {
		return sunya.SourceFile{}, 0, err
	}
	return sunya.SourceFile{Path: path, Bucket: bucket, Object: object, SHA1: sha1}, size, nil
}

func (a *Admin) objectSize(ctx context.Context, field, bucket, object string) (int64, error) {
	o, err := a.Objects.GetObject(ctx, bucket, object)
	ok, err := found(err)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, sunya.Invalid(field, "object %s does not exist in bucket %s: upload it before creating the version", object, bucket)
	}
	return o.Size, nil
}

// parseSHA1 accepts hex in either case; gcloud writes it with underscores
// between groups of eight digits, which is accepted too.
func parseSHA1(s string) (string, error) {
	s = strings.ToLower(strings.ReplaceAll(s, "_", ""))
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != 20 {
		return "", sunya.Invalid("", "%q is not a SHA-1: write 40 hex digits", s)
	}
	return s, nil
}

// googleHosts are the hosts of Cloud Storage in a sourceUrl.
func googleHosts() []string {
	return []string{"storage.googleapis.com", "www.googleapis.com", "storage.cloud.google.com"}
}

// ParseSourceURL splits the URL of an object: https://HOST/BUCKET/OBJECT, where
// HOST is Google's or one of hosts (with or without port), or gs://BUCKET/OBJECT.
// Both parts are returned unescaped.
func ParseSourceURL(raw string, hosts []string) (bucket, object string, err error) {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", "", badSource(raw)
	}
	switch u.Scheme {
	case "gs":
		bucket, object = u.Host, strings.TrimPrefix(u.Path, "/")
	case "https", "http":
		if !slices.Contains(googleHosts(), u.Host) && !slices.Contains(hosts, u.Host) && !slices.Contains(hosts, u.Hostname()) {
			return "", "", sunya.Invalid("", "%q is not in this server's storage: upload the file to the application's bucket", raw)
		}
		bucket, object, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	}
	if bucket == "" || object == "" || strings.ContainsAny(bucket, "/\x00") || strings.ContainsRune(object, 0) {
		return "", "", badSource(raw)
	}
	return bucket, object, nil
}

func badSource(raw string) error {
	return sunya.Invalid("", "%q does not name an object: write https://storage.googleapis.com/BUCKET/OBJECT or gs://BUCKET/OBJECT", raw)
}
