//go:build e2e

package e2e

const goGreet = `package hello

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

// Function greets.
func Function(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/crash" {
		panic("told to")
	}
	greeting, err := os.ReadFile("serverless_function_source_code/greeting.txt")
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	name := r.URL.Query().Get("name")
	var body struct{ Name string }
	if json.NewDecoder(r.Body).Decode(&body) == nil {
		name = body.Name
	}
	if name == "" {
		name = "World"
	}
	fmt.Fprintf(w, "%s %s! %s", greeting, name, r.URL.Path)
}
`

const goEvent = `package hello

import (
	"context"
	"fmt"

	"github.com/cloudevents/sdk-go/v2/event"
)

// OnEvent prints an event.
func OnEvent(ctx context.Context, e event.Event) error {
	var data struct {
		Name    string
		Message struct{ Data string }
	}
	if err := e.DataAs(&data); err != nil {
		return err
	}
	fmt.Println("event", e.ID(), data.Name+data.Message.Data)
	return nil
}
`

const goDeclared = `package hello

import "github.com/GoogleCloudPlatform/functions-framework-go/functions"

func init() {
	functions.HTTP("greet-all", Function)
	functions.CloudEvent("events", OnEvent)
}
`

var goFunctions = []languageFunction{
	{name: "go-plain", runtime: "go121", needs: "go", http: "Function", event: "OnEvent", open: true,
		files:  map[string]string{"go.mod": "module example.com/hello\n\ngo 1.21\n", "hello.go": goGreet, "event.go": goEvent, "greeting.txt": "Hello"},
		broken: map[string]string{"event.go": "package hello\n\nfunc OnEvent( {\n"},
		found:  "function nope is not in package hello; found: OnEvent, Function",
		says:   "event.go:3:15: syntax error"},
	{name: "go-declared", runtime: "go121", needs: "go", http: "greet-all", event: "events", open: true,
		files: map[string]string{
			"go.mod":   "module example.com/hello\n\ngo 1.21\n\nrequire github.com/GoogleCloudPlatform/functions-framework-go v1.9.2\n",
			"hello.go": goGreet, "event.go": goEvent, "init.go": goDeclared, "greeting.txt": "Hello"},
		broken: map[string]string{"vendor/modules.txt": ""},
		found:  "found: OnEvent, Function, greet-all, events",
		says:   "the vendor folder does not have github.com/GoogleCloudPlatform/functions-framework-go/funcframework"},
}
