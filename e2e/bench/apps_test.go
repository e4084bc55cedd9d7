//go:build e2e

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

const (
	flaskMain = "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.route('/')\ndef hello():\n    return 'Hello World!'\n"
	// flaskNeeds has gunicorn, which an instance is then served by, as the bare
	// program is.
	flaskNeeds = "Flask\ngunicorn\n"
)

// flask is the source of a Python program; yaml is added to its app.yaml.
func flask(tb testing.TB, yaml string) string {
	return platform.Files(tb, map[string]string{
		"app.yaml": "runtime: python311\n" + yaml, "main.py": flaskMain, "requirements.txt": flaskNeeds,
	})
}

const goMain = `package main

import (
	"net/http"
	"os"
)

var body = []byte("Hello World!\n")

func main() {
	http.ListenAndServe(":"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(body) }))
}
`

// goProgram is a Go program that says hello, built once a run.
func goProgram(tb testing.TB) string {
	tb.Helper()
	return goBuild(tb, "hello", platform.Files(tb, map[string]string{"go.mod": "module hello\n\ngo 1.26\n", "main.go": goMain}))
}

// goApp is a service that is this program, already built: yaml is added to its
// app.yaml.
func goApp(tb testing.TB, yaml string) string {
	tb.Helper()
	dir := platform.Files(tb, map[string]string{"app.yaml": "runtime: python311\nentrypoint: ./hello\n" + yaml})
	run(tb, dir, "cp", goProgram(tb), filepath.Join(dir, "hello"))
	return dir
}

// service is a copy of an app as a service of its own.
func service(tb testing.TB, dir, name string) string {
	tb.Helper()
	mine := tb.TempDir()
	if err := os.CopyFS(mine, os.DirFS(dir)); err != nil {
		tb.Fatal(err)
	}
	yaml := filepath.Join(mine, "app.yaml")
	text, err := os.ReadFile(yaml)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(yaml, append(text, "service: "+name+"\n"...), 0o644); err != nil {
		tb.Fatal(err)
	}
	return mine
}

// scaledToZero waits until no instance of the server is left.
func scaledToZero(s *platform.Server) {
	s.Eventually(3*time.Minute, "scaled to zero", func() error {
		if is := s.Instances(); len(is) > 0 {
			return fmt.Errorf("%d instances, the first %v", len(is), is[0])
		}
		return nil
	})
}

// allFrozen waits until n instances are there, all frozen.
func allFrozen(s *platform.Server, n int) {
	s.Eventually(60*time.Second, "all instances frozen", func() error {
		is := s.Instances()
		if len(is) != n {
			return fmt.Errorf("%d instances of %d", len(is), n)
		}
		for _, i := range is {
			if i.State != "frozen" {
				return fmt.Errorf("%v", i)
			}
		}
		return nil
	})
}

// address is where the server listens, HOST:PORT.
func address(s *platform.Server) string { return "127.0.0.1:" + s.Port }
