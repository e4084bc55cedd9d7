package sunyav1

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
)

// The paths of events.
const (
	// EventsPath: GET returns the last deliveries and those to come, a JSON
	// object a line, while follow is true; else only the last. Its parameter
	// trigger names the only trigger that matters.
	EventsPath = "/sunya/v1/events"
	// FailuresPath: GET returns Failures. Its parameters are project, trigger,
	// id and limit.
	FailuresPath = EventsPath + "/failures"
	// FiguresPath: GET returns the TriggerFigures of the parameter trigger.
	FiguresPath = EventsPath + "/figures"
	// ReplayPath: POST delivers the event id of the trigger once more, and
	// returns the Delivery.
	ReplayPath = EventsPath + "/replay"
)

// Delivery is one delivery of an event.
type Delivery struct {
	Time           time.Time `json:"time"`
	Trigger        string    `json:"trigger"`
	ID             string    `json:"id"`
	Type           string    `json:"type"`
	Subject        string    `json:"subject,omitempty"`
	Outcome        string    `json:"outcome"` // eventing.Outcome
	Status         int       `json:"status,omitempty"`
	LatencySeconds float64   `json:"latencySeconds"`
	Attempt        int       `json:"attempt"`
	Reason         string    `json:"reason,omitempty"`
}

// Failures is events whose delivery has failed, the latest first.
type Failures struct {
	Events []Failure `json:"events"`
}

// Failure is one of them.
type Failure struct {
	Trigger    string            `json:"trigger"`
	ID         string            `json:"id"`
	State      string            `json:"state"` // eventing.FailureState
	Type       string            `json:"type"`
	Subject    string            `json:"subject,omitempty"`
	Attempts   int               `json:"attempts"`
	Status     int               `json:"status,omitempty"`
	Reason     string            `json:"reason"`
	First      time.Time         `json:"firstTime"`
	Last       time.Time         `json:"lastTime"`
	Published  time.Time         `json:"publishTime"`
	Attributes map[string]string `json:"attributes,omitempty"` // of the message
	Data       []byte            `json:"data,omitempty"`
}

// TriggerFigures is the numbers of a trigger.
type TriggerFigures struct {
	Trigger          string           `json:"trigger"`
	Deliveries       map[string]int64 `json:"deliveries"` // by outcome, since the server started
	Backlog          int64            `json:"backlog"`
	OldestAgeSeconds float64          `json:"oldestAgeSeconds"`
	Failures         int              `json:"failures"` // kept, at most 1000
}

// Events is what this API needs of the triggers.
type Events interface {
	Deliveries() (past []*eventing.Delivery, next <-chan *eventing.Delivery, stop func())
	Failures(ctx context.Context, q eventing.FailureQuery) ([]eventing.Failure, error)
	Replay(ctx context.Context, trigger, id string) (*eventing.Delivery, error)
	Figures(ctx context.Context, k eventing.Key) (*eventing.Figures, error)
}

// EventsHandler serves what is under EventsPath.
func EventsHandler(e Events, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+EventsPath, func(w http.ResponseWriter, r *http.Request) { tail(w, r, e) })
	mux.HandleFunc("GET "+FailuresPath, func(w http.ResponseWriter, r *http.Request) {
		v, err := failures(r, e)
		reply(w, log, v, err)
	})
	mux.HandleFunc("GET "+FiguresPath, func(w http.ResponseWriter, r *http.Request) {
		v, err := figures(r, e)
		reply(w, log, v, err)
	})
	mux.HandleFunc("POST "+ReplayPath, func(w http.ResponseWriter, r *http.Request) {
		d, err := e.Replay(r.Context(), r.FormValue("trigger"), r.FormValue("id"))
		if err != nil {
			reply(w, log, nil, err)
			return
		}
		reply(w, log, delivery(d), nil)
	})
	mux.HandleFunc(EventsPath+"/", func(w http.ResponseWriter, r *http.Request) {
		reply(w, log, nil, sunya.Errorf(sunya.NotFound, "", "no method of this API has the path %s", r.URL.Path))
	})
	return mux
}

// tail writes deliveries as they come, a line each.
func tail(w http.ResponseWriter, r *http.Request, e Events) {
	trigger, follow := r.FormValue("trigger"), r.FormValue("follow") == "true"
	past, next, stop := e.Deliveries()
	defer stop()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, control := json.NewEncoder(w), http.NewResponseController(w)
	show := func(d *eventing.Delivery) bool {
		return trigger != "" && d.Trigger != trigger || out.Encode(delivery(d)) == nil
	}
	for _, d := range past {
		if !show(d) {
			return
		}
	}
	_ = control.Flush() // one that cannot is served at the end
	for follow {
		select {
		case <-r.Context().Done():
			return
		case d := <-next:
			if !show(d) || control.Flush() != nil {
				return
			}
		}
	}
}

func delivery(d *eventing.Delivery) *Delivery {
	return &Delivery{
		Time: d.Time, Trigger: d.Trigger, ID: d.ID, Type: d.Type, Subject: d.Subject, Outcome: string(d.Outcome), Status: d.Status,
		LatencySeconds: d.Latency.Seconds(), Attempt: d.Attempt, Reason: d.Reason,
	}
}

// maxFailures is how many failures are returned at once.
const maxFailures = 1000

func failures(r *http.Request, e Events) (*Failures, error) {
	q := eventing.FailureQuery{Project: r.FormValue("project"), Trigger: r.FormValue("trigger"), ID: r.FormValue("id"), Limit: 100}
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, sunya.Invalid("limit", "%q is no number above 0", text)
		}
		q.Limit = min(n, maxFailures)
	}
	list, err := e.Failures(r.Context(), q)
	if err != nil {
		return nil, err
	}
	out := &Failures{Events: make([]Failure, len(list))}
	for i := range list {
		f := &list[i]
		out.Events[i] = Failure{
			Trigger: f.Trigger, ID: f.ID, State: string(f.State), Type: f.Type, Subject: f.Subject, Attempts: f.Attempts, Status: f.Status, Reason: f.Reason,
			First: f.First, Last: f.Last, Published: f.Message.PublishTime, Attributes: f.Message.Attributes, Data: f.Message.Data,
		}
	}
	return out, nil
}

func figures(r *http.Request, e Events) (*TriggerFigures, error) {
	k, err := eventing.ParseName("trigger", r.FormValue("trigger"))
	if err != nil {
		return nil, err
	}
	f, err := e.Figures(r.Context(), k)
	if err != nil {
		return nil, err
	}
	failed, err := e.Failures(r.Context(), eventing.FailureQuery{Trigger: f.Trigger, Limit: maxFailures})
	if err != nil {
		return nil, err
	}
	out := &TriggerFigures{
		Trigger: f.Trigger, Deliveries: map[string]int64{}, Backlog: f.Backlog, OldestAgeSeconds: f.OldestAge.Seconds(), Failures: len(failed),
	}
	for o, n := range f.Deliveries {
		out.Deliveries[string(o)] = n
	}
	return out, nil
}
