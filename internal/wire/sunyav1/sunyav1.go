// Package sunyav1 is the small API of Sunya's own: what Google's APIs have no
// place for, as plain JSON over HTTP.
package sunyav1

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/health"
	"github.com/sunya-cloud/sunya/internal/core/meter"
	"github.com/sunya-cloud/sunya/internal/core/metrics"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// Status is the answer of GET /sunya/v1/status.
type Status struct {
	Version   string     `json:"version"`
	StartTime time.Time  `json:"startTime"`
	Level     string     `json:"level"`   // isolation: full, user, none
	Facts     []string   `json:"facts"`   // how it is isolated
	Missing   []string   `json:"missing"` // what this machine lacks
	DataDir   string     `json:"dataDir"`
	Domain    string     `json:"domain"`
	AppsURL   string     `json:"appsURL"` // scheme, domain and port under which services answer
	Project   string     `json:"project"` // the default one
	Listeners []Listener `json:"listeners"`
	Services  []Service  `json:"services"`
	Instances []Instance `json:"instances"`
}

// Listener is one address that the server listens on.
type Listener struct {
	Address string   `json:"address"`
	Roles   []string `json:"roles"`
}

// Service is one service with the URLs that reach it.
type Service struct {
	Name      string   `json:"name"`
	Project   string   `json:"project"`
	Product   string   `json:"product"`
	URLs      []string `json:"urls"`
	Revisions int      `json:"revisions"`
}

// Instance is one running sandbox.
type Instance struct {
	ID        string    `json:"id"`
	Revision  string    `json:"revision"`
	State     string    `json:"state"`
	StartTime time.Time `json:"startTime"`
	InFlight  int       `json:"inFlight"`
	// Start is "template", "boot" or "boot: " and why, of revisions that ask for a
	// template.
	Start       string `json:"start,omitempty"`
	MemoryBytes int64  `json:"memoryBytes"`
}

// Source answers for the server.
type Source interface {
	Status(ctx context.Context) (*Status, error)
	Doctor(ctx context.Context) ([]health.Check, error)
	// Usage returns what was used until now.
	Usage(ctx context.Context, q meter.Query) ([]meter.Row, error)
	// Past returns the recent past, in steps of the length that it returns, too.
	Past(project, service string, since time.Time, step time.Duration) (time.Duration, []metrics.Step)
}

// Handler serves what is under /sunya/v1/.
func Handler(src Source, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sunya/v1/status", func(w http.ResponseWriter, r *http.Request) {
		st, err := src.Status(r.Context())
		reply(w, log, st, err)
	})
	mux.HandleFunc("GET /sunya/v1/doctor", func(w http.ResponseWriter, r *http.Request) {
		checks, err := src.Doctor(r.Context())
		reply(w, log, map[string]any{"checks": checks}, err)
	})
	mux.HandleFunc("GET /sunya/v1/usage", func(w http.ResponseWriter, r *http.Request) {
		v, err := usage(r, src)
		reply(w, log, v, err)
	})
	mux.HandleFunc("GET /sunya/v1/metrics", func(w http.ResponseWriter, r *http.Request) {
		v, err := past(r, src)
		reply(w, log, v, err)
	})
	mux.HandleFunc("GET /sunya/v1/", func(w http.ResponseWriter, r *http.Request) {
		reply(w, log, nil, sunya.Errorf(sunya.NotFound, "", "no method of this API has the path %s", r.URL.Path))
	})
	return mux
}

func reply(w http.ResponseWriter, log *slog.Logger, v any, err error) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if err != nil {
		st := status.FromError(err)
		code, doc := status.Envelope(st)
		if code == http.StatusInternalServerError {
			log.Error("sunya.v1", "err", err)
		}
		w.WriteHeader(code)
		_, _ = w.Write(doc) // the client is gone: nobody is left to tell
		return
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Debug("sunya.v1: client went away", "err", err)
	}
}
