package runv1

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/wire/runmodel"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// Deps is what the API works with.
type Deps struct {
	Admin *run.Admin
	Jobs  *jobs.Admin
	// URL is the address of a host of the platform by its label.
	URL func(label string) string
	// Location is where resources are whose region nobody names.
	Location string
	// Functions answers for the policies of functions, which are services to
	// gcloud.
	Functions http.Handler
	Log       *slog.Logger
}

// API is the handlers of the API.
type API struct {
	Deps
	show runmodel.Encoder
}

// New returns the API.
func New(d Deps) *API {
	return &API{Deps: d, show: runmodel.Encoder{URL: d.URL}}
}

// Route is a path of the API; "*" stands for one segment.
type Route struct {
	Method, Pattern string
	Handler         http.Handler
}

// The beginnings of paths.
const (
	serving  = "/apis/" + servingVersion + "/namespaces/*/"
	location = "/v1/projects/*/locations/*/"
)

// Routes are the paths that the API answers.
func (a *API) Routes() []Route {
	var out []Route
	add := func(verb, collection string, one, many method) {
		for _, parent := range []string{serving, location} {
			if many != nil {
				out = append(out, Route{verb, parent + collection, a.serve(many)})
			}
			if one != nil {
				out = append(out, Route{verb, parent + collection + "/*", a.serve(one)})
			}
		}
	}
	add(http.MethodGet, "services", a.getService, a.listServices)
	add(http.MethodPost, "services", nil, a.createService)
	add(http.MethodPut, "services", a.replaceService, nil)
	add(http.MethodDelete, "services", a.deleteService, nil)
	add(http.MethodGet, "revisions", a.getRevision, a.listRevisions)
	add(http.MethodDelete, "revisions", a.deleteRevision, nil)
	add(http.MethodGet, "routes", a.getRoute, a.listRoutes)
	add(http.MethodGet, "configurations", a.getConfiguration, a.listConfigurations)
	out = append(out, a.jobRoutes()...)
	return append([]Route{
		{http.MethodGet, location + "services/*", a.withPolicies(a.serve(a.getService))},
		{http.MethodPost, location + "services/*", a.withPolicies(http.NotFoundHandler())},
		{http.MethodGet, "/v1/projects/*/locations", a.serve(a.locations)},
	}, out...)
}

// method answers one call with a document.
type method func(ctx context.Context, r *request) (any, error)

// request is one call: where it goes, and what it says.
type request struct {
	*http.Request
	project  string
	location string // empty: nobody names one
	id       string // of the resource; empty for a collection
	verb     string // behind a colon
}

// locationOr is the location of a call, or another where it names none.
func (r *request) locationOr(other string) string {
	if r.location == "" {
		return other
	}
	return r.location
}

// dryRun reports whether a call is only to be checked.
func (r *request) dryRun() (bool, error) {
	switch v := r.URL.Query().Get("dryRun"); v {
	case "":
		return false, nil
	case "all":
		return true, nil
	default:
		return false, sunya.Invalid("dryRun", "%q is not allowed: use all, or leave it out", v)
	}
}

// parse reads the path of a call, whose route is known.
func parse(r *http.Request) *request {
	p := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	out := &request{Request: r}
	if p[0] == "apis" { // apis/GROUP/VERSION/namespaces/PROJECT/COLLECTION[/ID]
		out.project, out.location, p = p[4], regionOf(r.Host), p[6:]
	} else { // v1/projects/PROJECT/locations/LOCATION/COLLECTION[/ID]
		out.project = p[2]
		if len(p) > 4 {
			out.location, p = p[4], p[min(6, len(p)):]
		} else {
			p = nil
		}
	}
	if len(p) > 0 {
		out.id, out.verb, _ = strings.Cut(p[0], ":")
	}
	return out
}

// regionOf is the region in a host such as us-central1-run.api.localhost, as
// gcloud writes it, or empty.
func regionOf(host string) string {
	label, _, _ := strings.Cut(host, ".")
	region, ok := strings.CutSuffix(label, "-run")
	if !ok {
		return ""
	}
	return region
}

// maxBody is how much a service may be, described.
const maxBody = 4 << 20

// read reads the document of a call. Fields that the API does not have are an
// error, as at Google: a misspelt one would silently do nothing.
func (r *request) read(into any) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return sunya.Invalid("", "the body could not be read: %v", err)
	}
	if len(raw) > maxBody {
		return sunya.Invalid("", "the body has more than %v", sunya.Bytes(maxBody))
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return badJSON(err)
	}
	return nil
}

// badJSON says what is wrong with a document.
func badJSON(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return sunya.Invalid(kind.Field, "a %s is not allowed here", kind.Value)
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return sunya.Invalid(strings.Trim(field, `"`), "is not a field of this resource: look for its spelling, and for where it belongs")
	}
	return sunya.Invalid("", "the body is not JSON: %v", err)
}

// serve answers with what m returns.
func (a *API) serve(m method) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := m(r.Context(), parse(r))
		a.answer(w, r, v, err)
	})
}

// answer writes a document or an error.
func (a *API) answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	code, doc := http.StatusOK, []byte(nil)
	if err == nil {
		doc, err = json.Marshal(v)
	}
	if err != nil {
		err = inKnative(err)
		code, doc = status.Envelope(status.FromError(err))
		if code >= http.StatusInternalServerError && code != http.StatusNotImplemented {
			a.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(doc) // nobody is left to tell
}
