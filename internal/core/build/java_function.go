package build

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// FunctionRuntimes implements FunctionLanguage: the versions with long support.
func (Java) FunctionRuntimes() []string {
	return javas.known(func(n int) bool { return n == 11 || n%4 == 1 && n >= 17 })
}

// The functions framework of Java, and where it is mounted.
const (
	javaInvoker    = "com.google.cloud.functions.invoker:java-function-invoker:1.4.3"
	invokerDir     = LayersDir + "/functions-framework"
	invokerJar     = invokerDir + "/java-function-invoker-1.4.3.jar"
	copyDependency = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
)

// functionCommand finds the function in what was built, and starts the framework
// with it.
func (b *javaBuild) functionCommand(fsys fs.FS) ([]string, error) {
	f, err := b.plan.BuiltFunction(fsys, b.Spec.Function)
	if err != nil {
		return nil, asFailed(err)
	}
	b.function = f
	jar, path := invokerJar, Workspace+"/"+f.Jar
	if f.Invoker != "" {
		jar = Workspace + "/" + f.Invoker
	}
	if dir := b.plan.Libraries(); dir != "" {
		path += ":" + Workspace + "/" + dir + "/*"
	}
	return []string{javaHome + "/bin/java", "-jar", jar, "--classpath", path, "--target", f.Target}, nil
}

// gradleScript is an init script beside the source, gone before it is a layer, and
// gradleTask the task in it, which copies what a function stands on to where
// detect.JavaPlan.Libraries looks. It is written so that every Gradle since 4
// understands it.
const (
	gradleScript = ".sunya-function.gradle"
	gradleTask   = "sunyaFunctionLibraries"
	gradleCopy   = `gradle.rootProject { root ->
  root.afterEvaluate { p ->
    if (p.configurations.findByName('runtimeClasspath') != null) {
      p.tasks.create('` + gradleTask + `', Copy) {
        from p.configurations.runtimeClasspath
        into new File(p.projectDir, 'build/dependency')
      }
    } else {
      p.tasks.create('` + gradleTask + `')
    }
  }
}
`
)

// prepared runs do with the files beside the source that the tool wants for a
// function.
func (b *javaBuild) prepared(dir string, do func() error) error {
	if !b.plan.Function || b.plan.Tool != detect.Gradle {
		return do()
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	defer root.Close()
	if err := root.WriteFile(gradleScript, []byte(gradleCopy), 0o644); err != nil {
		return failed(nil, "the source has something in the way of the file %s, which the build needs: rename it", gradleScript)
	}
	if err := do(); err != nil {
		return err
	}
	if err := root.Remove(gradleScript); err != nil {
		return fmt.Errorf("tidy source: %w", err)
	}
	return nil
}

// functionEnv is what the framework is told. Without a signature it looks at the
// class, which is more than reading can tell.
func (b *javaBuild) functionEnv() []sunya.EnvVar {
	if b.function == nil {
		return nil
	}
	env := []sunya.EnvVar{{Name: "FUNCTION_TARGET", Value: b.function.Target}}
	if s := b.Spec.Function.Signature; s != "" {
		env = append(env, sunya.EnvVar{Name: "FUNCTION_SIGNATURE_TYPE", Value: s})
	}
	return env
}

// framework is the layer of the functions framework, where the source does not
// list it: fetched once for the machine and each Java.
func (b *javaBuild) framework(ctx context.Context) ([]sunya.Layer, error) {
	if b.function == nil || b.function.Invoker != "" {
		return nil, nil
	}
	own := *b
	own.plan = &detect.JavaPlan{} // the machine's Maven, never the source's
	args := []string{copyDependency, "-Dartifact=" + javaInvoker, "-DoutputDirectory=" + invokerDir,
		"--batch-mode", "--quiet", "-Dstyle.color=never", "-Dmaven.repo.local=" + buildMount + "/tmp/repository"}
	if settings := b.client["SUNYA_MAVEN_SETTINGS"]; settings != "" {
		args = append(args, "--settings", settings)
	}
	mvn, err := own.tool("maven", "Maven", "Debian: apt install maven", args)
	if err != nil {
		return nil, failed(nil, "Google's functions framework for Java is fetched with Maven, which this machine does not have: install it (Debian: apt install maven)")
	}
	env := maps.Clone(mvn.env)
	env["MAVEN_OPTS"] = b.jvmFlags()
	l, err := b.toolLayer(ctx, tool{name: "the functions framework for Java", target: invokerDir, rt: b.rt, env: env, with: mvn.mounts,
		script: "exec " + strings.Join(mvn.Args, " ")})
	if isStep(err) {
		return nil, failed(b.Last(), "Google's functions framework for Java cannot be fetched: %s", javaCause(b.Telling(), "Maven"))
	}
	return []sunya.Layer{l}, err
}
