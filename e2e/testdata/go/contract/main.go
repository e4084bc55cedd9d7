// Command contract answers what the contract of languages asks. It has no
// go.mod, as old apps do.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	go func() {
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM)
		<-told
		fmt.Println("SIGTERM received")
		os.Exit(0)
	}()
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Hello World!") })
	http.HandleFunc("/env", env)
	http.HandleFunc("/disk", disk)
	fmt.Println(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}

func env(w http.ResponseWriter, _ *http.Request) {
	all := map[string]string{}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		all[name] = value
	}
	json.NewEncoder(w).Encode(all)
}

func disk(w http.ResponseWriter, _ *http.Request) {
	json.NewEncoder(w).Encode(map[string]string{"app": write("x"), "tmp": write("/tmp/x")})
}

func write(path string) string {
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		return err.Error()
	}
	return "written"
}
