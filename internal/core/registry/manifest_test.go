package registry

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
)

const (
	ociImage = "application/vnd.oci.image.manifest.v1+json"
	ociIndex = "application/vnd.oci.image.index.v1+json"
)

// x is a descriptor of which every hexadecimal digit is c.
func x(c string) string {
	return fmt.Sprintf(`{"mediaType":"t/%s","digest":"sha256:%s","size":7}`, c, strings.Repeat(c, 64))
}

func TestParseManifest(t *testing.T) {
	m, err := ParseManifest([]byte(`{"schemaVersion":2,"mediaType":"`+ociImage+`","config":`+x("a")+`,"layers":[`+x("b")+`,`+x("c")+`],`+
		`"subject":`+x("d")+`,"annotations":{"k":"v"},"custom":true}`), ociImage+"; charset=utf-8")
	if err != nil {
		t.Fatal(err)
	}
	if m.MediaType != ociImage || m.ConfigType != "t/a" || m.ArtifactType != "t/a" || m.Subject != "sha256:"+strings.Repeat("d", 64) || m.Annotations["k"] != "v" {
		t.Errorf("manifest = %+v", m)
	}
	config, ok := m.Config()
	if !ok || config.MediaType != "t/a" || len(m.Layers()) != 2 || m.Layers()[1].Size != 7 || m.Bytes() != m.Size()+21 {
		t.Errorf("contents = %+v", m.Content)
	}
	index, err := ParseManifest([]byte(`{"schemaVersion":2,"artifactType":"a","manifests":[`+x("a")+`]}`), ociIndex)
	if err != nil || !index.Index() || index.ArtifactType != "a" || !index.Content[0].Manifest || index.Layers() != nil {
		t.Errorf("index = %+v, %v", index, err)
	}
	if _, ok := index.Config(); ok {
		t.Error("an index has a configuration")
	}
}

func TestParseManifestSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ body, sent, want string }{
		{``, ociImage, "not JSON"},
		{`[]`, ociImage, "not JSON"},
		{`{}`, ociImage, "schemaVersion is 0"},
		{`{"schemaVersion":2}`, "", `media type ""`},
		{`{"schemaVersion":2}`, "text/plain", `"text/plain"`},
		{`{"schemaVersion":2,"mediaType":"` + ociIndex + `"}`, ociImage, "says that it is"},
		{`{"schemaVersion":1,"fsLayers":[]}`, "", "schema 1"},
		{`{"schemaVersion":1}`, "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"},
		{`{"schemaVersion":2}`, ociImage, "no config"},
		{`{"schemaVersion":2,"config":` + x("a") + `,"manifests":[]}`, ociImage, "has manifests"},
		{`{"schemaVersion":2,"config":` + x("a") + `,"manifests":[]}`, ociIndex, "has config"},
		{`{"schemaVersion":2,"layers":[],"manifests":[]}`, ociIndex, "has config or layers"},
		{`{"schemaVersion":2,"config":` + x("a") + `} {}`, ociImage, "behind its end"},
		{`{"schemaVersion":2,"config":` + x("a") + `,"layers":[{"digest":"sha256:1"}]}`, ociImage, `layers[0] has the digest "sha256:1"`},
		{`{"schemaVersion":2,"manifests":[{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":-1}]}`, ociIndex, "manifests[0] has the size -1"},
		{`{"schemaVersion":2,"config":` + x("a") + `,"subject":{}}`, ociImage, "subject has the digest"},
		{strings.Repeat(" ", MaxManifestBytes+1), ociImage, "more than 4 MiB"},
	} {
		_, err := ParseManifest([]byte(tt.body), tt.sent)
		var e *sunya.Error
		if !errors.As(err, &e) || e.Reason != ManifestInvalid && e.Reason != SizeInvalid || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%.80s as %s: %v, want %s", tt.body, tt.sent, err, tt.want)
		}
	}
}

func TestVerify(t *testing.T) {
	for digest, want := range map[string]sunya.Code{
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855":                                                                 sunya.OK,
		"sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e": sunya.OK,
		"sha256:" + strings.Repeat("0", 64): sunya.InvalidArgument,
		"sha384:" + strings.Repeat("0", 96): sunya.InvalidArgument,
		"latest":                            sunya.InvalidArgument,
	} {
		if err := Verify(digest, nil); sunya.CodeOf(err) != want {
			t.Errorf("%s: %v, want %v", digest, err, want)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":`+x("a")+`,"layers":[`+x("b")+`]}`), ociImage)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[`+x("b")+`]}`), ociIndex)
	f.Fuzz(func(t *testing.T, body []byte, mediaType string) {
		m, err := ParseManifest(body, mediaType)
		if err != nil {
			return
		}
		for _, c := range m.Content {
			if CheckDigest(c.Digest) != nil || c.Size < 0 || c.Manifest != m.Index() {
				t.Errorf("content %+v of %q", c, body)
			}
		}
		if _, ok := m.Config(); ok == m.Index() {
			t.Errorf("configuration: %v, index: %v", ok, m.Index())
		}
	})
}
