package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	digests "github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sunya-cloud/sunya"
)

// Docker's media types, version 2 schema 2.
const (
	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	DockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerConfig   = "application/vnd.docker.container.image.v1+json"
)

// Manifest is an image, or an index of such, in a repository.
type Manifest struct {
	Repository string
	Digest     string
	MediaType  string
	// ArtifactType is what referrers are told apart by: the manifest's own, else
	// the media type of its configuration.
	ArtifactType string
	ConfigType   string // media type of the configuration; empty for an index
	Subject      string // digest of the manifest that this one is about; empty: none
	Annotations  map[string]string
	// Content is what it consists of: configuration and layers, or manifests.
	Content []Content
	Body    []byte
	Time    time.Time // when it was pushed last
	Pulled  bool      // it came from another registry
}

// Content is one thing that a manifest names.
type Content struct {
	Digest    string
	MediaType string
	Size      int64
	Manifest  bool // another manifest, not a blob
	Elsewhere bool // may be missing: it is fetched from URLs of its own
	Platform  *specs.Platform
}

// Size is that of the manifest itself.
func (m *Manifest) Size() int64 { return int64(len(m.Body)) }

// Index reports whether it names manifests, one for each platform.
func (m *Manifest) Index() bool { return isIndex(m.MediaType) }

// Config returns the configuration of an image.
func (m *Manifest) Config() (Content, bool) {
	if m.Index() || len(m.Content) == 0 {
		return Content{}, false
	}
	return m.Content[0], true
}

// Layers returns the layers of an image, the lowest first.
func (m *Manifest) Layers() []Content {
	if m.Index() || len(m.Content) == 0 {
		return nil
	}
	return m.Content[1:]
}

// Bytes is what a client downloads to have all of it.
func (m *Manifest) Bytes() int64 {
	sum := m.Size()
	for _, c := range m.Content {
		sum += c.Size
	}
	return sum
}

// document is both kinds of manifests, as they are written.
type document struct {
	SchemaVersion int                `json:"schemaVersion"`
	MediaType     string             `json:"mediaType"`
	ArtifactType  string             `json:"artifactType"`
	Config        *specs.Descriptor  `json:"config"`
	Layers        []specs.Descriptor `json:"layers"`
	Manifests     []specs.Descriptor `json:"manifests"`
	FSLayers      json.RawMessage    `json:"fsLayers"` // schema 1
	Subject       *specs.Descriptor  `json:"subject"`
	Annotations   map[string]string  `json:"annotations"`
}

// ParseManifest reads a manifest. mediaType is what its sender says that it is;
// empty: what it says itself. Errors are InvalidArgument with the reason
// MANIFEST_INVALID.
func ParseManifest(body []byte, mediaType string) (*Manifest, error) {
	if len(body) > MaxManifestBytes {
		return nil, fault(sunya.ResourceExhausted, SizeInvalid, "the manifest has %v, more than %v", sunya.Bytes(len(body)), sunya.Bytes(MaxManifestBytes))
	}
	doc, err := decodeDocument(body)
	if err != nil {
		return nil, err
	}
	m := &Manifest{
		Digest:       digests.FromBytes(body).String(),
		ArtifactType: doc.ArtifactType,
		Annotations:  doc.Annotations,
		Body:         body,
	}
	if m.MediaType, err = doc.mediaType(mediaType); err != nil {
		return nil, err
	}
	if err := doc.check(m.MediaType); err != nil {
		return nil, err
	}
	if m.Content, err = doc.contents(); err != nil {
		return nil, err
	}
	if doc.Config != nil {
		m.ConfigType = doc.Config.MediaType
	}
	if m.ArtifactType == "" {
		m.ArtifactType = m.ConfigType
	}
	if doc.Subject != nil {
		if err := checkDescriptor("subject", *doc.Subject); err != nil {
			return nil, err
		}
		m.Subject = doc.Subject.Digest.String()
	}
	return m, nil
}

