package build_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func (b *bench) mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(b.src, name), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestRubyImage(t *testing.T) {
	b := newBench(t, works)
	b.put(t, "config.ru", "run 1\n")
	b.put(t, "Gemfile", "gem 'rack'\n")
	b.put(t, "Gemfile.lock", "GEM\n")
	res, err := b.buildAs(t, "ruby31")
	if err != nil {
		t.Fatal(err)
	}
	img := res.Image
	if img.Runtime != "Ruby 3.1.2" || len(img.Layers) != 2 || img.Layers[0].Target != "/layers/gems" || img.Layers[1].Target != "/workspace" {
		t.Errorf("image %+v", img)
	}
	app := filepath.Join(b.data, "layers", "sha256", strings.TrimPrefix(img.Layers[1].Digest, "sha256:"))
	if link, err := os.Readlink(filepath.Join(app, "log")); err != nil || link != "/tmp" {
		t.Errorf("log leads to %q, %v", link, err)
	}
	b.put(t, "config.ru", "run 2\n")
	if _, err := b.buildAs(t, "ruby31"); err != nil || strings.Contains(b.stepArgs(), "bundle install") || !strings.Contains(b.log.String(), "Dependencies unchanged: reused") {
		t.Errorf("changed code: %v\n%s", err, b.log.String())
	}
	b.mkdir(t, "vendor/cache")
	b.put(t, "vendor/cache/rack-2.gem", "x")
	if _, err := b.buildAs(t, "ruby31"); err != nil || !strings.Contains(b.stepArgs(), "bundle install --local") {
		t.Errorf("gems in the source: %v, %s", err, b.stepArgs())
	}
	b.put(t, "Gemfile.lock", "PATH\n  remote: .\n")
	if _, err := b.buildAs(t, "ruby31"); err != nil {
		t.Fatal(err)
	}
	b.put(t, "config.ru", "run 3\n")
	if _, err := b.buildAs(t, "ruby31"); err != nil || !strings.Contains(b.stepArgs(), "bundle install") {
		t.Errorf("a gem in the source: %v, %s", err, b.stepArgs())
	}
}

func TestGemsThatComeInstalled(t *testing.T) {
	b := newBench(t, works)
	b.put(t, "config.ru", "run 1\n")
	b.put(t, "Gemfile", "gem 'rack'\n")
	b.put(t, "Gemfile.lock", "GEM\n")
	b.mkdir(t, "vendor/bundle/ruby/3.3.0")
	if _, err := b.buildAs(t, "ruby31"); err == nil || !strings.Contains(err.Error(), "another Ruby than 3.1.2") {
		t.Errorf("gems for another Ruby: %v", err)
	}
	b.mkdir(t, "vendor/bundle/ruby/3.1.0")
	if _, err := b.buildAs(t, "ruby31"); err != nil || strings.Contains(b.stepArgs(), "bundle install") {
		t.Errorf("gems for this Ruby: %v, %s", err, b.stepArgs())
	}
}

func TestGemsThatFail(t *testing.T) {
	for out, want := range map[string]string{
		"Could not find gem 'nope' in locally installed gems.\n":                        "gem `nope` is not to be had: check Gemfile",
		"Could not find rack-2.2.9 in locally installed gems\n":                         "gem `rack` is not to be had",
		"Could not fetch specs from https://x/ due to underlying error <SocketError>\n": "the gem server cannot be reached from here: run bundle cache",
		"An error occurred while installing pg (1.5.4), and Bundler cannot continue.\n": "gem `pg` could not be installed: native code",
		"The lockfile can't be updated: error in Gemfile\n":                             "installing dependencies with bundler failed: The lockfile",
	} {
		b := newBench(t, func(_ context.Context, _ sandbox.Spec, w io.Writer) sandbox.Exit {
			io.WriteString(w, out)
			return sandbox.Exit{Code: 7}
		})
		b.put(t, "config.ru", "run 1\n")
		b.put(t, "Gemfile", "gem 'rack'\n")
		b.put(t, "Gemfile.lock", "GEM\n")
		_, err := b.buildAs(t, "ruby31")
		var e *build.Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Err.Message, want) {
			t.Errorf("%q: %v", out, err)
		}
	}
}
