package transcode

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

func TestQuery(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"gapic's system parameter", "%24alt=json%3Benum-encoding%3Dint&pageSize=2", "pageSize=2"},
		{"unescaped", "$alt=json;enum-encoding=int", ""},
		{"all of them", "alt=json&key=k&prettyPrint=false&fields=a,b&quotaUser=u", ""},
		{"order and spelling stay", "b=%2F&a=1", "b=%2F&a=1"},
		{"gcloud's spelling", "updateMask=build_config.entry_point%2Clabels", "updateMask=buildConfig.entryPoint%2Clabels"},
		{"gcloud's comma", "updateMask=split,", "updateMask=split"},
		{"escaped comma", "update_mask=split%2C", "update_mask=split"},
		{"two paths", "updateMask=a,,b", "updateMask=a%2Cb"},
		{"empty mask", "updateMask=", ""},
		{"not another protocol", "connect=v1&encoding=json", ""},
		{"gcloud's booleans", "migrateTraffic=False&filter=False", "migrateTraffic=false&filter=False"},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := query(c.in, map[string]bool{"migrateTraffic": true})
			if err != nil || got != c.want {
				t.Errorf("query(%q) = %q, %v, want %q", c.in, got, err, c.want)
			}
		})
	}
	for _, bad := range []string{"a=%zz", "%zz=1", "a=1;b=2"} {
		if got, err := query(bad, nil); err == nil {
			t.Errorf("query(%q) = %q, want an error", bad, got)
		}
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("a=1&updateMask=x,,y&$alt=json")
	f.Add("a=%zz;b")
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := query(raw, nil)
		if err != nil {
			return
		}
		if twice, err := query(once, nil); err != nil || twice != once {
			t.Errorf("query(%q) = %q, then %q, %v", raw, once, twice, err)
		}
	})
}

func TestIgnoredFields(t *testing.T) {
	var out strings.Builder
	c := newCodec("test", slog.New(slog.NewTextHandler(&out, nil)))
	v := &appenginepb.Version{}
	doc := `{"id":"v1","zz":{},"handlers":[{"urlRegex":"/","colour":1}],
		"deployment":{"files":{"main.py":{"sha1Sum":"x","mode":7}}},"envVariables":{"A":"1"},"basic_scaling":{"idleTimeout":"3s","odd":0}}`
	if err := c.Unmarshal([]byte(doc), v); err != nil {
		t.Fatal(err)
	}
	// As the method sees it, after its way as binary protobuf.
	raw, err := proto.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	got := &appenginepb.Version{}
	if err := proto.Unmarshal(raw, got); err != nil {
		t.Fatal(err)
	}
	want := []string{"basic_scaling.odd", "deployment.files[main.py].mode", "handlers[0].colour", "zz"}
	if diff := cmp.Diff(want, Ignored(got)); diff != "" {
		t.Errorf("ignored (-want +got):\n%s", diff)
	}
	if got.GetId() != "v1" || got.GetHandlers()[0].GetUrlRegex() != "/" || !strings.Contains(out.String(), "zz") {
		t.Errorf("version = %v, log %q", got, out.String())
	}
	if got := Ignored(&appenginepb.Version{Id: "v1"}); got != nil {
		t.Errorf("Ignored of a clean message = %q", got)
	}
}

func FuzzCodec(f *testing.F) {
	f.Add([]byte(`{"id":"v1","x":[{"y":1}]}`))
	f.Add([]byte(`{"servingStatus":"stopped","inboundServices":["inbound_service_mail",7,null],"zz":0}`))
	f.Add([]byte(`{"deployment":{"files":{"a":{"b":null}}},"handlers":[1]}`))
	c := newCodec("test", slog.New(slog.NewTextHandler(io.Discard, nil)))
	f.Fuzz(func(t *testing.T, doc []byte) {
		v := &appenginepb.Version{}
		if c.Unmarshal(doc, v) != nil {
			return
		}
		raw, err := proto.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(raw, v); err != nil {
			t.Fatal(err)
		}
		if n := len(Ignored(v)); n > maxUnknown {
			t.Errorf("%d names", n)
		}
	})
}

func TestEnvelopeWriterPassesWhatIsFine(t *testing.T) {
	rec := httptest.NewRecorder()
	w := &envelopeWriter{ResponseWriter: rec}
	w.WriteHeader(200)
	_, _ = w.Write([]byte("{}"))
	w.Flush()
	w.finish(httptest.NewRequest("GET", "/", nil))
	if rec.Code != 200 || rec.Body.String() != "{}" || !rec.Flushed {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
}

func TestEnvelopeWriterForgetsHugeErrors(t *testing.T) {
	rec := httptest.NewRecorder()
	w := &envelopeWriter{ResponseWriter: rec}
	w.WriteHeader(500)
	for range 100 {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 64<<10))
	}
	w.finish(httptest.NewRequest("GET", "/", nil))
	if rec.Code != 500 || rec.Body.Len() > 2<<20 || !strings.Contains(rec.Body.String(), `"INTERNAL"`) {
		t.Errorf("%d, %d bytes", rec.Code, rec.Body.Len())
	}
}

func TestNewNamesServiceThatIsNotRegistered(t *testing.T) {
	_, err := New(grpc.NewServer(), API{Name: "x", Services: []string{"google.appengine.v1.Versions"}}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err == nil || !strings.Contains(err.Error(), "google.appengine.v1.Versions is not registered") {
		t.Errorf("err = %v", err)
	}
}

func TestOverride(t *testing.T) {
	r := httptest.NewRequest("POST", "/x?a=1", strings.NewReader("b=2"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-HTTP-Method-Override", "get")
	got, err := normalise(r, nil)
	if err != nil || got.Method != http.MethodGet || got.URL.RawQuery != "a=1&b=2" || got.Header.Get("Content-Type") != "" {
		t.Errorf("%s %s, %v", got.Method, got.URL, err)
	}
	r = httptest.NewRequest("POST", "/x", nil)
	r.Header.Set("X-HTTP-Method-Override", "CONNECT")
	if _, err := normalise(r, nil); err == nil {
		t.Error("CONNECT was accepted")
	}
	r = httptest.NewRequest("GET", "/x", nil)
	r.Header.Set("X-HTTP-Method-Override", "DELETE")
	if got, err := normalise(r, nil); err != nil || got.Method != http.MethodGet {
		t.Errorf("a GET became %s, %v", got.Method, err)
	}
}

func TestPostWithoutBodyIsTheEmptyMessage(t *testing.T) {
	for name, body := range map[string]io.Reader{"none": nil, "empty": strings.NewReader(""), "chunked": io.MultiReader()} {
		got, err := normalise(httptest.NewRequest("POST", "/v2/entries:list", body), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if sent, err := io.ReadAll(got.Body); string(sent) != "{}" || err != nil || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %q as %q, %v", name, sent, got.Header.Get("Content-Type"), err)
		}
	}
}

func TestBrokenUTF8IsTheCallersFault(t *testing.T) {
	err := newCodec("test", slog.New(slog.DiscardHandler)).Unmarshal([]byte("\xc5}"), &appenginepb.Version{})
	if err == nil || !utf8.ValidString(err.Error()) {
		t.Errorf("err = %q: a Status cannot carry it", err)
	}
}

func TestGRPCOverHTTP1IsRefusedInTheEnvelope(t *testing.T) {
	h := &handler{grpc: http.NotFoundHandler(), rest: http.NotFoundHandler()}
	r := httptest.NewRequest("POST", "/v1/apps", strings.NewReader("x"))
	r.Header.Set("Content-Type", "application/grpc")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "HTTP/2") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
