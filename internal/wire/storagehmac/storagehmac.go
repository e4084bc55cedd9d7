// Package storagehmac speaks projects.hmacKeys of Cloud Storage's JSON API.
package storagehmac

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/hmackeys"
	"github.com/sunya-cloud/sunya/internal/wire/media"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// Patterns are the paths of the keys: those of the API, and those under which
// Node's client looks for them where STORAGE_EMULATOR_HOST is set.
func Patterns() []string {
	return []string{
		"/storage/v1/projects/*/hmacKeys", "/storage/v1/projects/*/hmacKeys/",
		"/projects/*/hmacKeys", "/projects/*/hmacKeys/",
	}
}

type handler struct {
	keys *hmackeys.Service
	log  *slog.Logger
}

// New returns the API over keys.
func New(keys *hmackeys.Service, log *slog.Logger) http.Handler {
	return &handler{keys, log.With("component", "storagehmac")}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	doc, err := h.answer(r)
	if err != nil {
		f := media.Classify(err, false)
		if f.Status == http.StatusInternalServerError {
			h.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
		}
		f.WriteJSON(w, r)
		return
	}
	if doc == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	body, err := json.Marshal(doc)
	if err != nil {
		media.Classify(sunya.Errorf(sunya.Internal, "", "encode answer: %v", err), false).WriteJSON(w, r)
		return
	}
	media.Write(w, r, http.StatusOK, "application/json; charset=UTF-8", body)
}

// answer returns the document of an answer; nil: there is none.
func (h *handler) answer(r *http.Request) (any, error) {
	_, rest, _ := strings.Cut(r.URL.Path, "projects/")
	project, rest, _ := strings.Cut(rest, "/")
	id := strings.TrimPrefix(strings.TrimPrefix(rest, "hmacKeys"), "/")
	switch {
	case id == "" && r.Method == http.MethodPost:
		return h.create(r, project)
	case id == "" && r.Method == http.MethodGet:
		return h.list(r, project)
	case id != "" && r.Method == http.MethodGet:
		k, err := h.keys.Get(r.Context(), project, id)
		return metadata(k, err)
	case id != "" && r.Method == http.MethodPut:
		return h.update(r, project, id)
	case id != "" && r.Method == http.MethodDelete:
		return nil, h.keys.Delete(r.Context(), project, id)
	}
	return nil, sunya.Errorf(sunya.Unimplemented, "", "%s is no method of HMAC keys", r.Method)
}

func (h *handler) create(r *http.Request, project string) (any, error) {
	k, err := h.keys.Create(r.Context(), project, r.URL.Query().Get("serviceAccountEmail"))
	if err != nil {
		return nil, err
	}
	return &storage.HmacKey{Kind: "storage#hmacKey", Secret: k.Secret, Metadata: resource(k)}, nil
}

// maxResults is the size of a page unless the request asks for less.
const maxResults = 250

func (h *handler) list(r *http.Request, project string) (any, error) {
	q := r.URL.Query()
	account, asked := q.Get("serviceAccountEmail"), 0
	if s := q.Get("maxResults"); s != "" {
		var err error
		if asked, err = strconv.Atoi(s); err != nil {
			return nil, sunya.Invalid("maxResults", "%q is not a number", s)
		}
	}
	limit, err := page.Size(asked, maxResults, maxResults)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(q.Get("pageToken"), "hmacKeys", project, account)
	if err != nil {
		return nil, err
	}
	keys, next, err := h.keys.List(r.Context(), project, account, after, limit)
	if err != nil {
		return nil, err
	}
	doc := &storage.HmacKeysMetadata{Kind: "storage#hmacKeysMetadata", NextPageToken: page.Token(next, "hmacKeys", project, account)}
	for i := range keys {
		doc.Items = append(doc.Items, resource(&keys[i]))
	}
	return doc, nil
}

func (h *handler) update(r *http.Request, project, id string) (any, error) {
	var asked storage.HmacKeyMetadata
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&asked); err != nil {
		return nil, sunya.Invalid("", "the body is not JSON: %v", err)
	}
	return metadata(h.keys.SetState(r.Context(), project, id, asked.State, asked.Etag))
}

func metadata(k *hmackeys.Key, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return resource(k), nil
}

func resource(k *hmackeys.Key) *storage.HmacKeyMetadata {
	stamp := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
	return &storage.HmacKeyMetadata{
		Kind: "storage#hmacKeyMetadata", Id: k.Project + "/" + k.AccessID, AccessId: k.AccessID, ProjectId: k.Project,
		ServiceAccountEmail: k.Account, State: k.State, TimeCreated: stamp(k.CreateTime), Updated: stamp(k.UpdateTime), Etag: k.ETag(),
	}
}
