package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// FunctionRuntimes implements FunctionLanguage: all but go111 and go112, whose functions
// knew no modules.
func (Go) FunctionRuntimes() []string { return gos.known(func(n int) bool { return n > 12 }) }

// goFrameworkVersion is what a go.mod gets that does not name the framework.
const goFrameworkVersion = "v1.9.2"

// functionSource is where the files of a function in Go are at run time, as at
// Google: the program's folder is the one above.
const functionSource = "serverless_function_source_code"

// moveFunction brings the copied source of a function to its place.
func moveFunction(_ context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("move source: %w", err)
	}
	to, err := os.MkdirTemp(dir, ".function-")
	if err != nil {
		return fmt.Errorf("move source: %w", err)
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(dir, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return fmt.Errorf("move source: %w", err)
		}
	}
	if err := os.Chmod(to, 0o755); err != nil {
		return fmt.Errorf("move source: %w", err)
	}
	return os.Rename(to, filepath.Join(dir, functionSource))
}

// plainMain serves a function that the source exports; its type decides how it
// is called.
const plainMain = `package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	function %s
)

func register(ctx context.Context, fn interface{}) error {
	switch fn := fn.(type) {
	case func(http.ResponseWriter, *http.Request):
		return funcframework.RegisterHTTPFunctionContext(ctx, "/", fn)
	case func(context.Context, cloudevents.Event) error:
		return funcframework.RegisterCloudEventFunctionContext(ctx, "/", fn)
	}
	return funcframework.RegisterEventFunctionContext(ctx, "/", fn)
}

func main() {
	if err := register(context.Background(), function.%s); err != nil {
		log.Fatalf("%s cannot be served: %%v", err)
	}
	if err := funcframework.Start(os.Getenv("PORT")); err != nil {
		log.Fatal(err)
	}
}
`

// declaredMain serves a function that the source has registered by itself.
const declaredMain = `package main

import (
	"log"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	_ %s
)

func main() {
	if err := funcframework.Start(os.Getenv("PORT")); err != nil {
		log.Fatal(err)
	}
}
`

// functionMain is the program around a function; nothing where the source is a
// program itself.
func (b *goBuild) functionMain() string {
	f := b.plan.Function
	switch {
	case f == nil:
		return ""
	case f.Declared:
		return fmt.Sprintf(declaredMain, strconv.Quote(f.Import))
	}
	return fmt.Sprintf(plainMain, strconv.Quote(f.Import), f.Target, f.Target)
}

// writeMain puts the program into the source.
func (b *goBuild) writeMain() error {
	if b.plan.Function == nil {
		return nil
	}
	root, err := os.OpenRoot(b.Dir)
	if err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	defer root.Close()
	err = errors.Join(root.RemoveAll(detect.GoMainDir), root.MkdirAll(detect.GoMainDir, 0o755))
	if err == nil {
		err = root.WriteFile(detect.GoMainDir+"/main.go", []byte(b.functionMain()), 0o644)
	}
	if err != nil {
		return failed(nil, "the source has something in the way of the folder %s, where the build puts its program: rename it", detect.GoMainDir)
	}
	return nil
}

func (b *goBuild) functionEnv() []sunya.EnvVar {
	if b.plan.Function == nil {
		return nil
	}
	return functionEnv(b.Spec.Function, b.plan.Function.Target, b.plan.Function.Signature)
}
