package build_test

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// newJavaBench has a JDK whose home really exists, and Maven.
func newJavaBench(t *testing.T, play player) (b *bench, home string) {
	t.Helper()
	home = filepath.Join(t.TempDir(), "jdk")
	for _, name := range []string{"bin/java", "bin/javac", "lib/modules"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, name), []byte("x"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return newMachineBench(t, play,
		build.Runtime{Language: "java", Version: "17.0.15", Path: home + "/bin/java", Prefixes: []string{home}, Fingerprint: "f17", Modules: []string{"javac"}},
		build.Runtime{Language: "java", Version: "21.0.3", Path: "/opt/jre/bin/java", Fingerprint: "f21"}, // no compiler
		build.Runtime{Language: "maven", Path: "/opt/maven/bin/mvn", Prefixes: []string{"/opt/maven", "/etc/maven"}},
	), home
}

// putJar writes an executable jar.
func putJar(path string) {
	os.MkdirAll(filepath.Dir(path), 0o755)
	f, err := os.Create(path)
	if err != nil {
		return
	}
	defer f.Close()
	w := zip.NewWriter(f)
	defer w.Close()
	m, _ := w.Create("META-INF/MANIFEST.MF")
	io.WriteString(m, "Main-Class: Main\n")
}

// mavenWorks leaves jars where Maven does.
func mavenWorks(jars ...string) player {
	return func(_ context.Context, s sandbox.Spec, _ io.Writer) sandbox.Exit {
		for _, m := range s.Mounts {
			if m.Target == "/workspace" {
				for _, j := range jars {
					putJar(filepath.Join(m.Source, j))
				}
			}
		}
		return sandbox.Exit{}
	}
}

func java17(r *build.Request) { r.Spec.Runtime = "java17" }

func TestJavaImage(t *testing.T) {
	b, home := newJavaBench(t, mavenWorks("target/app.jar"))
	b.put(t, "pom.xml", "<project/>")
	res, err := b.build(t, java17)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(res.Command, []string{"/layers/java/bin/java", "-jar", "/workspace/target/app.jar"}) {
		t.Errorf("command %q", res.Command)
	}
	if res.Image.Runtime != "Java 17.0.15" || res.Image.Fingerprint != "f17" || !slices.Equal(res.Image.HostPaths, []string{home}) {
		t.Errorf("%+v", res.Image)
	}
	if !slices.Contains(res.Env, sunya.EnvVar{Name: "SUNYA_MEMORY_MB", Field: sunya.FieldMemoryMB}) {
		t.Errorf("env %v", res.Env)
	}
	step := b.engine.starts[0]
	if want := "/opt/maven/bin/mvn clean package --batch-mode -DskipTests"; !strings.HasPrefix(strings.Join(step.Args, " "), want) {
		t.Errorf("args %q", step.Args)
	}
	for _, target := range []string{"/opt/maven", "/etc/maven", home, "/cache"} {
		if !slices.ContainsFunc(step.Mounts, func(m sandbox.Mount) bool { return m.Target == target }) {
			t.Errorf("Maven does not see %s", target)
		}
	}
	if _, err := b.build(t, java17); err != nil || len(b.engine.starts) > 0 {
		t.Errorf("unchanged source ran %d steps: %v", len(b.engine.starts), err)
	}
}

func TestJavaHome(t *testing.T) {
	b, home := newJavaBench(t, mavenWorks())
	putJar(filepath.Join(b.src, "app.jar"))
	res, err := b.build(t, java17)
	if err != nil || len(b.engine.starts) > 0 {
		t.Fatalf("a ready jar ran %d steps: %v", len(b.engine.starts), err)
	}
	found, err := filepath.Glob(filepath.Join(b.data, "layers", "sha256", "*", "bin", "java"))
	if err != nil || len(found) != 1 || len(res.Image.Layers) != 2 {
		t.Fatalf("java homes %v: %v", found, err)
	}
	layer := filepath.Dir(filepath.Dir(found[0]))
	script, err := os.ReadFile(filepath.Join(layer, "bin/java"))
	if err != nil || !strings.Contains(string(script), "exec "+home+"/bin/java ${SUNYA_MEMORY_MB:+-XX:MaxRAM=${SUNYA_MEMORY_MB}m} $gc \"$@\"") {
		t.Errorf("%v\n%s", err, script)
	}
	for link, want := range map[string]string{"bin/javac": home + "/bin/javac", "lib": home + "/lib"} {
		if got, err := os.Readlink(filepath.Join(layer, link)); err != nil || got != want {
			t.Errorf("%s -> %s: %v", link, got, err)
		}
	}
}

func TestJavaTools(t *testing.T) {
	tests := []struct {
		rule  string
		files map[string]string
		env   map[string]string
		want  string // in the arguments, or in the error
	}{
		{"Google's arguments", map[string]string{"pom.xml": ""}, map[string]string{"GOOGLE_BUILD_ARGS": "-Pprod"}, "-Dhttp.keepAlive=false -Pprod --quiet"},
		{"own arguments", map[string]string{"pom.xml": ""}, map[string]string{"GOOGLE_MAVEN_BUILD_ARGS": "verify -X"}, "/opt/maven/bin/mvn verify -X --quiet"},
		{"Maven's wrapper", map[string]string{"pom.xml": "", "mvnw": "#!/bin/sh\r\n"}, nil, "exec bash ./mvnw"},
		{"Gradle's wrapper", map[string]string{"build.gradle": "", "gradlew": "#!/bin/sh\n"}, nil, `exec bash ./gradlew "$@" sh clean assemble -x test`},
		{"no Gradle", map[string]string{"build.gradle": ""}, nil, "the source is built with Gradle, which this machine does not have: install it"},
	}
	for _, tt := range tests {
		b, _ := newJavaBench(t, mavenWorks("target/a.jar"))
		for name, text := range tt.files {
			b.put(t, name, text)
		}
		_, err := b.build(t, func(r *build.Request) { r.Spec = sunya.BuildSpec{Runtime: "java17", Env: tt.env} })
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = strings.Join(b.engine.starts[0].Args, " ")
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %q", tt.rule, got, tt.want)
		}
	}
}

