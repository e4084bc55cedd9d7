package detect

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

func TestPHP(t *testing.T) {
	tests := []struct {
		rule       string
		fsys       fstest.MapFS
		entrypoint string
		want       PHPPlan
		requires   string
	}{
		{"index.php", files("index.php", ""), "", PHPPlan{Front: "index.php"}, ""},
		{"public first", files("index.php", "", "public/index.php", ""), "", PHPPlan{Front: "public/index.php"}, ""},
		{"Google's word", files("index.php", "", "web/app.php", ""), "serve --workers=4 ./web/app.php", PHPPlan{Front: "web/app.php"}, ""},
		{"another server", files(), "php -S 0.0.0.0:$PORT", PHPPlan{Line: "exec php -S 0.0.0.0:$PORT"}, ""},
		{"Procfile", files("Procfile", "web: serve a.php", "a.php", ""), "", PHPPlan{Front: "a.php"}, ""},
		{"nothing but PHP is asked for", files("index.php", "", "composer.json", `{"require": {"php": ">=8.1, <8.4", "ext-json": "*"}}`), "", PHPPlan{Front: "index.php"}, ">=8.1 <8.4"},
		{"packages", files("index.php", "", "composer.json", `{"require": {"php": "^7.4|^8.0", "a/b": "^1"}, "scripts": {"gcp-build": "x"}}`), "", PHPPlan{Front: "index.php", Packages: true, GCPBuild: true}, "^7.4 || ^8.0"},
		{"packages in the source", files("index.php", "", "composer.json", `{"require": {"a/b": "^1"}}`, "vendor/autoload.php", ""), "", PHPPlan{Front: "index.php", Packages: true, Vendored: true}, ""},
		{"an odd version", files("index.php", "", "composer.json", `{"require": {"php": "@dev"}}`), "", PHPPlan{Front: "index.php",
			Warnings: []string{`composer.json: require php: "@dev" is not a range of versions: write for example >=20; it is ignored`}}, ""},
	}
	for _, tt := range tests {
		p, err := PHP(tt.fsys, sunya.BuildSpec{Entrypoint: tt.entrypoint})
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		if got := strings.Join(strings.Fields(p.Requires.String()), " "); got != tt.requires {
			t.Errorf("%s: requires %q, want %q", tt.rule, got, tt.requires)
		}
		p.Requires = Semver{}
		if diff := cmp.Diff(&tt.want, p, cmp.AllowUnexported(Semver{})); diff != "" {
			t.Errorf("%s:\n%s", tt.rule, diff)
		}
	}
}

func TestBadPHPSource(t *testing.T) {
	tests := []struct {
		rule       string
		fsys       fstest.MapFS
		entrypoint string
		want       string
	}{
		{"nothing to start", files("app.php", ""), "", "neither public/index.php nor index.php"},
		{"a front controller that is missing", files("index.php", ""), "serve web.php", "serves web.php, which is not in the source"},
		{"a front controller outside", files("index.php", ""), "serve ../web.php", "not in the source"},
		{"not JSON", files("index.php", "", "composer.json", "{\n,"), "", "composer.json line 2 is not valid JSON"},
	}
	for _, tt := range tests {
		_, err := PHP(tt.fsys, sunya.BuildSpec{Entrypoint: tt.entrypoint})
		var e *sunya.Error
		if !errors.As(err, &e) || e.Reason != sunya.ReasonBuildFailed || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s: %v, want BUILD_FAILED with %q", tt.rule, err, tt.want)
		}
	}
}

func FuzzPHP(f *testing.F) {
	f.Add(`{"require": {"php": "^7.4|^8.0", "a/b": "^1"}, "scripts": {"gcp-build": "x"}}`, "serve a.php")
	f.Add(`{"require": {"php": ">=8.1, <8.4"}}`, "")
	f.Fuzz(func(t *testing.T, composer, entry string) {
		p, err := PHP(files("index.php", "", "composer.json", composer), sunya.BuildSpec{Entrypoint: entry})
		var e *sunya.Error
		switch {
		case err != nil && !errors.As(err, &e):
			t.Errorf("%v has no code", err)
		case err == nil && p.Front == "" && p.Line == "":
			t.Error("nothing is started")
		}
	})
}
