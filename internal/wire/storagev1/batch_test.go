package storagev1

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBatch(t *testing.T) {
	var got []string
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		io.WriteString(w, "{}")
	})
	part := func(id, text string) string {
		return "--B\r\nContent-Type: application/http\r\nContent-ID: <" + id + ">\r\n\r\n" + text + "\r\n"
	}
	send := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", BatchPath, strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/mixed; boundary=B")
		w := httptest.NewRecorder()
		Batch(next).ServeHTTP(w, r)
		return w
	}
	w := send(part("a+1", "DELETE http://elsewhere/storage/v1/b/x/o/a%2Fb HTTP/1.1\r\n\r\n") +
		part("a+2", "PATCH /storage/v1/b/x?fields=a HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"a\":1}") +
		part("a+3", "GET /storage/v1/b/x\r\n\r\n") + "--B--")
	want := "DELETE /storage/v1/b/x/o/a%2Fb |PATCH /storage/v1/b/x?fields=a {\"a\":1}|GET /storage/v1/b/x "
	if strings.Join(got, "|") != want {
		t.Errorf("done: %q, want %q", got, want)
	}
	_, params, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v %s", w.Code, err, w.Body)
	}
	answers := multipart.NewReader(w.Body, params["boundary"])
	for i, status := range []string{"204 No Content", "200 OK", "200 OK"} {
		p, err := answers.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(p)
		if id := p.Header.Get("Content-ID"); id != fmt.Sprintf("<response-a+%d>", i+1) || !strings.HasPrefix(string(text), "HTTP/1.1 "+status+"\r\n") {
			t.Errorf("answer %d: %s %q", i, id, text)
		}
	}
	got = nil
	for name, body := range map[string]string{
		"media":        part("a", "GET /storage/v1/b/x/o/y?alt=media HTTP/1.1\r\n\r\n") + "--B--",
		"upload":       part("a", "POST /upload/storage/v1/b/x/o HTTP/1.1\r\n\r\n") + "--B--",
		"another API":  part("a", "GET /v1/projects HTTP/1.1\r\n\r\n") + "--B--",
		"a batch":      part("a", "POST /batch/storage/v1 HTTP/1.1\r\n\r\n") + "--B--",
		"dots":         part("a", "GET /storage/v1/../../v1 HTTP/1.1\r\n\r\n") + "--B--",
		"nothing":      part("a", ""),
		"not its form": "hello",
		"too many":     strings.Repeat(part("a", "DELETE /storage/v1/b/x HTTP/1.1\r\n\r\n"), 101) + "--B--",
	} {
		if w := send(body); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if len(got) > 0 {
		t.Errorf("done of bad batches: %q", got)
	}
}

func FuzzBatch(f *testing.F) {
	f.Add("DELETE /storage/v1/b/x/o/y HTTP/1.1\r\nA: b\r\n\r\nbody")
	f.Add("GET\r\n\r\n")
	f.Add("GET http://[::1 HTTP/1.1\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := batchRequest(strings.NewReader(text), "localhost")
		if err == nil && !strings.HasPrefix(r.URL.EscapedPath(), "/storage/v1/") {
			t.Errorf("%q is a call of %q", text, r.URL.EscapedPath())
		}
	})
}
