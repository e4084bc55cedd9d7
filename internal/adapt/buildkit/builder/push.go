package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/distribution/reference"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
)

// maxManifest is what a registry has to take (OCI distribution).
const maxManifest = 4 << 20

// push gives an image that this build has made its tag in the registry.
func (b *build) push(ctx context.Context, name string) error {
	m, ok := b.made[canonical(name)]
	if !ok {
		return errNotMade(name)
	}
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return &refusal{fmt.Sprintf("%q is not the name of an image: %v", name, err)}
	}
	tagged, ok := reference.TagNameOnly(ref).(reference.NamedTagged)
	if !ok {
		return &refusal{fmt.Sprintf("%q has a digest: push by a tag", name)}
	}
	from, err := reference.ParseNormalizedNamed(m.repository)
	if err != nil {
		return fmt.Errorf("read repository: %w", err)
	}
	manifest, kind, err := getManifest(ctx, from, m.digest)
	if err != nil {
		return err
	}
	if from.Name() != tagged.Name() {
		if err := mountBlobs(ctx, manifest, from, tagged); err != nil {
			return err
		}
	}
	if err := putManifest(ctx, tagged, kind, manifest); err != nil {
		return err
	}
	fmt.Fprintf(b.log, "Pushed %s\n%s: digest: %s size: %d\n", tagged, tagged.Tag(), m.digest, len(manifest))
	return b.emit(event(plan.Event{Pushed: &plan.Image{Name: tagged.String(), Digest: m.digest}}))
}

// target returns the address of something in the server's registry.
func target(ref reference.Named, kind, name string) *url.URL {
	return &url.URL{
		Scheme: "http", Host: "registry.sunya.internal", Path: "/v2/" + reference.Path(ref) + "/" + kind + "/" + name,
		RawQuery: url.Values{"ns": {reference.Domain(ref)}}.Encode(),
	}
}

func getManifest(ctx context.Context, ref reference.Named, digest string) (data []byte, kind string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target(ref, "manifests", digest).String(), nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Accept", ocispecs.MediaTypeImageManifest+", application/vnd.docker.distribution.manifest.v2+json")
	resp, err := ask(req, http.StatusOK)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err = io.ReadAll(io.LimitReader(resp.Body, maxManifest))
	return data, resp.Header.Get("Content-Type"), err
}

func putManifest(ctx context.Context, ref reference.NamedTagged, kind string, data []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target(ref, "manifests", ref.Tag()).String(), bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	resp, err := ask(req, http.StatusCreated)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// mountBlobs makes the blobs of an image known to another repository.
func mountBlobs(ctx context.Context, manifest []byte, from, to reference.Named) error {
	var m ocispecs.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	for _, d := range append(m.Layers, m.Config) {
		u := target(to, "blobs", "uploads/")
		query := u.Query()
		query.Set("mount", d.Digest.String())
		query.Set("from", reference.Path(from))
		u.RawQuery = query.Encode()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
		if err != nil {
			return err
		}
		resp, err := ask(req, http.StatusCreated)
		if err != nil {
			return fmt.Errorf("take over %s: %w", d.Digest, err)
		}
		_ = resp.Body.Close()
	}
	return nil
}

// ask sends a request to the registry and expects one status.
func ask(req *http.Request, want int) (*http.Response, error) {
	resp, err := registryClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == want {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return nil, fmt.Errorf("the registry answered %s: %s", resp.Status, text)
}
