// Package registryv2 speaks the OCI distribution specification (v1.1) over
// core/registry: what docker, crane, skopeo and containerd push to and pull
// from.
//
// A repository is asked for by the names that users know, which core/images
// brings into one form: NAME, gcr.io/NAME, and, for mirrors of containerd's
// convention, NAME with ?ns=HOST.
package registryv2

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// Upstream brings what is asked for in the name of another registry. What was
// pushed to this one under such a name counts when own is set.
type Upstream interface {
	// Manifest makes a manifest of a repository of host be here and returns it.
	Manifest(ctx context.Context, host, repository, version string, own bool) (*registry.Manifest, error)
	// Blob makes a blob be here and returns the repository that has it.
	Blob(ctx context.Context, host, repository, digest string, own bool) (in string, err error)
}

// Deps is what the API works with.
type Deps struct {
	Registry *registry.Service
	Names    images.Own
	Upstream Upstream // nil: what is not here is nowhere
	// Confine says for a request which projects' images its caller may read
	// and write; nil, or a nil result: all.
	Confine func(r *http.Request) func(project string) bool
	Log     *slog.Logger
}

// handler answers requests whose caller may be there.
type handler struct {
	Deps
}

// New returns the API. Its paths begin with /v2/.
func New(d Deps) http.Handler {
	d.Log = d.Log.With("component", "registryv2")
	return &handler{d}
}

// endpoint answers one kind of request.
type endpoint func(w http.ResponseWriter, r *http.Request, t target) error

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	// What users have pushed must never run as a page of this address.
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	t, err := parseTarget(r.URL.Path)
	if err == nil {
		err = h.resolve(r, &t)
	}
	if err == nil {
		err = h.dispatch(w, r, t)
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// resolve finds the repository of a target and asks whether the caller may.
func (h *handler) resolve(r *http.Request, t *target) error {
	if t.name == "" {
		return nil
	}
	ns := r.URL.Query().Get("ns")
	if ns != "" && !h.Names.Here(ns) && !images.IsHost(ns) {
		return because(sunya.InvalidArgument, registry.NameInvalid, "ns=%.300q is not the host of a registry", ns)
	}
	t.repository = h.Names.InRegistry(ns, t.name)
	if h.Upstream != nil && ns != "" && !h.Names.Here(ns) {
		t.host = ns
	}
	if err := registry.CheckName(t.repository); err != nil {
		return err
	}
	err := h.permit(r, t.repository)
	t.own = err == nil
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if t.host != "" && reads && (t.kind == kindManifest || t.kind == kindBlob) {
		return nil // what others publish, everybody may read
	}
	return err
}

// permit keeps callers to the images of their projects.
func (h *handler) permit(r *http.Request, repository string) error {
	if h.Confine == nil {
		return nil
	}
	may := h.Confine(r)
	if may == nil || may(registry.ProjectOf(repository)) {
		return nil
	}
	return denied("the caller may not use images of the project %s", registry.ProjectOf(repository))
}

func (h *handler) dispatch(w http.ResponseWriter, r *http.Request, t target) error {
	var table map[string]endpoint
	switch t.kind {
	case kindRoot:
		table = map[string]endpoint{"GET": h.root, "HEAD": h.root}
	case kindCatalog:
		table = map[string]endpoint{"GET": h.catalog}
	case kindTags:
		table = map[string]endpoint{"GET": h.listTags}
	case kindManifest:
		table = map[string]endpoint{"GET": h.getManifest, "HEAD": h.getManifest, "PUT": h.putManifest, "DELETE": h.deleteManifest}
	case kindReferrers:
		table = map[string]endpoint{"GET": h.referrers}
	case kindBlob:
		table = map[string]endpoint{"GET": h.getBlob, "HEAD": h.headBlob, "DELETE": h.deleteBlob}
	case kindUploads:
		table = map[string]endpoint{"POST": h.beginUpload}
	case kindUpload:
		table = map[string]endpoint{"GET": h.getUpload, "PATCH": h.patchUpload, "PUT": h.putUpload, "DELETE": h.cancelUpload}
	}
	do, ok := table[r.Method]
	if !ok {
		return wrongMethod(r)
	}
	return do(w, r, t)
}

// root says that this is a registry, and that the caller may be here.
func (h *handler) root(w http.ResponseWriter, _ *http.Request, _ target) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := io.WriteString(w, "{}")
	return gone(err)
}
