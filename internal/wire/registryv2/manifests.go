package registryv2

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	digests "github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

func (h *handler) getManifest(w http.ResponseWriter, r *http.Request, t target) error {
	m, err := h.manifest(r, t)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", m.MediaType)
	w.Header().Set("Docker-Content-Digest", m.Digest)
	w.Header().Set("Etag", `"`+m.Digest+`"`)
	w.Header().Set("Content-Length", strconv.FormatInt(m.Size(), 10))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = w.Write(m.Body)
	return gone(err)
}

// manifest finds a manifest. What a tag of another registry stands for, only
// that registry knows.
func (h *handler) manifest(r *http.Request, t target) (*registry.Manifest, error) {
	if t.host != "" {
		return h.Upstream.Manifest(r.Context(), t.host, t.name, t.item, t.own)
	}
	return h.Registry.Manifest(r.Context(), t.repository, t.item)
}

func (h *handler) putManifest(w http.ResponseWriter, r *http.Request, t target) error {
	body, err := readManifest(r)
	if err != nil {
		return err
	}
	p := registry.Pushed{Repository: t.repository, MediaType: r.Header.Get("Content-Type"), Body: body}
	if strings.Contains(t.item, ":") {
		p.Digest, p.Tags = t.item, r.URL.Query()["tag"]
	} else {
		p.Tags = []string{t.item}
	}
	if err := h.checkHost(r, p); err != nil {
		return err
	}
	m, err := h.Registry.PutManifest(r.Context(), p)
	if err != nil {
		return err
	}
	for _, tag := range p.Tags {
		w.Header().Add("OCI-Tag", tag)
	}
	if m.Subject != "" {
		w.Header().Set("OCI-Subject", m.Subject)
	}
	w.Header().Set("Location", "/v2/"+t.name+"/manifests/"+m.Digest)
	w.Header().Set("Docker-Content-Digest", m.Digest)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// checkHost refuses images of the host stack, which say what of this machine is
// shown to their program: only the server itself makes those. One that the
// repository has may get another tag.
func (h *handler) checkHost(r *http.Request, p registry.Pushed) error {
	m, err := registry.ParseManifest(p.Body, p.MediaType)
	if err != nil || m.ConfigType != images.HostConfig {
		return err
	}
	own, err := h.Registry.Manifest(r.Context(), p.Repository, digests.FromBytes(p.Body).String())
	if err == nil && !own.Pulled {
		return nil
	}
	return denied("an image that stands on this machine's runtimes cannot be pushed: build it here from source")
}

func readManifest(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, registry.MaxManifestBytes+1))
	if err != nil {
		return nil, gone(err)
	}
	if len(body) > registry.MaxManifestBytes {
		return nil, because(sunya.ResourceExhausted, registry.SizeInvalid, "the manifest has more than %v", sunya.Bytes(registry.MaxManifestBytes))
	}
	return body, nil
}

func (h *handler) deleteManifest(w http.ResponseWriter, r *http.Request, t target) error {
	if err := h.Registry.Delete(r.Context(), t.repository, t.item); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// referrers lists what is about a manifest as an index.
func (h *handler) referrers(w http.ResponseWriter, r *http.Request, t target) error {
	kind := r.URL.Query().Get("artifactType")
	found, err := h.Registry.Referrers(r.Context(), t.repository, t.item, kind)
	if err != nil {
		return err
	}
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{}}
	for _, m := range found {
		index.Manifests = append(index.Manifests, v1.Descriptor{
			MediaType: m.MediaType, Digest: digests.Digest(m.Digest), Size: m.Size(),
			ArtifactType: m.ArtifactType, Annotations: m.Annotations,
		})
	}
	if kind != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	return send(w, v1.MediaTypeImageIndex, index)
}

// maxList is how many names an answer has at most.
const maxList = 10_000

func (h *handler) listTags(w http.ResponseWriter, r *http.Request, t target) error {
	n, last, err := paging(r)
	if err != nil {
		return err
	}
	tags, err := h.Registry.Tags(r.Context(), t.repository, last, n+1)
	if err != nil {
		return err
	}
	names := []string{}
	for _, tag := range tags {
		names = append(names, tag.Name)
	}
	names = page(w, r, names, n)
	return send(w, "application/json", map[string]any{"name": t.name, "tags": names})
}

func (h *handler) catalog(w http.ResponseWriter, r *http.Request, _ target) error {
	n, last, err := paging(r)
	if err != nil {
		return err
	}
	names, err := h.Registry.Repositories(r.Context(), "", last, n+1)
	if err != nil {
		return err
	}
	names = page(w, r, names, n)
	seen := []string{}
	for _, name := range names {
		if h.permit(r, name) == nil {
			seen = append(seen, name)
		}
	}
	return send(w, "application/json", map[string]any{"repositories": seen})
}

// paging reads n and last.
func paging(r *http.Request) (n int, last string, err error) {
	q := r.URL.Query()
	n = maxList
	if text := q.Get("n"); text != "" {
		n, err = strconv.Atoi(text)
		if err != nil || n < 0 {
			return 0, "", because(sunya.InvalidArgument, "PAGINATION_NUMBER_INVALID", "n=%.100q is not a number of names", text)
		}
	}
	return min(n, maxList), q.Get("last"), nil
}

// page cuts names to n, and says where they go on when there are more.
func page(w http.ResponseWriter, r *http.Request, names []string, n int) []string {
	if len(names) <= n {
		return names
	}
	names = names[:n]
	if n > 0 {
		q := r.URL.Query()
		q.Set("n", strconv.Itoa(n))
		q.Set("last", names[n-1])
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.EscapedPath(), q.Encode()))
	}
	return names
}

func send(w http.ResponseWriter, mediaType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, err = w.Write(body)
	return gone(err)
}
