//go:build e2e

package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// BenchmarkPython: requests a second to a Python program through the gateway, to
// the bare one, and through nginx. gunicorn takes each field of a request apart in
// Python, so the last two are also measured with the fields that App Engine's
// programs are given: what is left is the way there.
func BenchmarkPython(b *testing.B) {
	s := begin(b, "python")
	defer s.end()
	needWrk(s)
	dir := flask(s, "automatic_scaling:\n  max_instances: 1\n  max_concurrent_requests: 80\n")
	app := bare(s, dir, gunicorn(s)...)
	defer app.Stop()
	server := platform.Start(s)
	host := server.Deploy(dir) // the first service has to be the default one
	fields := added(s, server)
	targets := []target{
		{name: "Sunya", url: server.URL(), host: host},
		{name: "bare gunicorn", url: "http://" + app.Addr},
		{name: "bare gunicorn, App Engine's fields", url: "http://" + app.Addr, fields: fields},
	}
	for _, t := range proxies(s, app.Addr, "nginx, logging") {
		targets = append(targets, t, target{name: t.name + ", App Engine's fields", url: t.url, fields: fields})
	}
	for _, conns := range []int{1, 16, 64} {
		s.run(fmt.Sprintf("c=%d", conns), func(s *sheet) { python(s, conns, targets) })
	}
}

// python loads each target in turn.
func python(s *sheet, conns int, targets []target) {
	f := s.figure(results.Figure{
		ID: fmt.Sprintf("python/rate/c=%d", conns), Title: "gunicorn, " + connections(conns), Unit: "req/s", Higher: true, Base: "bare gunicorn",
	})
	if conns > 1 {
		f.Goals = []results.Goal{{Subject: "Sunya", As: results.AsRatio, Over: "bare gunicorn", Limit: 0.95, AtLeast: true}}
	}
	var turns []func()
	for _, t := range targets {
		turns = append(turns, func() { f.Add(t.name, mustLoad(s, t, conns).RequestsPerSecond) })
	}
	s.turns(5, turns...)
}

// added returns the header fields that the gateway adds to a request, NAME: VALUE,
// as a program has seen them.
func added(s *sheet, server *platform.Server) []string {
	s.Helper()
	host := server.Deploy(platform.Files(s, map[string]string{
		"app.yaml": "runtime: python311\nservice: fields\nentrypoint: python3 main.py\n", "main.py": platform.BareMain(""),
	}))
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, server.URL()+"/headers", nil)
	if err != nil {
		s.Fatal(err)
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	seen := map[string]string{}
	if err == nil {
		err = json.Unmarshal(body, &seen)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		s.Fatalf("the fields that a program sees: status %d, %v: %s", resp.StatusCode, err, body)
	}
	var fields []string
	for name, value := range seen {
		if !slices.Contains([]string{"Host", "User-Agent", "Accept-Encoding"}, name) { // those are the client's
			fields = append(fields, name+": "+value)
		}
	}
	if len(fields) < 10 {
		s.Fatalf("App Engine's programs are given a dozen fields more than the client sends, not %q", fields)
	}
	slices.Sort(fields)
	return fields
}
