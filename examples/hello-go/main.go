// Command hello answers every request.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", hello)
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}

func hello(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "Hello World!")
}
