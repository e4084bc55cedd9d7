// Hello says what it was started with, and does as it is told. MODE=silent makes
// it never listen, MODE=crash end at once; LISTEN is a port besides $PORT.
package main

import (
	"cmp"
	"encoding/json"
	"io"
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
	http.HandleFunc("/", start)
	http.HandleFunc("/revision", func(w http.ResponseWriter, _ *http.Request) { say(w, os.Getenv("K_REVISION"), nil) })
	http.HandleFunc("/get", get)
	http.HandleFunc("/write", write)
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("LISTEN"), os.Getenv("PORT")), nil))
}

// start answers with what the program was started with.
func start(w http.ResponseWriter, _ *http.Request) {
	env := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	dir, err := os.Getwd()
	if err == nil {
		err = json.NewEncoder(w).Encode(map[string]any{"env": env, "args": os.Args[1:], "dir": dir, "uid": os.Getuid()})
	}
	if err != nil {
		log.Print(err)
	}
}

// get answers with what is at the URL or path given.
func get(w http.ResponseWriter, r *http.Request) {
	if path := r.FormValue("path"); path != "" {
		content, err := os.ReadFile(path)
		say(w, string(content), err)
		return
	}
	resp, err := http.Get(r.FormValue("url"))
	if err != nil {
		say(w, "", err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	say(w, string(body), err)
}

// write writes a text into a file.
func write(w http.ResponseWriter, r *http.Request) {
	say(w, "written", os.WriteFile(r.FormValue("path"), []byte(r.FormValue("text")), 0o666))
}

func say(w http.ResponseWriter, text string, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := io.WriteString(w, text); err != nil {
		log.Print(err)
	}
}
