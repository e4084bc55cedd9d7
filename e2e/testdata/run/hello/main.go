// Hello says what it was started with. MODE=silent makes it never listen,
// MODE=crash end at once.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	switch os.Getenv("MODE") {
	case "silent":
		log.Print("this program never listens")
		select {}
	case "crash":
		log.Fatal("this program ends at once")
	}
	env := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	dir, err := os.Getwd()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(map[string]any{"env": env, "args": os.Args[1:], "dir": dir, "uid": os.Getuid()}); err != nil {
			log.Print(err)
		}
	})
	http.HandleFunc("/revision", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write([]byte(os.Getenv("K_REVISION"))); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
