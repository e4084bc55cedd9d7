package gateway_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/identity"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// verifier takes "EMAIL for AUDIENCE" for a token.
type verifier struct{}

func (verifier) Verify(ctx context.Context, token, _ string) (*identity.Claims, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		return nil, sunya.Errorf(sunya.Internal, "", "nobody ends the wait for this")
	}
	email, audience, ok := strings.Cut(token, ">")
	audience, _, _ = strings.Cut(audience, "#") // what follows is for the looks
	if !ok {
		return nil, sunya.Errorf(sunya.Unauthenticated, "", "not a token")
	}
	return &identity.Claims{Email: email, Audience: []string{audience}}, nil
}

func TestPrivateServicesAskWhoCalls(t *testing.T) { onBothPaths(t, testPrivateServicesAskWhoCalls) }

func testPrivateServicesAskWhoCalls(t *testing.T) {
	w := newWorldWith(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) },
		func(p *gateway.Parts, _ *gateway.Options) { p.Verifier = verifier{} })
	svc := w.catalog.Table().Services()[0]
	set := func(a sunya.Access) {
		t.Helper()
		svc.Access = a
		if err := w.catalog.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc}}); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		rule   string
		access sunya.Access
		header []string
		status int
	}{
		{"open", sunya.Access{}, nil, 200},
		{"opened to all", sunya.Access{Private: true, Invokers: []string{sunya.AllUsers}}, nil, 200},
		{"no token", sunya.Access{Private: true}, nil, 403},
		{"another scheme", sunya.Access{Private: true}, []string{"Authorization", "Basic YTpi"}, 401},
		{"not a token", sunya.Access{Private: true}, []string{"Authorization", "Bearer x"}, 401},
		{"another audience", sunya.Access{Private: true, Invokers: []string{"user:a@b"}}, []string{"Authorization", "Bearer a@b>http://other.localhost"}, 401},
		{"nobody is admitted", sunya.Access{Private: true}, []string{"Authorization", "Bearer a@b>http://demo.localhost"}, 403},
		{"somebody else is", sunya.Access{Private: true, Invokers: []string{"user:c@d"}}, []string{"Authorization", "Bearer a@b>http://demo.localhost"}, 403},
		{"admitted", sunya.Access{Private: true, Invokers: []string{"user:a@b"}}, []string{"Authorization", "Bearer a@b>http://demo.localhost"}, 200},
		{"whatever scheme and port", sunya.Access{Private: true, Invokers: []string{"serviceAccount:a@b"}}, []string{"authorization", "bearer a@b>https://DEMO.localhost:8443/"}, 200},
		{"everybody with a token", sunya.Access{Private: true, Invokers: []string{"allAuthenticatedUsers"}}, []string{"Authorization", "Bearer a@b>http://demo.localhost"}, 200},
		{"the header beside the program's own", sunya.Access{Private: true, Invokers: []string{"user:a@b"}},
			[]string{"Authorization", "Bearer the program's", "X-Serverless-Authorization", "Bearer a@b>http://demo.localhost"}, 200},
		{"an audience of its own", sunya.Access{Private: true, Invokers: []string{"user:a@b"}, Audiences: []string{"my-service"}}, []string{"Authorization", "Bearer a@b>my-service"}, 200},
		{"its name inside instances", sunya.Access{Private: true, Invokers: []string{"user:a@b"}}, []string{"Authorization", "Bearer a@b>http://demo.sunya.internal/"}, 200},
		{"gcloud's own audience", sunya.Access{Private: true, Invokers: []string{"user:a@b"}}, []string{"Authorization", "Bearer a@b>32555940559.apps.googleusercontent.com"}, 200},
		{"no URL", sunya.Access{Private: true, Invokers: []string{"user:a@b"}}, []string{"Authorization", "Bearer a@b>://"}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			set(tt.access)
			r := w.request("GET", "/", nil)
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			resp, body := w.do(r)
			if resp.StatusCode != tt.status {
				t.Errorf("%d %q, want %d", resp.StatusCode, body, tt.status)
			}
			if challenge := resp.Header.Get("Www-Authenticate"); (challenge != "") != (tt.status == 401) {
				t.Errorf("WWW-Authenticate = %q", challenge)
			}
		})
	}
}

func TestFunctionsByPath(t *testing.T) { onBothPaths(t, testFunctionsByPath) }