func TestJavaFailures(t *testing.T) {
	tests := []struct{ rule, output, want string }{
		{"Maven's compiler", "[ERROR] COMPILATION ERROR : \n[ERROR] /workspace/src/main/java/Hello.java:[11,65] cannot find symbol\n  symbol:   variable portt\n  location: class Hello\n",
			"the program does not compile: src/main/java/Hello.java:11: cannot find symbol: variable portt"},
		{"Gradle's compiler", "/workspace/src/main/java/Hello.java:11: error: ';' expected\n    x\n     ^\n1 error\n", "the program does not compile: src/main/java/Hello.java:11: ';' expected"},
		{"Kotlin", "e: file:///workspace/src/main/kotlin/A.kt:3:5 Unresolved reference: foo\n", "src/main/kotlin/A.kt:3: Unresolved reference: foo"},
		{"a newer language", "[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.1:compile (default-compile) on project x: Fatal error compiling: error: release version 21 not supported -> [Help 1]\n", "Maven failed: release version 21 not supported"},
		{"missing artifact", "[ERROR] Failed to execute goal on project x: Could not resolve dependencies for project a:x:jar:1: Could not find artifact no.such:thing:jar:1 in central (https://r/m) -> [Help 1]\n", "Maven failed: Could not find artifact no.such:thing:jar:1 in central (https://r/m)"},
		{"broken pom", "[ERROR]   The project  (/workspace/pom.xml) has 1 error\n[ERROR]     Non-parseable POM /workspace/pom.xml: end tag name </x> must match start tag name <y> (position: TEXT seen ...</x>... @3:5) \n", "Maven failed: pom.xml: end tag name"},
		{"no network", "[ERROR] Plugin x:1 or one of its dependencies could not be resolved: Failed to read artifact descriptor: Could not transfer artifact x from/to central (https://r/m): r: Name or service not known: Unknown host r -> [Help 1]\n", "Maven could not fetch what it needs: Plugin x:1"},
		{"no network for a wrapper", "curl: (6) Could not resolve host: repo.example\n", "Maven could not fetch what it needs: curl: (6) Could not resolve host: repo.example"},
		{"no Gradle for the wrapper", "Downloading https://services.gradle.org/distributions/gradle-8.10-bin.zip\n\nException in thread \"main\" java.net.UnknownHostException: services.gradle.org\n\tat x.Y.z(Y.java:1)\n\tat org.gradle.wrapper.Download.downloadInternal(Download.java:66)\n",
			"the source's wrapper could not fetch Gradle (Exception in thread \"main\" java.net.UnknownHostException: services.gradle.org): name a distribution"},
		{"silence", "", "Maven failed: see the build log"},
	}
	for _, tt := range tests {
		b, _ := newJavaBench(t, func(_ context.Context, _ sandbox.Spec, out io.Writer) sandbox.Exit {
			io.WriteString(out, "\x1b[0m\x1b[0m\n\x1b[0m"+tt.output)
			return sandbox.Exit{Code: 1}
		})
		b.put(t, "pom.xml", "")
		_, err := b.build(t, java17)
		var e *build.Error
		if !errors.As(err, &e) || !strings.Contains(e.Err.Message, tt.want) || strings.Contains(b.log.String(), "\x1b") {
			t.Errorf("%s: %v, want %q\n%q", tt.rule, err, tt.want, b.log.String())
		}
	}
	b, _ := newJavaBench(t, mavenWorks("target/a.jar", "target/b.jar"))
	b.put(t, "pom.xml", "")
	if _, err := b.build(t, java17); err == nil || !strings.Contains(err.Error(), "2 jars with a Main-Class (target/a.jar, target/b.jar)") {
		t.Errorf("several jars: %v", err)
	}
}

func TestClearSource(t *testing.T) {
	b, _ := newJavaBench(t, mavenWorks("target/app.jar"))
	b.put(t, "pom.xml", "")
	clear := func(value string) func(*build.Request) {
		return func(r *build.Request) {
			r.Spec = sunya.BuildSpec{Runtime: "java17", Env: map[string]string{"GOOGLE_CLEAR_SOURCE": value}}
		}
	}
	left := func() string {
		found, err := filepath.Glob(filepath.Join(b.data, "layers", "sha256", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(found, " ")
	}
	if _, err := b.build(t, clear("true")); err != nil || strings.Contains(left(), "pom.xml") || !strings.Contains(left(), "target") {
		t.Errorf("%v: left %s", err, left())
	}
	if _, err := b.build(t, clear("0")); err != nil || !strings.Contains(left(), "pom.xml") {
		t.Errorf("%v: left %s", err, left())
	}
	if _, err := b.build(t, clear("perhaps")); err == nil || !strings.Contains(err.Error(), "neither true nor false") {
		t.Error(err)
	}
}
