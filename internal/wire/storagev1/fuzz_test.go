package storagev1

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
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

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=-5", "bytes=1-2", "bytes=9-1", "bytes=+1-2", "bytes=-", "bytes=1-2,3-4", "bytes=18446744073709551615-"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 || size > maxOffset {
			return
		}
		s, ok, err := parseRange(header, size)
		known(t, header, err)
		if ok && (err != nil || s.offset < 0 || s.length < 1 || s.offset+s.length > size) {
			t.Errorf("parseRange(%q, %d) = %+v, %v", header, size, s, err)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-1/2", "bytes 0-1/*", "bytes */2", "bytes */*", "bytes 5-1/9", "bytes -1-2/3", "bytes 0-9223372036854775807/*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseContentRange(header)
		known(t, header, err)
		if err != nil {
			return
		}
		if c.size == 0 || c.start < 0 || c.total >= 0 && c.start+c.size > c.total {
			t.Errorf("parseContentRange(%q) = %+v", header, c)
		}
		again, err := parseContentRange(c.format())
		if err != nil || again != c {
			t.Errorf("%q was read as %+v, written as %q", header, c, c.format())
		}
	})
}

// format is the inverse of parseContentRange.
func (c contentRange) format() string {
	part, total := "*", "*"
	if c.size > 0 {
		part = fmt.Sprintf("%d-%d", c.start, c.start+c.size-1)
	}
	if c.total >= 0 {
		total = fmt.Sprint(c.total)
	}
	return "bytes " + part + "/" + total
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
		_, err = newObject("b", nil, doc)
		known(t, "object", err)
		media, _, err := parts.media()
		known(t, "media", err)
		if err == nil {
			_, err = io.Copy(io.Discard, client{media})
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
		_, err = objectPatch(p)
		known(t, patch, err)
		once, err := mergeDocument(stored, p)
		if err != nil {
			t.Fatalf("merge %s into %s: %v", patch, old, err)
		}
		twice, err := mergeDocument(once, p)
		if err != nil || string(once) != string(twice) {
			t.Errorf("%s into %s: %s, again %s, %v", patch, old, once, twice, err)
		}
	})
}
