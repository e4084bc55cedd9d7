package storagev1

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// known fails for an error that would be answered as the server's own.
func known(t *testing.T, what string, err error) {
	t.Helper()
	switch sunya.CodeOf(err) {
	case sunya.OK, sunya.InvalidArgument, sunya.OutOfRange, sunya.NotFound, sunya.Unimplemented:
	default:
		t.Errorf("%s: %v", what, err)
	}
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/storage/v1/b/stuff/o/a%2Fb", "/b", "/upload/storage/v1/b/stuff/o", "/stuff/a/b", "//", "/storage/v1/b//o/", "/storage/v1x/b",
		"/storage/v1/b/stuff/o/a/compose", "/%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, err := parseTarget(path)
		known(t, path, err)
		if err == nil && got.kind == 0 {
			t.Errorf("parseTarget(%q) = %+v", path, got)
		}
		if got.kind == kindObject && (got.bucket == "" || got.object == "" && !strings.Contains(path, "/o/")) {
			t.Errorf("parseTarget(%q) = %+v", path, got)
		}
	})
}

func FuzzMultipart(f *testing.F) {
	f.Add("multipart/related; boundary=B", "--B\r\n\r\n{\"name\":\"o\"}\r\n--B\r\nContent-Type: text/q\r\n\r\nhello\r\n--B--")
	f.Add("multipart/related; boundary=\"\"", "--\r\n")
	f.Add("multipart/related; boundary=B", "--B\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--B\r\nContent-Transfer-Encoding: base64\r\n\r\n!!")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		parts, err := related(contentType, strings.NewReader(body))
		known(t, contentType, err)
		if err != nil {
			return
		}
		doc, err := parts.document()
		known(t, "document", err)
		if err != nil {
			return
		}
		_, err = new(handler).newObject(httptest.NewRequest("POST", "/", nil), "b", doc)
		known(t, "object", err)
		bytes, _, err := parts.media()
		known(t, "media", err)
		if err == nil {
			_, err = io.Copy(io.Discard, media.Body{Reader: bytes})
			known(t, "bytes", err)
		}
	})
}

func FuzzPatch(f *testing.F) {
	f.Add(`{"a":{"b":1,"c":2}}`, `{"a":{"b":null},"d":[1]}`)
	f.Add(`{}`, `{"metadata":null,"contentType":null}`)
	f.Fuzz(func(t *testing.T, old, patch string) {
		doc, err := document(strings.NewReader(old))
		known(t, old, err)
		p, perr := document(strings.NewReader(patch))
		known(t, patch, perr)
		if err != nil || perr != nil {
			return
		}
		stored, err := doc.encode()
		if err != nil {
			t.Fatal(err)
		}
		o := objects.Object{Document: stored}
		for _, next := range []string{"once", "twice"} {
			have, err := objectFields(&o)
			if err == nil {
				err = have.merge(p)
			}
			if err != nil {
				t.Fatalf("merge %s into %s: %v", patch, old, err)
			}
			before := o.Document
			if err = setObject(&o, have); err != nil {
				known(t, patch, err)
				return
			}
			if next == "twice" && string(before) != string(o.Document) {
				t.Errorf("%s into %s: %s, again %s", patch, old, before, o.Document)
			}
		}
		b := objects.Bucket{}
		known(t, patch, setBucket(&b, p, time.Unix(0, 0)))
	})
}
