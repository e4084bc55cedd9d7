package build_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// buildAs builds the bench's source for a runtime.
func (b *bench) buildAs(t *testing.T, runtime string) (*build.Result, error) {
	t.Helper()
	return b.build(t, func(r *build.Request) { r.Spec.Runtime = runtime })
}

func (b *bench) stepArgs() string {
	var list []string
	for _, s := range b.engine.starts {
		list = append(list, strings.Join(s.Args, " "))
	}
	return strings.Join(list, "\n")
}

func TestPHPImage(t *testing.T) {
	b := newBench(t, works)
	b.put(t, "index.php", "<?php\n")
	res, err := b.buildAs(t, "php82")
	if err != nil {
		t.Fatal(err)
	}
	img := res.Image
	if img.Runtime != "PHP 8.2.7" || img.Fingerprint != "p82" || len(img.Layers) != 2 || img.Layers[0].Target != "/layers/php" || img.Layers[1].Target != "/workspace" {
		t.Errorf("image %+v", img)
	}
	own := filepath.Join(b.data, "layers", "sha256", strings.TrimPrefix(img.Layers[0].Digest, "sha256:"))
	if link, err := os.Readlink(filepath.Join(own, "bin/php")); err != nil || link != "/usr/bin/php8.2" {
		t.Errorf("link %q, %v", link, err)
	}
	if !strings.Contains(b.stepArgs(), "-l index.php") || !strings.Contains(res.Command[2], "/layers/php/router.php") {
		t.Errorf("steps %s, command %q", b.stepArgs(), res.Command)
	}
	if _, err := b.buildAs(t, "php82"); err != nil || len(b.engine.starts) != 0 {
		t.Errorf("unchanged source ran %d steps, %v", len(b.engine.starts), err)
	}
}

func TestPHPPackages(t *testing.T) {
	b := newBench(t, works)
	b.put(t, "index.php", "<?php\n")
	b.put(t, "composer.json", `{"require": {"a/b": "^1"}}`)
	if _, err := b.buildAs(t, "php82"); err != nil || !strings.Contains(b.stepArgs(), `"$SUNYA_COMPOSER" install --no-dev`) {
		t.Errorf("steps %s, %v", b.stepArgs(), err)
	}
	if err := os.Mkdir(filepath.Join(b.src, "vendor"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.put(t, "vendor/autoload.php", "<?php\n")
	if _, err := b.buildAs(t, "php82"); err != nil || strings.Contains(b.stepArgs(), "COMPOSER") || !strings.Contains(b.log.String(), "vendor folder") {
		t.Errorf("steps %s, %v\n%s", b.stepArgs(), err, b.log.String())
	}
}

func TestSourceThatIsWrong(t *testing.T) {
	tests := []struct {
		rule, runtime, file, content string
		out                          string
		want                         string
	}{
		{"PHP syntax", "php82", "index.php", "<?php\n", "PHP Parse error:  syntax error, unexpected end of file in index.php on line 3\nErrors parsing index.php\n", "index.php:3: syntax error, unexpected end of file"},
		{"Ruby syntax", "ruby31", "config.ru", "x", "config.ru:2: syntax error, unexpected end-of-input (SyntaxError)\n", "config.ru:2: syntax error, unexpected end-of-input"},
		{"Ruby syntax, newer", "ruby31", "config.ru", "x", "ruby: config.ru:2: syntax errors found (SyntaxError)\n", "config.ru:2: syntax errors found"},
		{"composer", "php82", "composer.json", `{"require": {"a/b": "^1"}}`, "Your requirements could not be resolved\n\n  Problem 1\n    - Root composer.json requires a/b: error, it could not be found.\n", "installing dependencies failed: - Root composer.json requires a/b"},
	}
	for _, tt := range tests {
		b := newBench(t, func(_ context.Context, _ sandbox.Spec, out io.Writer) sandbox.Exit {
			io.WriteString(out, tt.out)
			return sandbox.Exit{Code: 1}
		})
		b.put(t, "index.php", "<?php\n")
		b.put(t, tt.file, tt.content)
		_, err := b.buildAs(t, tt.runtime)
		var e *build.Error
		if !errors.As(err, &e) || sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.HasPrefix(e.Err.Message, tt.want) {
			t.Errorf("%s: %v", tt.rule, err)
		}
	}
}
