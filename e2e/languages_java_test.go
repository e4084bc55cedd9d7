//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

var javaApps = []languageApp{
	{name: "java-smallest", dir: "../examples/hello-java", needs: "mvn", main: "src/main/java/Hello.java"},
	{name: "java-contract", dir: "testdata/java/contract", needs: "mvn", main: "src/main/java/Contract.java", contract: true,
		env: map[string]string{"JAVA_HOME": "/layers/java"}},
	{name: "java-javalin", dir: "testdata/java/javalin", needs: "mvn", main: "src/main/java/Web.java"},
}

// TestReadyJar deploys what somebody has built elsewhere: nothing is built
// here. Two such jars are one too many.
func TestReadyJar(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"javac", "jar"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIP: no %s on this machine", program)
		}
	}
	classes, dir := t.TempDir(), platform.Files(t, map[string]string{"app.yaml": "runtime: java17\n"})
	for _, args := range [][]string{
		{"javac", "-d", classes, "--release", "17", "../examples/hello-java/src/main/java/Hello.java"},
		{"jar", "--create", "--file", filepath.Join(dir, "a.jar"), "--main-class", "Hello", "-C", classes, "."},
		{"jar", "--create", "--file", filepath.Join(dir, "b.jar"), "--main-class", "Hello", "-C", classes, "."},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	s := platform.Start(t)
	r := s.CLI("app", "deploy", dir)
	if r.Code == 0 || !strings.Contains(r.Stderr, "2 jars with a Main-Class (a.jar, b.jar): write in app.yaml which one serves") {
		t.Errorf("two jars: %d\n%s", r.Code, r.Stderr)
	}
	yaml := "runtime: java17\nentrypoint: java -jar b.jar\n"
	if err := os.WriteFile(filepath.Join(dir, "app.yaml"), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	host := s.Deploy(dir)
	if got := strings.TrimSpace(s.Get(host, "/")); got != greeting {
		t.Errorf("body = %q", got)
	}
}
