//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// library is Google's client libraries in one language, at versions that are
// pinned. They are installed once on a machine.
type library struct {
	name    string
	needs   []string          // programs; the test is skipped where one is missing
	files   map[string]string // what is to be installed: the key of the folder
	install [][]string        // commands, run in the folder
	// command runs a script with the libraries in dir.
	command func(dir, script string) (argv, env []string)
}

const installLimit = 8 * time.Minute

var pythonLibrary = library{
	name:  "python",
	needs: []string{"python3"},
	files: map[string]string{"requirements.txt": `google-cloud-pubsub==2.44.0
google-cloud-storage==3.17.1
boto3==1.44.8
`},
	install: [][]string{
		{"python3", "-m", "venv", "venv"},
		{"venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"},
	},
	command: func(dir, script string) ([]string, []string) {
		return []string{filepath.Join(dir, "venv/bin/python"), script}, nil
	},
}

var nodeLibrary = library{
	name:  "node",
	needs: []string{"node", "npm"},
	files: map[string]string{"package.json": `{
  "private": true,
  "dependencies": {
    "@google-cloud/pubsub": "6.3.0",
    "@google-cloud/storage": "8.4.0"
  }
}
`},
	install: [][]string{{"npm", "install", "--silent", "--no-audit", "--no-fund"}},
	command: func(dir, script string) ([]string, []string) {
		return []string{"node", script}, []string{"NODE_PATH=" + filepath.Join(dir, "node_modules")}
	},
}

var javaLibrary = library{
	name:  "java",
	needs: []string{"mvn", "javac"},
	files: map[string]string{"pom.xml": `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sunya</groupId>
  <artifactId>clients</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencyManagement>
    <dependencies>
      <dependency>
        <groupId>com.google.cloud</groupId>
        <artifactId>libraries-bom</artifactId>
        <version>26.76.0</version>
        <type>pom</type>
        <scope>import</scope>
      </dependency>
    </dependencies>
  </dependencyManagement>
  <dependencies>
    <dependency>
      <groupId>com.google.cloud</groupId>
      <artifactId>google-cloud-storage</artifactId>
    </dependency>
    <dependency>
      <groupId>com.google.cloud</groupId>
      <artifactId>google-cloud-pubsub</artifactId>
    </dependency>
  </dependencies>
</project>
`},
	install: [][]string{{"mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"}},
	command: func(dir, script string) ([]string, []string) {
		return []string{"java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(dir, "lib") + "/*", script}, nil
	},
}

// dir returns the folder with the libraries, which is made where it is missing.
func (l library) dir(t *testing.T) string {
	t.Helper()
	for _, program := range l.needs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIP: no %s on this machine", program)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	key := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		fmt.Fprintln(key, name, l.files[name])
	}
	fmt.Fprintln(key, l.install)
	dir := filepath.Join(cache, "sunya-e2e", fmt.Sprintf("%s-%x", l.name, key.Sum(nil)[:8]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(dir + ".lock") // other processes may want the same
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	complete := filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return dir
	}
	l.fill(t, dir)
	if err := os.WriteFile(complete, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fill installs the libraries in dir, of which only the name may stay.
func (l library) fill(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range l.files {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), installLimit)
	defer cancel()
	for _, argv := range l.install {
		if strings.Contains(argv[0], "/") {
			argv = append([]string{filepath.Join(dir, argv[0])}, argv[1:]...)
		}
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("install clients: %v: %v\n%s", argv, err, platform.Tail(string(out), 4000))
		}
	}
}

// clientEnv is this process's environment without what points clients anywhere,
// with the variables that sunya env prints.
func clientEnv(t *testing.T, s *platform.Server) []string {
	t.Helper()
	vars := map[string]string{}
	if err := json.Unmarshal([]byte(s.OK("env", "--format", "json").Stdout), &vars); err != nil {
		t.Fatalf("sunya env: %v", err)
	}
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		_, ours := vars[name]
		return ours || strings.HasPrefix(name, "CLOUDSDK_") || strings.HasPrefix(name, "GOOGLE_") || strings.HasPrefix(name, "GCE_")
	})
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return env
}

// client prepares a script of testdata/clients/LANGUAGE, which finds the server
// by nothing but the variables of sunya env. more is NAME=VALUE.
func (l library) client(ctx context.Context, t *testing.T, s *platform.Server, script string, more ...string) *exec.Cmd {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata/clients", l.name, script))
	if err != nil {
		t.Fatal(err)
	}
	argv, env := l.command(l.dir(t), path)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(append(clientEnv(t, s), env...), more...)
	return cmd
}

// run runs a script, which exits with 0 if all is well, and returns what it
// printed.
func (l library) run(t *testing.T, s *platform.Server, script string, more ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out, err := l.client(ctx, t, s, script, more...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, platform.Tail(string(out), 6000))
	}
	return string(out)
}
