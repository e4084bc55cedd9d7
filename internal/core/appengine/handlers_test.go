package appengine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
)

// script sends everything to the program.
var script = appengine.Handler{URL: "/.*", Script: "auto"}

func TestHandlersBecomeRules(t *testing.T) {
	w, a := world()
	n := draft("default", "v1")
	hour, zero := time.Hour, time.Duration(0)
	n.DefaultExpiration = &hour
	n.Handlers = []appengine.Handler{
		{URL: "/s/(.*)", Static: &appengine.StaticFiles{Path: `s/\1`, Upload: "s/.*", RequireMatchingFile: true, MIMEType: "text/x", Headers: []sunya.Header{{Name: "X-A", Value: "b"}}}},
		{URL: "/r", Static: &appengine.StaticFiles{Path: "r", Upload: "r", Expiration: &zero, ApplicationReadable: true}, Secure: sunya.SecureAlways, RedirectCode: 301},
		script,
	}
	n.ErrorHandlers = []appengine.ErrorHandler{{Code: "default", File: "e(1).html"}, {Code: "over_quota", File: "q.html", MIMEType: "text/x"}}
	if _, err := a.CreateVersion(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	d := w.Pending()[0]
	wantRules := []sunya.Rule{
		{Path: "/s/(.*)", Static: &sunya.StaticRule{File: `s/\1`, MaxAge: hour, Optional: true, MIMEType: "text/x", Headers: []sunya.Header{{Name: "X-A", Value: "b"}}}},
		{Path: "/r", Static: &sunya.StaticRule{File: "r"}, Secure: sunya.SecureAlways, RedirectStatus: 301},
		{Path: "/.*"},
	}
	wantStatic := []sunya.StaticSource{{Pattern: "s/.*"}, {Pattern: "r", Readable: true}, {Pattern: `e\(1\)\.html`, Readable: true}, {Pattern: `q\.html`, Readable: true}}
	wantPages := []sunya.ErrorPage{{On: sunya.ErrorDefault, File: "e(1).html"}, {On: sunya.ErrorOverQuota, File: "q.html", MIMEType: "text/x"}}
	if diff := cmp.Diff(wantRules, d.Revision.Rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantStatic, d.Static); diff != "" {
		t.Errorf("static files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantPages, d.Revision.ErrorPages); diff != "" {
		t.Errorf("error pages (-want +got):\n%s", diff)
	}
}

func TestStaticFilesAloneStartNothing(t *testing.T) {
	w, a := world()
	n := draft("default", "v1")
	n.Scaling.Manual = &appengine.ManualScaling{Instances: 2}
	n.Handlers = []appengine.Handler{{URL: "/(.*)", Static: &appengine.StaticFiles{Path: `\1`, Upload: ".*"}}}
	if _, err := a.CreateVersion(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	rev := w.Pending()[0].Revision
	if rev.HasProgram() || rev.Scaling.Min != 0 {
		t.Errorf("program %v, minimum %d, want none", rev.HasProgram(), rev.Scaling.Min)
	}
	if age := rev.Rules[0].Static.MaxAge; age != 10*time.Minute {
		t.Errorf("files may be kept for %v, want 10 minutes", age)
	}
}

func TestHandlerRefusals(t *testing.T) {
	static := func(change func(*appengine.StaticFiles)) []appengine.Handler {
		s := &appengine.StaticFiles{Path: "f", Upload: "f"}
		change(s)
		return []appengine.Handler{script, {URL: "/(f)", Static: s}}
	}
	ago := -time.Second
	many := make([]appengine.Handler, 101)
	for _, c := range []struct {
		name   string
		change func(*appengine.NewVersion)
		text   string
	}{
		{"too many", func(n *appengine.NewVersion) { n.Handlers = many }, "version.handlers: has 101 entries"},
		{"no url", func(n *appengine.NewVersion) { n.Handlers = []appengine.Handler{{Script: "auto"}} }, "version.handlers[0].urlRegex"},
		{"bad url", func(n *appengine.NewVersion) { n.Handlers = []appengine.Handler{{URL: "/(", Script: "auto"}} }, "not a regular expression"},
		{"nothing", func(n *appengine.NewVersion) { n.Handlers = []appengine.Handler{{URL: "/"}} }, "says nothing about what answers"},
		{"old script", func(n *appengine.NewVersion) { n.Handlers = []appengine.Handler{{URL: "/", Script: "main.app"}} }, "handlers[0].script.scriptPath"},
		{"no path", func(n *appengine.NewVersion) { n.Handlers = static(func(s *appengine.StaticFiles) { s.Path = "" }) }, "handlers[1].staticFiles.path: is missing"},
		{"missing group", func(n *appengine.NewVersion) { n.Handlers = static(func(s *appengine.StaticFiles) { s.Path = `\2` }) }, "1 groups"},
		{"no upload", func(n *appengine.NewVersion) { n.Handlers = static(func(s *appengine.StaticFiles) { s.Upload = "" }) }, "uploadPathRegex: is missing"},
		{"bad upload", func(n *appengine.NewVersion) { n.Handlers = static(func(s *appengine.StaticFiles) { s.Upload = "*" }) }, "uploadPathRegex"},
		{"bad header", func(n *appengine.NewVersion) {
			n.Handlers = static(func(s *appengine.StaticFiles) { s.Headers = []sunya.Header{{Name: "Host", Value: "x"}} })
		}, "httpHeaders: Host"},
		{"negative expiration", func(n *appengine.NewVersion) {
			n.Handlers = static(func(s *appengine.StaticFiles) { s.Expiration = &ago })
		}, "expiration: must not be negative"},
		{"a redirect that is none", func(n *appengine.NewVersion) {
			n.Handlers = []appengine.Handler{{URL: "/.*", Script: "auto", RedirectCode: 99}}
		}, "redirectHttpResponseCode: 99"},
		{"a type that is none", func(n *appengine.NewVersion) {
			n.Handlers = []appengine.Handler{{URL: "/a", Static: &appengine.StaticFiles{Path: "a", Upload: "a", MIMEType: "a/b\r\nX: y"}}}
		}, "handlers[0].staticFiles.mimeType"},
		{"a page's type that is none", func(n *appengine.NewVersion) {
			n.ErrorHandlers = []appengine.ErrorHandler{{Code: "timeout", File: "f", MIMEType: "html"}}
		}, "errorHandlers[0].mimeType"},
		{"negative default", func(n *appengine.NewVersion) { n.DefaultExpiration = &ago }, "defaultExpiration"},
		{"unknown error", func(n *appengine.NewVersion) { n.ErrorHandlers = []appengine.ErrorHandler{{Code: "x", File: "f"}} }, "errorHandlers[0].errorCode"},
		{"two pages", func(n *appengine.NewVersion) {
			n.ErrorHandlers = []appengine.ErrorHandler{{Code: "timeout", File: "f"}, {Code: "timeout", File: "g"}}
		}, "two pages"},
		{"no file", func(n *appengine.NewVersion) { n.ErrorHandlers = []appengine.ErrorHandler{{Code: "timeout"}} }, "staticFile: is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, a := world()
			n := draft("default", "v1")
			c.change(&n)
			_, err := a.CreateVersion(t.Context(), n)
			if sunya.CodeOf(err) != sunya.InvalidArgument || !strings.Contains(err.Error(), c.text) {
				t.Errorf("err = %v, want InvalidArgument with %q", err, c.text)
			}
			if len(w.Pending()) != 0 {
				t.Error("something was stored")
			}
		})
	}
}

func TestDispatch(t *testing.T) {
	w, a := world()
	rules := []appengine.DispatchRule{
		{Domain: "*", Path: "/work/*", Service: "worker"},
		{Domain: "sunya.appspot.com", Path: "/a", Service: "default"},
		{Domain: "sunya.uc.r.appspot.com", Path: "/b", Service: "default"},
		{Domain: "other.appspot.com", Path: "/c", Service: "default"},
	}
	if _, err := a.SetDispatch(t.Context(), "sunya", rules[1:], "me"); err == nil {
		t.Error("a service that does not exist was accepted")
	}
	for _, service := range []string{"default", "worker"} {
		if _, err := a.CreateVersion(t.Context(), draft(service, "v1")); err != nil {
			t.Fatal(err)
		}
		if err := w.Deploy(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
	}
	op, err := a.SetDispatch(t.Context(), "sunya", rules, "me")
	if err != nil || !op.Done {
		t.Fatalf("%v, %v", op, err)
	}
	svc, _ := a.Catalog.Service("apps/sunya/services/default")
	want := []sunya.DispatchRule{
		{Domain: "*", Path: "/work/*", Service: "apps/sunya/services/worker"},
		{Domain: "sunya.localhost", Path: "/a", Service: "apps/sunya/services/default"},
		{Domain: "sunya.localhost", Path: "/b", Service: "apps/sunya/services/default"},
		{Domain: "other.appspot.com", Path: "/c", Service: "apps/sunya/services/default"},
	}
	if diff := cmp.Diff(want, svc.Dispatch); diff != "" {
		t.Error(diff)
	}
	app, err := a.Application(t.Context(), "sunya")
	if diff := cmp.Diff(rules, app.DispatchRules); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, bad := range [][]appengine.DispatchRule{
		{{Domain: "a.*", Path: "/", Service: "default"}}, {{Domain: "*", Path: "x", Service: "default"}},
		{{Domain: "*", Path: "/", Service: "none"}}, {{Domain: "*", Path: "/", Service: "Not_A_Name"}}, make([]appengine.DispatchRule, 21),
	} {
		if _, err := a.SetDispatch(t.Context(), "sunya", bad, "me"); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("%v: %v, want InvalidArgument", bad, err)
		}
	}
	if op, err := a.SetDispatch(t.Context(), "sunya", nil, "me"); err != nil || !op.Done {
		t.Errorf("no rules: %v", err)
	}
}
