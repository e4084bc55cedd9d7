package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// everyCommand returns the command lines of all verbs.
func everyCommand(t *testing.T) [][]string {
	t.Helper()
	var out [][]string
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		out = append(out, strings.Fields(c.CommandPath())[1:])
		for _, child := range c.Commands() {
			if child.Name() != "help" && !strings.HasPrefix(child.Name(), "__") {
				walk(child)
			}
		}
	}
	walk(newRoot(prepare(t, nil).env))
	return out
}

func TestHelp(t *testing.T) {
	for _, args := range everyCommand(t) {
		name := strings.Join(append([]string{"help"}, args...), "_")
		t.Run(name, func(t *testing.T) {
			r := execute(t, nil, append(args, "--help")...).expect(t, exitOK)
			help := r.stdout.String()
			if n := strings.Count(help, "\n"); n > 40 {
				t.Errorf("help has %d lines: more than a screen", n)
			}
			lines := strings.Split(strings.TrimSpace(help), "\n")
			last := lines[len(lines)-2:]
			for _, example := range last {
				if !strings.Contains(example, "sunya ") {
					t.Errorf("does not end with two examples: %q", last)
				}
			}
			// up belongs to the server and changes with it.
			if len(args) == 0 || args[0] != "up" {
				golden(t, name, help)
			}
		})
	}
}

