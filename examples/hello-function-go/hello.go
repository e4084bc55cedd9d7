// Package hello is a function.
package hello

import (
	"fmt"
	"net/http"
)

// Hello greets the world.
func Hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "Hello World!")
}
