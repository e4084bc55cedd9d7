package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// Registry is the contract of registry.Store.
func Registry(t *testing.T, open func(testing.TB) registry.Store) {
	for _, tt := range []struct {
		rule string
		test func(*testing.T, registry.Store)
	}{
		{"Blobs", registryBlobs},
		{"Manifests", registryManifests},
		{"CheckAndPutAreOne", registryCheck},
		{"Tags", registryTags},
		{"Referrers", registryReferrers},
		{"Repositories", registryRepositories},
		{"Images", registryImages},
		{"Folders", registryFolders},
		{"Collect", registryCollect},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// sha is a digest of which every digit is c.
func sha(c string) string { return "sha256:" + strings.Repeat(c, 64) }

func anything(registry.Contents) error { return nil }

// manifest is one of repository p/a that names the contents.
func manifest(digest string, contents ...string) *registry.Manifest {
	m := &registry.Manifest{
		Repository: "p/a", Digest: digest, MediaType: "application/vnd.oci.image.manifest.v1+json", ConfigType: "config",
		Annotations: map[string]string{"a": "ü"}, Body: []byte("{}"), Time: at(1),
	}
	for _, c := range contents {
		m.Content = append(m.Content, registry.Content{Digest: c, Size: 1})
	}
	return m
}

func registryBlobs(t *testing.T, s registry.Store) {
	b := registry.Blob{Digest: sha("b"), Size: 7, Time: at(5)}
	_, err := s.GetRegistryBlob(t.Context(), "p/a", b.Digest)
	wantCode(t, err, sunya.NotFound)
	must(t, s.PutRegistryBlob(t.Context(), "p/a", b))
	earlier := b
	earlier.Time = at(1)
	must(t, s.PutRegistryBlob(t.Context(), "p/a", earlier)) // does not make it older
	got, err := s.GetRegistryBlob(t.Context(), "p/a", b.Digest)
	must(t, err)
	wantSame(t, got, &b)
	_, err = s.GetRegistryBlob(t.Context(), "p/b", b.Digest)
	wantCode(t, err, sunya.NotFound)
	for project, want := range map[string]sunya.Code{"": sunya.OK, "p": sunya.OK, "q": sunya.NotFound, "p/a": sunya.OK, "p/": sunya.NotFound} {
		_, err = s.FindRegistryBlob(t.Context(), project, b.Digest)
		wantCode(t, err, want)
	}
	must(t, s.DeleteRegistryBlob(t.Context(), "p/a", b.Digest))
	wantCode(t, s.DeleteRegistryBlob(t.Context(), "p/a", b.Digest), sunya.NotFound)
}

func registryManifests(t *testing.T, s registry.Store) {
	m := manifest(sha("1"), sha("b"))
	_, err := s.GetRegistryManifest(t.Context(), "p/a", m.Digest)
	wantCode(t, err, sunya.NotFound)
	for range 2 { // what is there may be pushed again
		must(t, s.PutRegistryManifest(t.Context(), m, []string{"v1", "latest"}, anything))
	}
	for _, version := range []string{m.Digest, "v1", "latest"} {
		got, err := s.GetRegistryManifest(t.Context(), "p/a", version)
		must(t, err)
		wantSame(t, got, m)
	}
	must(t, s.PutRegistryManifest(t.Context(), manifest(sha("0")), nil, anything))
	all, err := s.ListRegistryManifests(t.Context(), "p/a", "", 0)
	must(t, err)
	if len(all) != 2 || all[0].Digest != sha("0") {
		t.Errorf("manifests = %v, want two in order", all)
	}
	all, err = s.ListRegistryManifests(t.Context(), "p/a", sha("0"), 1)
	must(t, err)
	wantSame(t, all, []registry.Manifest{*m})
	all, err = s.ManifestsOfType(t.Context(), "config")
	must(t, err)
	if len(all) != 2 {
		t.Errorf("%d manifests of the type, want 2", len(all))
	}
	must(t, s.DeleteRegistryManifest(t.Context(), "p/a", m.Digest))
	wantCode(t, s.DeleteRegistryManifest(t.Context(), "p/a", m.Digest), sunya.NotFound)
	_, err = s.GetRegistryManifest(t.Context(), "p/a", "v1")
	wantCode(t, err, sunya.NotFound)
}

// A manifest is stored only when what it needs is there at that moment.
func registryCheck(t *testing.T, s registry.Store) {
	must(t, s.PutRegistryBlob(t.Context(), "p/a", registry.Blob{Digest: sha("b"), Size: 7}))
	must(t, s.PutRegistryManifest(t.Context(), manifest(sha("2")), nil, anything))
	missing := errors.New("missing")
	err := s.PutRegistryManifest(t.Context(), manifest(sha("1")), []string{"v1"}, func(c registry.Contents) error {
		if size, ok, err := c.BlobSize(sha("b")); size != 7 || !ok || err != nil {
			t.Errorf("blob: %d, %v, %v", size, ok, err)
		}
		if size, ok, err := c.ManifestSize(sha("2")); size != 2 || !ok || err != nil {
			t.Errorf("manifest: %d, %v, %v", size, ok, err)
		}
		if _, ok, err := c.BlobSize(sha("c")); ok || err != nil {
			t.Errorf("no blob: %v, %v", ok, err)
		}
		return missing
	})
	if !errors.Is(err, missing) {
		t.Errorf("%v, want the error of the check", err)
	}
	_, err = s.GetRegistryManifest(t.Context(), "p/a", "v1")
	wantCode(t, err, sunya.NotFound)
}

func registryTags(t *testing.T, s registry.Store) {
	must(t, s.PutRegistryManifest(t.Context(), manifest(sha("1")), []string{"b", "a", "B"}, anything))
	must(t, s.PutRegistryManifest(t.Context(), manifest(sha("2")), []string{"a"}, anything))
	tags, err := s.ListRegistryTags(t.Context(), "p/a", "", 0)
	must(t, err)
	wantSame(t, tags, []registry.Tag{{Name: "B", Digest: sha("1"), Time: at(1)}, {Name: "a", Digest: sha("2"), Time: at(1)}, {Name: "b", Digest: sha("1"), Time: at(1)}})
	tags, err = s.ListRegistryTags(t.Context(), "p/a", "B", 1)
	must(t, err)
	if len(tags) != 1 || tags[0].Name != "a" {
		t.Errorf("tags = %v, want a", tags)
	}
	must(t, s.DeleteRegistryTag(t.Context(), "p/a", "a"))
	wantCode(t, s.DeleteRegistryTag(t.Context(), "p/a", "a"), sunya.NotFound)
	_, err = s.GetRegistryManifest(t.Context(), "p/a", sha("2"))
	must(t, err)
}

func registryReferrers(t *testing.T, s registry.Store) {
	m := manifest(sha("1"))
	m.Subject, m.ArtifactType = sha("9"), "signature"
	must(t, s.PutRegistryManifest(t.Context(), m, nil, anything))
	must(t, s.PutRegistryManifest(t.Context(), manifest(sha("2")), nil, anything))
	got, err := s.ListReferrers(t.Context(), "p/a", sha("9"))
	must(t, err)
	wantSame(t, got, []registry.Manifest{*m})
	for _, subject := range []string{"", sha("2")} {
		if got, err := s.ListReferrers(t.Context(), "p/a", subject); err != nil || len(got) > 0 {
			t.Errorf("referrers of %q: %v, %v", subject, got, err)
		}
	}
}

func registryRepositories(t *testing.T, s registry.Store) {
	for _, r := range []string{"p/b", "p/a", "q/c"} {
		must(t, s.PutRegistryBlob(t.Context(), r, registry.Blob{Digest: sha("b")}))
	}
	m := manifest(sha("1"))
	m.Repository = "p/a/x"
	must(t, s.PutRegistryManifest(t.Context(), m, nil, anything))
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          string
	}{
		{"", "", 0, "p/a p/a/x p/b q/c"}, {"p/", "", 2, "p/a p/a/x"}, {"p/", "p/a/x", 2, "p/b"}, {"z", "", 0, ""},
	} {
		got, err := s.ListRepositories(t.Context(), c.prefix, c.after, c.limit)
		must(t, err)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// What is old and what needs what: the letters that are left are the digests.
func registryCollect(t *testing.T, s registry.Store) {
	young, old := at(10), at(1)
	put := func(digest string, when time.Time, change func(*registry.Manifest), tags []string, contents ...string) {
		m := manifest(digest, contents...)
		m.Time = when
		if change != nil {
			change(m)
		}
		must(t, s.PutRegistryManifest(t.Context(), m, tags, anything))
	}
	for _, b := range "012345678" {
		must(t, s.PutRegistryBlob(t.Context(), "p/a", registry.Blob{Digest: "sha256:blob" + string(b), Time: old}))
	}
	must(t, s.PutRegistryBlob(t.Context(), "p/a", registry.Blob{Digest: "sha256:fresh", Time: young}))
	about := func(subject string) func(*registry.Manifest) {
		return func(m *registry.Manifest) { m.Subject = subject }
	}
	pulled := func(m *registry.Manifest) { m.Pulled = true }
	put(sha("0"), old, nil, []string{"latest"}, "sha256:blob0")
	put(sha("1"), old, nil, nil, "sha256:blob1")             // nobody needs it
	put(sha("2"), old, nil, nil, "sha256:blob2")             // a revision needs it
	put(sha("3"), young, nil, nil, "sha256:blob3")           // just pushed
	put(sha("4"), old, about(sha("0")), nil, "sha256:blob4") // a signature of one that is kept
	put(sha("5"), old, about(sha("1")), nil, "sha256:blob5") // a signature of one that is not
	put(sha("6"), old, nil, nil, "sha256:blob6")             // named by a tagged index
	put(sha("a"), old, nil, []string{"index"}, sha("6"))     // that index
	put(sha("7"), at(6), pulled, nil, "sha256:blob7")        // pulled, older than those may be
	put(sha("8"), at(6), nil, nil, "sha256:blob8")           // pushed at that time
	manifests, blobs, err := s.CollectRegistry(t.Context(), registry.Lives{InUse: []string{sha("2")}, Pushed: at(5), Pulled: at(7), Blobs: at(5)})
	must(t, err)
	if manifests != 3 || blobs != 3 {
		t.Errorf("%d manifests and %d blobs collected, want 3 and 3", manifests, blobs)
	}
	left, err := s.ListRegistryManifests(t.Context(), "p/a", "", 0)
	must(t, err)
	got := ""
	for _, m := range left {
		got += m.Digest[len("sha256:"):][:1]
	}
	if got != "023468a" {
		t.Errorf("left are %s, want 023468a", got)
	}
	for digest, want := range map[string]sunya.Code{"sha256:blob0": sunya.OK, "sha256:blob4": sunya.OK, "sha256:blob6": sunya.OK, "sha256:fresh": sunya.OK, "sha256:blob1": sunya.NotFound, "sha256:blob5": sunya.NotFound, "sha256:blob7": sunya.NotFound} {
		_, err := s.GetRegistryBlob(t.Context(), "p/a", digest)
		wantCode(t, err, want)
	}
}

func registryImages(t *testing.T, s registry.Store) {
	for _, r := range []string{"p/b", "p/a", "p/a/x", "pq/a"} {
		for _, d := range []string{"2", "1"} {
			m := manifest(sha(d))
			m.Repository = r
			must(t, s.PutRegistryManifest(t.Context(), m, nil, anything))
		}
	}
	got, after := "", ""
	for {
		page, err := s.ListImages(t.Context(), "p/", after, 2)
		must(t, err)
		for _, m := range page {
			after = m.Repository + "@" + m.Digest
			got += m.Repository + "@" + m.Digest[7:8] + " "
		}
		if len(page) < 2 {
			break
		}
	}
	if want := "p/a@1 p/a@2 p/a/x@1 p/a/x@2 p/b@1 p/b@2 "; got != want {
		t.Errorf("images = %s, want %s", got, want)
	}
}

func registryFolders(t *testing.T, s registry.Store) {
	f := registry.Folder{FolderKey: registry.FolderKey{Project: "p", Location: "l", ID: "r"}, Description: "ü", Labels: map[string]string{"a": "b"}, CreateTime: at(1)}
	_, err := s.GetFolder(t.Context(), f.FolderKey)
	wantCode(t, err, sunya.NotFound)
	must(t, s.CreateFolder(t.Context(), &f))
	wantCode(t, s.CreateFolder(t.Context(), &f), sunya.AlreadyExists)
	got, err := s.GetFolder(t.Context(), f.FolderKey)
	must(t, err)
	wantSame(t, got, &f)
	second := f
	second.Location = "a"
	must(t, s.CreateFolder(t.Context(), &second))
	all, err := s.ListFolders(t.Context(), "p")
	must(t, err)
	wantSame(t, all, []registry.Folder{second, f})
	must(t, s.DeleteFolder(t.Context(), f.FolderKey))
	wantCode(t, s.DeleteFolder(t.Context(), f.FolderKey), sunya.NotFound)
}
