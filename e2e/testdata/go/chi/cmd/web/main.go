// Command web answers with chi.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/go-chi/chi/v5"
)

// text is what changes; the entrypoint is told by its flag.
const text = "Hello World!"

func main() {
	greeting := flag.String("greeting", "", "what the entrypoint of app.yaml says")
	flag.Parse()
	r := chi.NewRouter()
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		if !strings.HasPrefix(*greeting, "Hello") {
			http.Error(w, "not started by the entrypoint", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, text)
	})
	fmt.Println(http.ListenAndServe(":"+os.Getenv("PORT"), r))
}