func testFunctionsByPath(t *testing.T) {
	w := newWorldWith(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.EscapedPath()+"?"+r.URL.RawQuery)
	},
		func(p *gateway.Parts, _ *gateway.Options) { p.Verifier = verifier{} })
	svc := w.catalog.Table().Services()[0]
	rev := *w.catalog.Table().Revisions(svc.Name)[0]
	fn := sunya.Service{Name: "projects/p/locations/l/services/f", Project: svc.Project, Product: sunya.CloudFunctions}
	rev.Name, rev.ID, rev.Service = fn.Name+"/revisions/f-00001-abc", "f-1", fn.Name
	fn.Traffic = sunya.Traffic{Targets: []sunya.Target{{Revision: rev.Name, Permille: 1000}}}
	fn.Access = sunya.Access{Private: true, Invokers: []string{"user:a@b"}}
	if err := w.catalog.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{fn}, PutRevisions: []sunya.Revision{rev}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, audience string
		status         int
		body           string
	}{
		{"/p/l/f", "http://functions.localhost/p/l/f", 200, "/?"},
		{"/p/l/f/", "http://functions.localhost:1/p/l/f/", 200, "/?"},
		{"/p/l/f/a%20b/c?d=e", "http://functions.localhost/p/l/f", 200, "/a%20b/c?d=e"},
		{"/p/l/f/a%2Fb", "http://functions.localhost/p/l/f", 200, "/a%2Fb?"},
		{"/p/l/f%2Fb/%2F", "http://functions.localhost/p/l/f", 200, "/b//?"},
		{"/p%2Fl/f/c", "http://functions.localhost/p/l/f", 200, "/c?"},
		{"/p/l/f", "http://functions.localhost/p/l/g", 401, "another audience"},
		{"/p/l/g", "http://functions.localhost/p/l/g", 404, "No function has this path"},
		{"/p/l", "http://functions.localhost/", 404, "No function has this path"},
		{"/", "http://functions.localhost/", 404, "No function has this path"},
	} {
		r := w.request("GET", c.path, nil)
		r.Host = "functions.localhost"
		r.Header.Set("Authorization", "Bearer a@b>"+c.audience)
		if resp, body := w.do(r); resp.StatusCode != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %q, want %d %q", c.path, resp.StatusCode, body, c.status, c.body)
		}
	}
}

// TestProgramsDoNotGetTheirCallersTokens: what was checked cannot be used again;
// what was not is the program's own.
func TestProgramsDoNotGetTheirCallersTokens(t *testing.T) {
	onBothPaths(t, testProgramsDoNotGetTheirCallersTokens)
}

func testProgramsDoNotGetTheirCallersTokens(t *testing.T) {
	const token = "head.a@b>http://demo.localhost#.signature"
	private := sunya.Access{Private: true, Invokers: []string{"user:head.a@b"}}
	w := newWorldWith(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Authorization")+"|"+r.Header.Get("X-Serverless-Authorization")+r.Header.Get("X_Serverless_Authorization"))
	}, func(p *gateway.Parts, _ *gateway.Options) { p.Verifier = verifier{} })
	svc := w.catalog.Table().Services()[0]
	for _, c := range []struct {
		access sunya.Access
		header map[string]string
		want   string
	}{
		{private, map[string]string{"Authorization": "Bearer " + token}, "Bearer head.a@b>http://demo.localhost#.SIGNATURE_REMOVED_BY_GOOGLE|"},
		{private, map[string]string{"Authorization": "Basic x", "X-Serverless-Authorization": "bearer " + token}, "Basic x|"},
		{sunya.Access{}, map[string]string{"Authorization": "Bearer " + token}, "Bearer " + token + "|"},
		{sunya.Access{}, map[string]string{"X-Serverless-Authorization": "Bearer " + token, "X_serverless-authorization": "Bearer " + token}, "|"},
	} {
		svc.Access = c.access
		if err := w.catalog.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc}}); err != nil {
			t.Fatal(err)
		}
		r := w.request("GET", "/", nil)
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		if resp, body := w.do(r); resp.StatusCode != 200 || body != c.want {
			t.Errorf("%v: %d %q, want %q", c.header, resp.StatusCode, body, c.want)
		}
	}
}

// TestInternalIngress: a service that only instances of its project may call is
// not there for anybody else; its log says why.
func TestInternalIngress(t *testing.T) {
	standardOnly = true // requests from inside come through net/http
	defer func() { standardOnly = false }()
	w := newWorld(t, nil)
	svc := w.catalog.Table().Services()[0]
	svc.Ingress = sunya.IngressInternal
	if err := w.catalog.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc}}); err != nil {
		t.Fatal(err)
	}
	gate := w.server.Config.Handler
	var caller *gateway.Caller
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if caller != nil {
			r = r.WithContext(gateway.WithCaller(r.Context(), *caller))
		}
		gate.ServeHTTP(rw, r)
	})
	for _, c := range []struct {
		who    string
		caller *gateway.Caller
		host   string
		status int
	}{
		{"the internet", nil, "demo.localhost", 404},
		{"the internet by the internal name", nil, "demo.sunya.internal", 404},
		{"another project", &gateway.Caller{Project: "other"}, "demo.localhost", 404},
		{"an instance", &gateway.Caller{Project: "demo"}, "demo.localhost", 200},
		{"an instance by the internal name", &gateway.Caller{Project: "demo"}, "demo.sunya.internal", 200},
		{"an instance by a name that is not there", &gateway.Caller{Project: "demo"}, "nobody.sunya.internal", 404},
	} {
		caller = c.caller
		r := w.request("GET", "/", nil)
		r.Host = c.host
		if resp, body := w.do(r); resp.StatusCode != c.status {
			t.Errorf("%s: %d %q, want %d", c.who, resp.StatusCode, body, c.status)
		}
	}
	if e := w.entries(1)[0]; e.HTTP.Status != 404 || !strings.Contains(e.Text, "ingress is internal") {
		t.Errorf("entry = %+v", e)
	}
	svc.Ingress = sunya.IngressNone
	if err := w.catalog.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc}}); err != nil {
		t.Fatal(err)
	}
	caller = &gateway.Caller{Project: "demo"}
	if resp, body := w.do(w.request("GET", "/", nil)); resp.StatusCode != 404 {
		t.Errorf("an instance where nobody is let in: %d %q, want 404", resp.StatusCode, body)
	}
}
