package front

import (
	"io"
	"net/http"
)

// What the hosts say whose part of Sunya is not in this version.
const (
	noConsole = "The console is not in this version of Sunya.\n"
)

// notHere is a 404 page with a sentence.
func notHere(w http.ResponseWriter, sentence string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, sentence)
}

// Health answers 200 once ready returns nil, and before that 503 with the
// reason.
func Health(ready func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err := ready(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "not ready: "+err.Error()+"\n")
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
}
