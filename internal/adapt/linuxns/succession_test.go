package linuxns

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func served(t *testing.T, dir string) sandbox.Spec {
	return sandbox.Spec{
		ID: "kept", Profile: sandbox.App, Args: []string{"/app/probe", "listen", "127.0.0.1:80"},
		Port: 80, Mounts: []sandbox.Mount{probeMount(t, dir)},
	}
}

// TestSuccession: two servers share the sandboxes for a while. Both reach them,
// only the new one ends them, and the old one may leave at any time.
func TestSuccession(t *testing.T) {
	dir := dataDir(t)
	first := open(t, config(dir))
	old, err := first.Start(t.Context(), served(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	echo(t, old)
	if err := first.Retire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Start(t.Context(), sandbox.Spec{ID: "late", Profile: sandbox.App, Args: shell(":")}); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("a start after Retire: %v", err)
	}
	second := open(t, config(dir))
	t.Cleanup(func() { shutdown(t, second) })
	if second.info.PID != first.info.PID {
		t.Errorf("launcher is process %d, not %d", second.info.PID, first.info.PID)
	}
	all, err := second.Adopt(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("adopted %d, %v", len(all), err)
	}
	echo(t, all[0])
	echo(t, old)
	if err := first.Reclaim(t.Context()); err == nil {
		t.Error("the sandboxes were taken back from the server that has them")
	}
	if err := old.Stop(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	echo(t, all[0])
}

// TestSuccessorThatDies leaves the sandboxes with the first server, which may
// take them back.
func TestSuccessorThatDies(t *testing.T) {
	dir := dataDir(t)
	cfg := config(dir)
	cfg.Linger = 50 * time.Millisecond
	first := open(t, cfg)
	t.Cleanup(func() { shutdown(t, first) })
	s, err := first.Start(t.Context(), served(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Retire(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := open(t, cfg)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	// The launcher sees the end of the second in its own time.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if err = first.Reclaim(t.Context()); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * cfg.Linger) // what must not happen, would now
	echo(t, s)
	stop(t, s)
}

func TestHowAServerWasStarted(t *testing.T) {
	dir := dataDir(t)
	if _, err := Describe(dir); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("no server: %v", err)
	}
	cfg := config(dir)
	cfg.Command = &Command{Args: []string{"up", "--public", ":80"}, Env: []string{"A=b"}, Dir: "/"}
	e := open(t, cfg)
	t.Cleanup(func() { shutdown(t, e) })
	got, err := Describe(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cfg.Command, got); diff != "" {
		t.Error(diff)
	}
}

// TestLauncherOfAnotherBuild is kept while it has sandboxes to lose and speaks a
// version that is known.
func TestLauncherOfAnotherBuild(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version int
		build   string
		live    int
		want    bool
	}{
		{"its own", 2, "own", 0, true},
		{"another with sandboxes", 2, "other", 1, true},
		{"another without", 2, "other", 0, false},
		{"one of the future", 3, "other", 1, false},
		{"one that is too old", 1, "other", 1, false},
	} {
		e := &Engine{}
		e.info.Version, e.info.Build, e.info.Live, e.info.Level = tt.version, tt.build, tt.live, "user"
		if got := e.isUsable("own"); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
