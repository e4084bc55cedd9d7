// Command vendored answers with a package of its vendor folder, and reads a
// file of its source as it runs.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/greet"
)

func main() {
	if _, err := os.ReadFile("app.yaml"); err != nil {
		log.Fatal(err)
	}
	if greet.Whom != "vendored" {
		log.Fatal("another package greet")
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Hello World!") })
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
