package storagev1

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httptest"
	"testing"
)

func TestCompressedDocuments(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, `{"name":"b"}`)
	z.Close()
	for _, c := range []struct {
		path     string
		unpacked bool
	}{
		{"/storage/v1/b?project=p", true},
		{"/upload/storage/v1/b/b/o?uploadType=resumable", true},
		{"/upload/storage/v1/b/b/o?uploadType=resumable&upload_id=1", false},
		{"/upload/storage/v1/b/b/o?uploadType=multipart", true},
		{"/upload/storage/v1/b/b/o?uploadType=media&name=o", false},
	} {
		r := httptest.NewRequest("POST", c.path, bytes.NewReader(packed.Bytes()))
		r.Header.Set("Content-Encoding", "gzip")
		target, err := parseTarget(r.URL.EscapedPath())
		if err != nil {
			t.Fatal(err)
		}
		if err := unpackDocument(r, target); err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		got, err := io.ReadAll(r.Body)
		if plain := string(got) == `{"name":"b"}`; err != nil || plain != c.unpacked {
			t.Errorf("%s: unpacked %v, want %v (%v)", c.path, plain, c.unpacked, err)
		}
	}
	r := httptest.NewRequest("POST", "/storage/v1/b", bytes.NewReader([]byte("{}")))
	r.Header.Set("Content-Encoding", "gzip")
	if err := unpackDocument(r, target{kind: kindBuckets}); err == nil {
		t.Error("a body that is not gzip was taken")
	}
}
