// Package metadata is the metadata server that code finds at 169.254.169.254 and
// metadata.google.internal: which project and instance it is, and tokens of its
// service account. Paths, formats and headers are Compute Engine's ("About VM
// metadata"), as far as serverless instances have them.
package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/identity"
)

// Instance is who asks.
type Instance struct {
	ID             string
	Project        string
	ProjectNumber  int64
	Region         string // local
	Zone           string // local-a
	ServiceAccount string // e-mail address
}

// Tokens makes the tokens of service accounts.
type Tokens interface {
	AccessToken(ctx context.Context, email string, scopes []string) (string, error)
	IDToken(ctx context.Context, r identity.IDRequest) (string, error)
}

// Handler answers the requests of instances.
type Handler struct {
	tokens Tokens
	who    func(*http.Request) (Instance, bool)
}

// New returns a Handler. who says which instance a request comes from; one that
// is unknown gets nothing.
func New(tokens Tokens, who func(*http.Request) (Instance, bool)) *Handler {
	return &Handler{tokens: tokens, who: who}
}

const (
	flavorHeader = "Metadata-Flavor"
	flavor       = "Google"
	root         = "/computeMetadata/v1"
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(flavorHeader, flavor)
	w.Header().Set("Server", "Metadata Server for Serverless")
	inst, ok := h.who(r)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, "metadata can only be read")
	case r.URL.Path == "/":
		text(w, "computeMetadata/\n") // how clients find out that there is a metadata server
	case !ok:
		fail(w, http.StatusServiceUnavailable, "the instance is not known (yet)")
	case r.Header.Get("X-Forwarded-For") != "":
		fail(w, http.StatusForbidden, "requests with X-Forwarded-For are not answered: they may come from elsewhere")
	case r.Header.Get(flavorHeader) != flavor:
		fail(w, http.StatusForbidden, "the header Metadata-Flavor: Google is missing")
	default:
		h.answer(w, r, inst)
	}
}

// answer looks the path up.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, inst Instance) {
	path, ok := strings.CutPrefix(r.URL.Path, root)
	if !ok && r.URL.Path != "/computeMetadata/" {
		fail(w, http.StatusNotFound, "the paths begin with /computeMetadata/v1/")
		return
	}
	if r.URL.Path == "/computeMetadata/" {
		text(w, "v1/\n")
		return
	}
	if account, ok := h.account(path, inst); ok && h.token(w, r, inst, account) {
		return
	}
	v, ok := tree(inst).find(path)
	if !ok {
		fail(w, http.StatusNotFound, "there is no such entry")
		return
	}
	if v.dir != nil && !strings.HasSuffix(path, "/") {
		http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
		return
	}
	w.Header().Set("Etag", v.etag())
	await(r, v.etag())
	show(w, r, v)
}

// account cuts what follows a service account's own folder.
func (h *Handler) account(path string, inst Instance) (rest string, ok bool) {
	path, ok = strings.CutPrefix(path, "/instance/service-accounts/")
	if !ok {
		return "", false
	}
	name, rest, ok := strings.Cut(path, "/")
	return rest, ok && (name == "default" || name == inst.ServiceAccount)
}

// token answers the two entries that are made anew each time.
func (h *Handler) token(w http.ResponseWriter, r *http.Request, inst Instance, entry string) bool {
	q := r.URL.Query()
	switch entry {
	case "token":
		scopes := strings.FieldsFunc(q.Get("scopes"), func(c rune) bool { return c == ',' || c == ' ' })
		if len(scopes) == 0 {
			scopes = []string{identity.CloudPlatform}
		}
		token, err := h.tokens.AccessToken(r.Context(), inst.ServiceAccount, scopes)
		if err != nil {
			failErr(w, err)
			return true
		}
		writeJSON(w, map[string]any{"access_token": token, "expires_in": int(identity.TokenLife/time.Second) - 1, "token_type": "Bearer"})
	case "identity":
		req := identity.IDRequest{Email: inst.ServiceAccount, Audience: q.Get("audience"), IncludeEmail: true}
		if q.Get("format") == "full" {
			req.Place = &identity.Place{ProjectID: inst.Project, ProjectNumber: inst.ProjectNumber, Zone: inst.Zone, InstanceID: inst.ID, InstanceName: inst.ID}
		}
		token, err := h.tokens.IDToken(r.Context(), req)
		if err != nil {
			failErr(w, err)
			return true
		}
		text(w, token)
	default:
		return false
	}
	return true
}

// longestWait bounds wait_for_change: nothing here ever changes.
const longestWait = time.Hour

// await holds a request with wait_for_change until its own time is over: an
// instance's metadata never changes while it lives.
func await(r *http.Request, etag string) {
	q := r.URL.Query()
	if !truth(q.Get("wait_for_change")) {
		return
	}
	if last := q.Get("last_etag"); last != "" && last != etag {
		return
	}
	wait := longestWait
	if n, err := strconv.Atoi(q.Get("timeout_sec")); err == nil && n >= 0 {
		wait = min(time.Duration(n)*time.Second, longestWait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

func truth(s string) bool { return strings.EqualFold(s, "true") || s == "1" }

// show writes an entry in the form that is asked for.
func show(w http.ResponseWriter, r *http.Request, v entry) {
	q := r.URL.Query()
	alt := q.Get("alt")
	switch {
	case v.dir != nil && truth(q.Get("recursive")), alt == "json":
		writeJSON(w, v.json())
	case v.dir != nil:
		text(w, v.listing())
	default:
		text(w, v.text())
	}
}

func text(w http.ResponseWriter, s string) {
	w.Header().Set("Content-Type", "application/text")
	_, _ = w.Write([]byte(s)) // nobody is left to tell
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // nobody is left to tell
}

func fail(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(why + "\n")) // nobody is left to tell
}

func failErr(w http.ResponseWriter, err error) {
	var e *sunya.Error
	if errors.As(err, &e) {
		fail(w, e.Code.HTTP(), e.Public())
		return
	}
	fail(w, http.StatusInternalServerError, "no token could be made: the server's log has the reason")
}
