package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Java builds java11 to java25 as Google's buildpacks do: Maven, Gradle or a
// jar that is ready, and java -jar for the only jar with a Main-Class.
type Java struct{}

var _ FunctionLanguage = Java{}

// javas is every Java since 11; Google has ids for 11, 17, 21 and 25.
var javas = family{
	language: "java", title: "Java",
	oldest: detect.Version{Major: 11, Minor: -1, Patch: -1}, newest: detect.Version{Major: 25, Minor: -1, Patch: -1},
	pins:   []string{"GOOGLE_JAVA_VERSION", "GOOGLE_RUNTIME_VERSION"},
	usable: func(r Runtime) bool { return r.Has("javac") },
	need:   "JDK 11 or newer", install: "Debian: apt install default-jdk-headless maven",
}

// Name implements Language.
func (Java) Name() string { return javas.language }

// Runtimes implements Language.
func (Java) Runtimes(m Machine) string { return javas.runtimes(m) }

// Check implements Language.
func (Java) Check(m Machine, spec sunya.BuildSpec) error { return javas.check(m, spec) }

// javaBuild is one build of a Java program.
type javaBuild struct {
	*Job
	plan *detect.JavaPlan
	rt   Runtime

	function *detect.JavaFunction // once it is built; nil: a program
}

// Build implements Language.
func (Java) Build(ctx context.Context, j *Job) (*Result, error) {
	b := &javaBuild{Job: j}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	tool, err := b.builder()
	if err != nil {
		return nil, err
	}
	app, err := b.source(ctx, tool)
	if err != nil {
		return nil, err
	}
	home, err := b.home(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := b.layers.Path(app.Digest)
	if err != nil {
		return nil, fmt.Errorf("find layer: %w", err)
	}
	command, err := b.command(dir)
	if err != nil {
		return nil, err
	}
	framework, err := b.framework(ctx)
	if err != nil {
		return nil, err
	}
	return &Result{Image: javas.image(b.rt, append(framework, home, app)...), Command: command, Env: append(javaEnv(), b.functionEnv()...), Dir: Workspace}, nil
}

// source is the layer of the source and of what the tool makes of it. One
// without a program to start is not kept.
func (b *javaBuild) source(ctx context.Context, tool *javaTool) (sunya.Layer, error) {
	clear, err := b.clears()
	if err != nil {
		return sunya.Layer{}, err
	}
	parts := []any{"java 1", b.rt.Fingerprint, tool, b.plan.Command == nil, clear, b.cacheEnv()}
	if tool == nil {
		return b.application(ctx, parts, "taken", func(_ context.Context, dir string) error {
			_, err := b.command(dir)
			return err
		})
	}
	return b.application(ctx, parts, "built with "+tool.title, func(ctx context.Context, dir string) error {
		if err := b.prepared(dir, func() error { return b.run(ctx, tool, dir) }); err != nil {
			return err
		}
		if clear {
			if err := clearSource(dir, "target", "build"); err != nil {
				return err
			}
		}
		if b.plan.Function { // another target will find it here
			return nil
		}
		_, err := b.command(dir)
		return err
	})
}

// prepare reads the source and chooses the Java; it runs nothing.
func (b *javaBuild) prepare() error {
	w, err := javas.parse(b.Machine, b.Spec)
	if err != nil {
		return err
	}
	if b.plan, err = planOf(b.Job, detect.Java); err != nil {
		return err
	}
	b.rt, err = b.use(javas, w, detect.Range{})
	return err
}

// command is the user's, else java -jar of the executable jar below dir.
func (b *javaBuild) command(dir string) ([]string, error) {
	if b.plan.Command != nil {
		return b.plan.Command, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	defer root.Close()
	if b.plan.Function {
		return b.functionCommand(root.FS())
	}
	jar, err := b.plan.ExecutableJar(root.FS())
	if err != nil {
		return nil, asFailed(err)
	}
	return []string{javaHome + "/bin/java", "-jar", Workspace + "/" + jar}, nil
}

// run builds in dir, which is Workspace in the sandbox.
func (b *javaBuild) run(ctx context.Context, tool *javaTool, dir string) error {
	b.Printf("Building with %s", tool.title)
	err := b.Run(ctx, Step{
		Name:   "Building with " + tool.title,
		Args:   tool.Args,
		Env:    b.Env(tool.env),
		Dir:    Workspace,
		Mounts: b.Mounts(b.rt, append(tool.mounts, sandbox.Mount{Source: dir, Target: Workspace, Writable: true}, b.Cache())...),
	})
	var step *errStep
	if errors.As(err, &step) && !step.exit.OOMKilled {
		return failed(b.Last(), "%s", javaCause(b.Telling(), tool.title))
	}
	return err
}

// jdk is the home of the chosen Java.
func (b *javaBuild) jdk() string { return filepath.Dir(filepath.Dir(b.rt.Path)) }
