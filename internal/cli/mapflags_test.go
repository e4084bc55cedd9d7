package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

func TestMapFlags(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"vars.yaml": "A: text\nN: 007\nT: true\n",
		"list.yaml": "A: [1]\n",
		"app.env":   "# a comment\nexport A='quoted'\n\nB=x=y\n",
		"bad.env":   "A=1\nnonsense\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := map[string]string{"A": "1", "B": "2"}
	for _, tt := range []struct {
		line string
		want map[string]string
		err  string
	}{
		{"", now, ""},
		{"--set-env-vars C=3", map[string]string{"C": "3"}, ""},
		{"--set-env-vars C=3 --set-env-vars D=4", map[string]string{"C": "3", "D": "4"}, ""},
		{"--update-env-vars A=9,C=3", map[string]string{"A": "9", "B": "2", "C": "3"}, ""},
		{"--remove-env-vars A", map[string]string{"B": "2"}, ""},
		{"--update-env-vars A=9 --remove-env-vars A,B", map[string]string{"A": "9"}, ""},
		{"--clear-env-vars", map[string]string{}, ""},
		{"--clear-env-vars --update-env-vars C=3", map[string]string{"C": "3"}, ""},
		{"--env-vars-file vars.yaml", map[string]string{"A": "text", "N": "007", "T": "true"}, ""},
		{"--env-vars-file app.env", map[string]string{"A": "quoted", "B": "x=y"}, ""},
		{"--env-vars-file bad.env", nil, "line 2: \"nonsense\" is not of the form NAME=VALUE"},
		{"--env-vars-file list.yaml", nil, "line 1: A is not a text"},
		{"--env-vars-file nope.yaml", nil, "no such file"},
		{"--set-env-vars C=3 --update-env-vars D=4", nil, "replace all"},
		{"--set-env-vars C=3 --env-vars-file vars.yaml", nil, "replace all"},
		{"--env-vars-file vars.yaml --clear-env-vars", nil, "replace all"},
	} {
		t.Run(tt.line, func(t *testing.T) {
			var m mapFlags
			fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
			registerMap(fs, "env-vars", "variables", func() *mapFlags { return &m })
			registerMapFile(fs, "env-vars", "variables", func() *mapFlags { return &m })
			if err := fs.Parse(strings.Fields(tt.line)); err != nil {
				t.Fatal(err)
			}
			if m.given() != (tt.line != "") {
				t.Errorf("given() = %v", m.given())
			}
			got, err := m.apply(now, dir)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error = %v, want %q", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("error %v, (-want +got):\n%s", err, diff)
			}
		})
	}
}

func FuzzParseDotenv(f *testing.F) {
	for _, s := range []string{"", "A=1\nB='x'\n", "export A=\"", "=\n", "#A=1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		vars, err := parseDotenv(raw)
		if _, unnamed := vars[""]; err == nil && unnamed {
			t.Errorf("parseDotenv(%q) has a value without a name", raw)
		}
	})
}

func TestParseTimeout(t *testing.T) {
	for in, want := range map[string]string{"60": "1m0s", "90s": "1m30s", "5m": "5m0s", "0": "", "x": "", "-5": "", "99999999999": "", "0.5s": ""} {
		got, err := parseTimeout(in)
		if want == "" && err == nil || want != "" && got.String() != want {
			t.Errorf("parseTimeout(%q) = %v, %v, want %q", in, got, err, want)
		}
	}
}
