package detect

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

// jar makes one with a manifest; none where manifest is empty.
func jar(t testing.TB, manifest string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range map[string]string{"Main.class": "\xca\xfe\xba\xbe", "META-INF/MANIFEST.MF": manifest} {
		if text == "" {
			continue
		}
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const runnable = "Manifest-Version: 1.0\r\nMain-Class: com.example.Main\r\n\r\n"

func TestJavaPlan(t *testing.T) {
	tests := []struct {
		rule string
		fsys fstest.MapFS
		env  map[string]string
		want JavaPlan
	}{
		{"Maven", files("pom.xml", ""), nil, JavaPlan{Tool: Maven, POM: "pom.xml"}},
		{"Maven's wrapper", files("pom.xml", "", "mvnw", ""), nil, JavaPlan{Tool: Maven, POM: "pom.xml", Wrapper: "mvnw"}},
		{"Maven's extensions", files(".mvn/extensions.xml", ""), nil, JavaPlan{Tool: Maven}},
		{"a module", files("pom.xml", "", "web/pom.xml", ""), map[string]string{"GOOGLE_BUILDABLE": "./web"}, JavaPlan{Tool: Maven, POM: "web/pom.xml", Module: "web"}},
		{"Maven before Gradle", files("pom.xml", "", "build.gradle", "", "gradlew", ""), nil, JavaPlan{Tool: Maven, POM: "pom.xml"}},
		{"Gradle", files("build.gradle.kts", "", "gradlew", ""), nil, JavaPlan{Tool: Gradle, Wrapper: "gradlew"}},
		{"Gradle's settings", files("settings.gradle", ""), nil, JavaPlan{Tool: Gradle}},
		{"nothing to build", files("app.jar", ""), nil, JavaPlan{}},
		{"the user's line", files("Procfile", "web: java -jar x.jar"), nil, JavaPlan{Command: []string{"/bin/bash", "-c", "exec java -jar x.jar"}}},
	}
	for _, tt := range tests {
		p, err := Java(tt.fsys, sunya.BuildSpec{Env: tt.env})
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		if diff := cmp.Diff(&tt.want, p); diff != "" {
			t.Errorf("%s: %s", tt.rule, diff)
		}
	}
}

func TestExecutableJar(t *testing.T) {
	run, lib := jar(t, runnable), jar(t, "Manifest-Version: 1.0\n")
	tests := []struct {
		rule string
		plan JavaPlan
		fsys fstest.MapFS
		want string // the jar, or what the error says
	}{
		{"Maven's", JavaPlan{Tool: Maven}, files("target/app.jar", run, "target/dep.jar", lib, "other.jar", run), "target/app.jar"},
		{"Gradle's", JavaPlan{Tool: Gradle}, files("build/libs/app.jar", run, "build/libs/app-plain.jar", lib), "build/libs/app.jar"},
		{"of a Gradle module", JavaPlan{Tool: Gradle}, files("web/build/libs/app.jar", run), "web/build/libs/app.jar"},
		{"of a Maven module", JavaPlan{Tool: Maven, Module: "web"}, files("web/target/app.jar", run, "target/app.jar", run), "web/target/app.jar"},
		{"ready", JavaPlan{}, files("app.jar", run), "app.jar"},
		{"not the sources, nor the documentation", JavaPlan{}, files("a.jar", run, "a-sources.jar", run, "a-javadoc.jar", run), "a.jar"},
		{"not what is no jar", JavaPlan{}, files("a.jar", run, "b.jar", "PK but no"), "a.jar"},
		{"several", JavaPlan{Tool: Maven}, files("target/a.jar", run, "target/b.jar", run), "2 jars with a Main-Class (target/a.jar, target/b.jar): write in app.yaml which one serves, for example entrypoint: java -jar target/a.jar"},
		{"none", JavaPlan{Tool: Maven}, files("target/a.jar", lib), "Maven built no jar with a Main-Class"},
		{"a war", JavaPlan{Tool: Maven}, files("target/a.war", run), "target/a.war needs a servlet container"},
		{"nothing", JavaPlan{}, files("README", ""), "neither pom.xml, build.gradle nor a jar"},
	}
	for _, tt := range tests {
		got, err := tt.plan.ExecutableJar(tt.fsys)
		var e *sunya.Error
		if errors.As(err, &e) {
			got = e.Message
		}
		if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
			t.Errorf("%s: %q, want %q", tt.rule, got, tt.want)
		}
	}
}

func TestJavaRefuses(t *testing.T) {
	_, err := Java(files("WEB-INF/appengine-web.xml", "", "app.yaml", ""), sunya.BuildSpec{})
	if sunya.CodeOf(err) != sunya.Unimplemented || !strings.Contains(err.Error(), "deploy an executable jar") {
		t.Errorf("bundled Jetty: %v", err)
	}
	for _, v := range []string{"../x", "/x", "none"} {
		_, err := Java(files("pom.xml", ""), sunya.BuildSpec{Env: map[string]string{"GOOGLE_BUILDABLE": v}})
		if err == nil || !strings.Contains(err.Error(), "is not a folder of the source") {
			t.Errorf("GOOGLE_BUILDABLE=%s: %v", v, err)
		}
	}
}

// TestHostileJar: a jar's directory is only read so far, and a pipe not at all.
func TestHostileJar(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	name := strings.Repeat("x", 60000)
	for range 300 {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	f, err := w.Create("META-INF/MANIFEST.MF")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(runnable)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := MainClass(files("a.jar", b.String()), "a.jar"); got != "" {
		t.Errorf("a directory of %d bytes was read: %q", b.Len()/2, got)
	}
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "a.jar"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := MainClass(os.DirFS(dir), "a.jar"); got != "" {
		t.Errorf("a pipe: %q", got)
	}
}

func FuzzMainClass(f *testing.F) {
	f.Add([]byte(jar(f, runnable)))
	f.Add([]byte(jar(f, "Main-Class:\n com.example.Main\n")))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := MainClass(files("a.jar", string(data)), "a.jar")
		if strings.ContainsAny(got, " \t\r\n") {
			t.Errorf("Main-Class %q", got)
		}
	})
}
