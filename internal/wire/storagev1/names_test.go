package storagev1_test

import (
	"strings"
	"testing"

	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// TestHostileNames stores under names that would be trouble as paths, reads and
// lists them back, and wants those refused that no object can have.
func TestHostileNames(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	for _, name := range []string{
		"../../etc/passwd", "/", "//", "a/../b", "./x", "%2e%2e", "a b?c#d", "ünï/𝄞", "o/acl", "compose", "x/rewriteTo/b/stuff/o/y",
		"\x01\x7f", strings.Repeat("n", 1024), strings.Repeat("ü", 512), ".well-known/other",
	} {
		o := s.put(t, name, "bytes of "+name)
		if o.Name != name || s.read(t, name, 0) != "bytes of "+name {
			t.Errorf("%q came back as %q", name, o.Name)
		}
		list, err := s.Objects.List("stuff").Prefix(name).Do()
		if err != nil || len(list.Items) == 0 || list.Items[0].Name != name {
			t.Errorf("%q is not listed: %v", name, err)
		}
		if _, err := s.Objects.Patch("stuff", name, &storage.Object{ContentType: "text/q"}).Do(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if err := s.Objects.Delete("stuff", name).Do(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"..", ".", "a\nb", "a\rb", "a\x00b", strings.Repeat("n", 1025), strings.Repeat("ü", 513), ".well-known/acme-challenge/x"} {
		_, err := s.Objects.Insert("stuff", &storage.Object{Name: name}).Media(strings.NewReader("x")).Do()
		wantStatus(t, err, 400, "invalid")
		_, err = s.Objects.Insert("stuff", &storage.Object{Name: "fine"}).Media(strings.NewReader("x")).Do()
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Objects.Rewrite("stuff", "fine", "stuff", name, nil).Do()
		wantStatus(t, err, 400, "invalid")
	}
	if n := len(s.blobs.Names()); n != 1 {
		t.Errorf("%d blobs are left, want that of one object", n)
	}
}
