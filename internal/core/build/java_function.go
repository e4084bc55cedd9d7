package build

import (
	"context"
	"io/fs"
	"maps"
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
	if b.plan.Tool == detect.Maven {
		path += ":" + Workspace + "/" + detect.JavaLibraries + "/*"
	}
	return []string{javaHome + "/bin/java", "-jar", jar, "--classpath", path, "--target", f.Target}, nil
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