func decodeDocument(body []byte) (*document, error) {
	doc := new(document)
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(doc); err != nil {
		return nil, invalidManifest("it is not JSON of the form of a manifest: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalidManifest("there is something behind its end")
	}
	return doc, nil
}

func invalidManifest(format string, args ...any) *sunya.Error {
	return fault(sunya.InvalidArgument, ManifestInvalid, "the manifest is invalid: %s", fmt.Sprintf(format, args...))
}

// mediaType is the one that sender and document agree on.
func (d *document) mediaType(sent string) (string, error) {
	sent, _, _ = strings.Cut(sent, ";")
	sent = strings.TrimSpace(sent)
	if len(d.FSLayers) > 0 || d.SchemaVersion == 1 || strings.Contains(sent, "docker.distribution.manifest.v1+") {
		return "", fault(sunya.Unimplemented, ManifestInvalid, "the image is in Docker's schema 1, which is not supported: pull it with a current docker and push it again")
	}
	switch {
	case sent == "":
		sent = d.MediaType
	case d.MediaType != "" && d.MediaType != sent:
		return "", invalidManifest("it was sent as %q and says that it is %q", sent, d.MediaType)
	}
	if !isImage(sent) && !isIndex(sent) {
		return "", invalidManifest("the media type %q is none of an OCI or Docker (version 2, schema 2) image or index", sent)
	}
	return sent, nil
}

func isImage(mediaType string) bool {
	return mediaType == specs.MediaTypeImageManifest || mediaType == DockerManifest
}

func isIndex(mediaType string) bool {
	return mediaType == specs.MediaTypeImageIndex || mediaType == DockerList
}

// check refuses what could be read as one kind by one client and as the other by
// another (CVE-2021-41190).
func (d *document) check(mediaType string) error {
	switch {
	case d.SchemaVersion != 2:
		return invalidManifest("schemaVersion is %d, not 2", d.SchemaVersion)
	case isIndex(mediaType) && (d.Config != nil || d.Layers != nil):
		return invalidManifest("it is an index and has config or layers")
	case isImage(mediaType) && d.Manifests != nil:
		return invalidManifest("it is an image and has manifests")
	case isImage(mediaType) && d.Config == nil:
		return invalidManifest("it has no config")
	}
	return nil
}

// contents lists what the document names: the configuration first.
func (d *document) contents() ([]Content, error) {
	var out []Content
	add := func(field string, x specs.Descriptor, manifest bool) error {
		if err := checkDescriptor(field, x); err != nil {
			return err
		}
		out = append(out, Content{
			Digest: x.Digest.String(), MediaType: x.MediaType, Size: x.Size, Manifest: manifest,
			Elsewhere: foreign(x.MediaType), Platform: x.Platform,
		})
		return nil
	}
	if d.Config != nil {
		if err := add("config", *d.Config, false); err != nil {
			return nil, err
		}
	}
	for i, x := range d.Layers {
		if err := add(fmt.Sprintf("layers[%d]", i), x, false); err != nil {
			return nil, err
		}
	}
	for i, x := range d.Manifests {
		if err := add(fmt.Sprintf("manifests[%d]", i), x, true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func checkDescriptor(field string, d specs.Descriptor) error {
	if err := CheckDigest(d.Digest.String()); err != nil {
		return invalidManifest("%s has the digest %.100q", field, d.Digest)
	}
	if d.Size < 0 {
		return invalidManifest("%s has the size %d", field, d.Size)
	}
	return nil
}

// foreign reports whether layers of this type stay with their maker.
func foreign(mediaType string) bool {
	return strings.HasPrefix(mediaType, "application/vnd.oci.image.layer.nondistributable.") ||
		strings.HasPrefix(mediaType, "application/vnd.docker.image.rootfs.foreign.")
}

// CheckDigest reports whether s is a digest that the registry can check.
func CheckDigest(s string) error {
	d := digests.Digest(s)
	if d.Validate() != nil || d.Algorithm() != digests.SHA256 && d.Algorithm() != digests.SHA512 {
		return fault(sunya.InvalidArgument, DigestInvalid, "%.200q is not a digest: it is sha256: and 64, or sha512: and 128 lower-case hexadecimal digits", s)
	}
	return nil
}

// Verify reports whether bytes have a digest.
func Verify(digest string, body []byte) error {
	if err := CheckDigest(digest); err != nil {
		return err
	}
	if got := digests.Digest(digest).Algorithm().FromBytes(body).String(); got != digest {
		return fault(sunya.InvalidArgument, DigestInvalid, "the content has the digest %s, not %s", got, digest)
	}
	return nil
}
