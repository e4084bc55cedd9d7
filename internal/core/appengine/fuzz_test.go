package appengine_test

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/appengine"
)

func TestParseSourceURL(t *testing.T) {
	for _, c := range []struct {
		name, url, bucket, object string // no bucket: refused
	}{
		{"as gcloud sends it", "https://storage.googleapis.com/b/" + sha, "b", sha},
		{"gs", "gs://b/dir/o.zip", "b", "dir/o.zip"},
		{"own host with port", "http://localhost:8080/b/o", "b", "o"},
		{"escaped", "https://storage.googleapis.com/b/a%20b", "b", "a b"},
		{"other host", "https://example.com/b/o", "", ""},
		{"host that looks alike", "https://storage.googleapis.com.example.com/b/o", "", ""},
		{"user part", "https://storage.googleapis.com@example.com/b/o", "", ""},
		{"other port of Google", "https://storage.googleapis.com:1/b/o", "", ""},
		{"file", "file:///etc/passwd", "", ""},
		{"no object", "gs://b/", "", ""},
		{"no bucket", "gs:///o", "", ""},
		{"query", "https://storage.googleapis.com/b/o?x=1", "", ""},
		{"empty", "", "", ""},
		{"path", "/b/o", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bucket, object, err := appengine.ParseSourceURL(c.url, []string{"localhost"})
			if bucket != c.bucket || object != c.object || (err == nil) != (c.bucket != "") {
				t.Errorf("ParseSourceURL(%q) = %q, %q, %v", c.url, bucket, object, err)
			}
		})
	}
}

func FuzzParseSourceURL(f *testing.F) {
	for _, s := range []string{"gs://b/o", "https://storage.googleapis.com/b/o", "http://localhost:1/b/%00", "gs://b/%2e%2e/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		bucket, object, err := appengine.ParseSourceURL(s, []string{"localhost"})
		if (err == nil) != (bucket != "" && object != "") {
			t.Errorf("ParseSourceURL(%q) = %q, %q, %v", s, bucket, object, err)
		}
		if strings.Contains(bucket, "/") || strings.ContainsRune(bucket+object, 0) {
			t.Errorf("ParseSourceURL(%q) = %q, %q", s, bucket, object)
		}
	})
}

// FuzzIDs: whatever ids are accepted, their hosts are DNS labels that no other
// version has.
func FuzzIDs(f *testing.F) {
	f.Add("default", "v1", "worker", "v1")
	f.Add("a", "b-dot-c", "b", "a")
	f.Add("x", "ah-x", "-", "latest")
	f.Add("a-dot", "b", "b", "a-dot")
	f.Fuzz(func(t *testing.T, s1, v1, s2, v2 string) {
		one := appengine.Key{Project: "sunya", Service: s1, ID: v1}
		two := appengine.Key{Project: "sunya", Service: s2, ID: v2}
		for _, k := range []appengine.Key{one, two} {
			if appengine.CheckService(k.Service) != nil || appengine.CheckVersion(k.ID) != nil {
				return
			}
			l := k.Label()
			if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") {
				t.Errorf("label of %v = %q", k, l)
			}
		}
		if one != two && one.Label() == two.Label() {
			t.Errorf("%v and %v share the host %q", one, two, one.Label())
		}
	})
}