// TestExamplesParse: an example in help that its own command refuses is worse
// than none.
func TestExamplesParse(t *testing.T) {
	for _, args := range everyCommand(t) {
		env := prepare(t, nil).env
		cmd, _, err := newRoot(env).Find(args)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(cmd.Example) {
			_, line, _ := strings.Cut(line, "sunya ")
			line, _, _ = strings.Cut(strings.TrimRight(line, ")\"\n"), " | ")
			line, _, _ = strings.Cut(line, " >")
			root := newRoot(env)
			found, rest, err := root.Find(strings.Fields(strings.ReplaceAll(line, "'", "")))
			if err != nil {
				t.Errorf("%q: %v", line, err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
}

func seeded(t *testing.T) *fake {
	t.Helper()
	f := newFake(t)
	execute(t, f, "app", "deploy", hello(t), "--version", "v1").expect(t, exitOK)
	execute(t, f, "app", "deploy", hello(t), "--version", "v2", "--no-promote").expect(t, exitOK)
	return f
}

func TestTables(t *testing.T) {
	f := seeded(t)
	for name, args := range map[string][]string{
		"table_versions": {"app", "versions", "list"},
		"table_services": {"app", "services", "list"},
		"table_status":   {"status"},
		"yaml_service":   {"app", "services", "describe", "default"},
	} {
		r := execute(t, f, args...).expect(t, exitOK)
		golden(t, name, strings.ReplaceAll(r.stdout.String(), ":"+f.port(), ":PORT"))
	}
}

func TestJSONIsTheAPIs(t *testing.T) {
	f := seeded(t)
	r := execute(t, f, "app", "versions", "list", "--json").expect(t, exitOK)
	var versions []struct {
		Name, ID, Runtime, ServingStatus string
		Deployment                       struct {
			Files map[string]struct{ Sha1Sum string }
		}
	}
	if err := json.Unmarshal([]byte(r.stdout.String()), &versions); err != nil {
		t.Fatal(err)
	}
	if len(versions) != 2 || versions[0].Name != "apps/sunya/services/default/versions/v1" || len(versions[0].Deployment.Files) != 3 {
		t.Errorf("versions = %+v", versions)
	}
	for _, args := range [][]string{
		{"status"}, {"doctor"}, {"version"}, {"env"}, {"app", "services", "list"}, {"app", "services", "describe", "default"}, {"app", "versions", "describe", "v1"},
	} {
		r := execute(t, f, append(args, "--json")...)
		var v any
		if err := json.Unmarshal([]byte(r.stdout.String()), &v); err != nil {
			t.Errorf("%v --json: %v\n%s", args, err, r.stdout)
		}
	}
}

func TestFormats(t *testing.T) {
	f := seeded(t)
	list := []string{"app", "versions", "list"}
	for format, want := range map[string]string{
		"value(id)":                      "v1\nv2\n",
		"value(id,servingStatus,nope)":   "v1\tSERVING\t\nv2\tSERVING\t\n",
		"value( deployment.files.nope )": "\n\n",
	} {
		r := execute(t, f, append(list, "--format", format)...).expect(t, exitOK)
		if diff := cmp.Diff(want, r.stdout.String()); diff != "" {
			t.Errorf("%s: %s", format, diff)
		}
	}
	jsonl := execute(t, f, append(list, "--format", "jsonl")...).expect(t, exitOK)
	if n := strings.Count(jsonl.stdout.String(), "\n"); n != 2 {
		t.Errorf("jsonl has %d lines:\n%s", n, jsonl.stdout)
	}
	if y := execute(t, f, append(list, "--format", "yaml")...).expect(t, exitOK); !strings.Contains(y.stdout.String(), "- createTime:") {
		t.Errorf("yaml = %s", y.stdout)
	}
}

func TestEmptyLists(t *testing.T) {
	f := newFake(t)
	for _, args := range [][]string{{"app", "versions", "list"}, {"app", "services", "list"}} {
		if r := execute(t, f, append(args, "--format", "json")...).expect(t, exitOK); r.stdout.String() != "[]\n" {
			t.Errorf("%v: stdout = %q, want []", args, r.stdout)
		}
		if r := execute(t, f, args...).expect(t, exitOK); r.stdout.String() != "" || !strings.Contains(r.stderr.String(), "0 items") {
			t.Errorf("%v: stdout = %q, stderr = %q", args, r.stdout, r.stderr)
		}
	}
}

func TestNarrowTerminal(t *testing.T) {
	f := seeded(t)
	for _, args := range [][]string{{"app", "versions", "list"}, {"app", "services", "list"}} {
		r := prepare(t, f, args...)
		r.env.StdoutTTY, r.env.Width = true, 40
		r.do(t).expect(t, exitOK)
		for line := range strings.Lines(r.stdout.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 40 {
				t.Errorf("%v: line of %d characters: %q", args, n, line)
			}
		}
	}
	// Piped, the same list is never cut.
	if r := execute(t, f, "app", "services", "list"); strings.Contains(r.stdout.String(), "…") {
		t.Errorf("cut in a pipe:\n%s", r.stdout)
	}
}

func TestLayout(t *testing.T) {
	rows := [][]string{{"NAME", "URL"}, {"ünï", strings.Repeat("x", 60)}, {"b", ""}}
	got := string(layout(rows, 40))
	want := "NAME  URL\nünï   " + strings.Repeat("x", 33) + "…\nb\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTenThousandVersions(t *testing.T) {
	f := newFake(t)
	f.split["default"] = map[string]float64{"v00000": 1}
	for i := range 10_000 {
		id := fmt.Sprintf("v%05d", i)
		f.versions["default/"+id] = &appenginepb.Version{Id: id, CreateTime: timestamppb.New(testTime)}
	}
	r := execute(t, f, "app", "versions", "list", "--format", "value(id)").expect(t, exitOK)
	if n := strings.Count(r.stdout.String(), "\n"); n != 10_000 {
		t.Errorf("%d lines, want 10000", n)
	}
}

func TestClosedStdout(t *testing.T) {
	f := seeded(t)
	for _, args := range [][]string{
		{"status"}, {"version"}, {"env"}, {"open"}, {"doctor"}, {"app", "versions", "list"}, {"app", "versions", "list", "--json"},
		{"app", "services", "describe", "default"}, {"app", "deploy", hello(t)},
	} {
		r := prepare(t, f, args...)
		r.env.Stdout = broken{}
		r.do(t).expect(t, exitFailed)
		if !strings.Contains(r.stderr.String(), "broken pipe") {
			t.Errorf("%v: stderr = %s", args, r.stderr)
		}
	}
}

func TestTerminal(t *testing.T) {
	f := seeded(t)
	f.buildLog = []*loggingpb.LogEntry{buildEntry(1, "hello", nil)}
	tests := []struct {
		name    string
		vars    map[string]string
		moves   bool
		colours bool
	}{
		{"a terminal", nil, true, true},
		{"NO_COLOR", map[string]string{"NO_COLOR": "1"}, true, false},
		{"a dumb terminal", map[string]string{"TERM": "dumb"}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := prepare(t, f, "app", "deploy", hello(t))
			for k, v := range tt.vars {
				r.with(k, v)
			}
			r.env.StderrTTY, r.env.Width = true, 40
			r.do(t).expect(t, exitOK)
			if got := strings.Contains(r.stderr.String(), "\r"); got != tt.moves {
				t.Errorf("carriage returns: %v, want %v\n%q", got, tt.moves, r.stderr)
			}
			if got := strings.Contains(r.stderr.String(), "\x1b[32m"); got != tt.colours {
				t.Errorf("colours: %v, want %v\n%q", got, tt.colours, r.stderr)
			}
		})
	}
	plain := execute(t, f, "app", "deploy", hello(t)).expect(t, exitOK)
	if strings.ContainsAny(plain.stderr.String(), "\r\x1b") {
		t.Errorf("control characters without a terminal: %q", plain.stderr)
	}
}

func TestColour(t *testing.T) {
	tests := []struct {
		name string
		vars map[string]string
		tty  bool
		want bool
	}{
		{"terminal", nil, true, true},
		{"pipe", nil, false, false},
		{"forced", map[string]string{"CLICOLOR_FORCE": "1"}, false, true},
		{"NO_COLOR wins", map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, true, false},
		{"dumb", map[string]string{"TERM": "dumb"}, true, false},
		{"switched off", map[string]string{"CLICOLOR": "0"}, true, false},
	}
	for _, tt := range tests {
		e := &Env{Getenv: func(n string) string { return tt.vars[n] }}
		if got := e.colour(tt.tty); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünï\tand\nlines": "plain ünï\tand\nlines",
		"\x1b[2J":               `\x1b[2J`,
		"a\rb":                  `a\x0db`,
		"\u009b1m":              `\x9b1m`,
		"\xff":                  `\xff`,
		"a\u202eb":              `a\u202eb`,
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		if !utf8.ValidString(got) || strings.IndexFunc(got, unprintable) >= 0 {
			t.Errorf("printable(%q) = %q", s, got)
		}
	})
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "just now", -time.Hour: "just now", 5 * time.Second: "5s ago", 90 * time.Second: "1m ago",
		3 * time.Hour: "3h ago", 73 * time.Hour: "3d ago",
	} {
		if got := ago(testTime.Add(-d), testTime); got != want {
			t.Errorf("ago(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestEnvironmentTwins(t *testing.T) {
	f := seeded(t)
	if r := prepare(t, f, "app", "versions", "list").with("SUNYA_FORMAT", "value(id)").do(t).expect(t, exitOK); r.stdout.String() != "v1\nv2\n" {
		t.Errorf("SUNYA_FORMAT: stdout = %q", r.stdout)
	}
	// A flag wins over its twin.
	if r := prepare(t, f, "app", "versions", "list", "--format", "json").with("SUNYA_FORMAT", "value(id)").do(t); !strings.HasPrefix(r.stdout.String(), "[") {
		t.Errorf("flag: stdout = %q", r.stdout)
	}
	r := prepare(t, f, "status").with("SUNYA_QUIET", "maybe").do(t).expect(t, exitUsage)
	if !strings.Contains(r.stderr.String(), "environment variable SUNYA_QUIET") {
		t.Errorf("stderr = %s", r.stderr)
	}
	prepare(t, f, "app", "deploy", hello(t), "--version", "v3").with("SUNYA_PROMOTE", "false").do(t).expect(t, exitOK)
	if f.split["default"]["v3"] != 0 {
		t.Errorf("SUNYA_PROMOTE=false promoted: %v", f.split["default"])
	}
}

func TestProjectResolution(t *testing.T) {
	f := newFake(t)
	tests := []struct {
		name string
		vars map[string]string
		args []string
		want string
	}{
		{"the server's", nil, nil, "sunya"},
		{"Google's variable", map[string]string{"GOOGLE_CLOUD_PROJECT": "goog"}, nil, "goog"},
		{"gcloud's wins over it", map[string]string{"GOOGLE_CLOUD_PROJECT": "goog", "CLOUDSDK_CORE_PROJECT": "sdk"}, nil, "sdk"},
		{"Sunya's wins over that", map[string]string{"CLOUDSDK_CORE_PROJECT": "sdk", "SUNYA_PROJECT": "own"}, nil, "own"},
		{"the flag wins", map[string]string{"SUNYA_PROJECT": "own"}, []string{"--project", "flag"}, "flag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := prepare(t, f, append([]string{"app", "deploy", hello(t)}, tt.args...)...)
			for k, v := range tt.vars {
				r.with(k, v)
			}
			r.do(t).expect(t, exitOK)
			if want := "http://" + tt.want + ".localhost:"; !strings.HasPrefix(r.stdout.String(), want) {
				t.Errorf("stdout = %q, want %q", r.stdout, want)
			}
		})
	}
}

func TestConfirm(t *testing.T) {
	f := seeded(t)
	r := prepare(t, f, "app", "versions", "delete", "v2")
	r.env.StdinTTY, r.env.Stdin = true, strings.NewReader("n\n")
	r.do(t)
	if r.code == 0 || f.versions["default/v2"] == nil {
		t.Errorf("deleted although the answer was no (exit %d)", r.code)
	}
	r = prepare(t, f, "app", "versions", "delete", "v2")
	r.env.StdinTTY, r.env.Stdin = true, strings.NewReader("y\n")
	r.do(t).expect(t, exitOK)
	if f.versions["default/v2"] != nil {
		t.Error("not deleted although the answer was yes")
	}
}

func TestEnvVerb(t *testing.T) {
	for shell, want := range map[string]string{
		"bash":       "export SUNYA_SERVER='http://h:1'\n",
		"fish":       "set -gx SUNYA_SERVER 'http://h:1'\n",
		"powershell": "$Env:SUNYA_SERVER = 'http://h:1'\n",
		"cmd":        "set SUNYA_SERVER=http://h:1\n",
	} {
		r := execute(t, nil, "env", "--server", "h:1", "--shell", shell).expect(t, exitOK)
		if !strings.HasPrefix(r.stdout.String(), want) {
			t.Errorf("%s: %q", shell, r.stdout)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := execute(t, nil, "completion", shell).expect(t, exitOK); !strings.Contains(r.stdout.String(), "sunya") {
			t.Errorf("%s: no script", shell)
		}
	}
}

func TestOpen(t *testing.T) {
	f := seeded(t)
	for want, args := range map[string][]string{
		"http://sunya.localhost:" + f.port() + "\n":        {"open"},
		"http://v2-dot-sunya.localhost:" + f.port() + "\n": {"app", "browse", "--version", "v2"},
	} {
		if r := execute(t, f, args...).expect(t, exitOK); r.stdout.String() != want {
			t.Errorf("%v: stdout = %q, want %q", args, r.stdout, want)
		}
	}
}
