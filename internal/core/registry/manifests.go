package registry

import (
	"context"

	"github.com/sunya-cloud/sunya"
)

// Pushed is a manifest on its way into a repository.
type Pushed struct {
	Repository string
	Digest     string   // which it must have; empty: whatever it has
	Tags       []string // which are set to it
	MediaType  string   // as its sender says; empty: as it says itself
	Body       []byte
	Pulled     bool // it comes from another registry
	Sparse     bool // what it names may be missing: it comes when it is asked for
}

// PutManifest takes a manifest whose parts are all here.
func (s *Service) PutManifest(ctx context.Context, p Pushed) (*Manifest, error) {
	if err := CheckName(p.Repository); err != nil {
		return nil, err
	}
	for _, t := range p.Tags {
		if err := CheckTag(t); err != nil {
			return nil, err
		}
	}
	m, err := ParseManifest(p.Body, p.MediaType)
	if err != nil {
		return nil, err
	}
	if p.Digest != "" {
		if err := Verify(p.Digest, p.Body); err != nil {
			return nil, err
		}
		m.Digest = p.Digest
	}
	m.Repository, m.Time, m.Pulled = p.Repository, s.now(), p.Pulled
	err = s.store.PutRegistryManifest(ctx, m, p.Tags, func(c Contents) error { return m.complete(c, p.Sparse) })
	if err != nil {
		return nil, err
	}
	return m, nil
}

// complete says what of a manifest is not in its repository, or not as large as
// the manifest says.
func (m *Manifest) complete(has Contents, sparse bool) error {
	for _, c := range m.Content {
		kind, find := "blob", has.BlobSize
		if c.Manifest {
			kind, find = "manifest", has.ManifestSize
		}
		size, ok, err := find(c.Digest)
		switch {
		case err != nil:
			return err
		case !ok && (c.Elsewhere || sparse):
		case !ok:
			return fault(sunya.NotFound, ManifestBlobUnknown, "the repository %s has no %s %s, which the manifest names: push it first", m.Repository, kind, c.Digest)
		case size != c.Size:
			return fault(sunya.InvalidArgument, ManifestInvalid, "the manifest is invalid: it says that the %s %s has %d bytes, which has %d", kind, c.Digest, c.Size, size)
		}
	}
	return nil
}

// Manifest returns what a tag or digest of a repository stands for.
func (s *Service) Manifest(ctx context.Context, repository, version string) (*Manifest, error) {
	if err := checkVersion(repository, version); err != nil {
		return nil, err
	}
	m, err := s.store.GetRegistryManifest(ctx, repository, version)
	if err != nil {
		return nil, because(err, sunya.NotFound, ManifestUnknown, "the repository %s has no manifest %s", repository, version)
	}
	return m, nil
}

// checkVersion reports whether version is a digest or a tag.
func checkVersion(repository, version string) error {
	if err := CheckName(repository); err != nil {
		return err
	}
	if tagRE.MatchString(version) {
		return nil
	}
	if err := CheckDigest(version); err != nil {
		return fault(sunya.InvalidArgument, ManifestInvalid, "%.200q is neither a tag nor a digest", version)
	}
	return nil
}

// Delete removes a tag, or a manifest with all its tags.
func (s *Service) Delete(ctx context.Context, repository, version string) error {
	if err := checkVersion(repository, version); err != nil {
		return err
	}
	var err error
	if tagRE.MatchString(version) {
		err = s.store.DeleteRegistryTag(ctx, repository, version)
	} else {
		err = s.store.DeleteRegistryManifest(ctx, repository, version)
	}
	return because(err, sunya.NotFound, ManifestUnknown, "the repository %s has no manifest %s", repository, version)
}

// Referrers returns the manifests that are about another one, whether or not
// that one is here. An empty artifactType is any.
func (s *Service) Referrers(ctx context.Context, repository, subject, artifactType string) ([]Manifest, error) {
	if err := CheckName(repository); err != nil {
		return nil, err
	}
	if err := CheckDigest(subject); err != nil {
		return nil, err
	}
	all, err := s.store.ListReferrers(ctx, repository, subject)
	if err != nil || artifactType == "" {
		return all, err
	}
	out := all[:0]
	for _, m := range all {
		if m.ArtifactType == artifactType {
			out = append(out, m)
		}
	}
	return out, nil
}

// Tags returns the tags of a repository in the order of their bytes, after one
// of them. One that has nothing is NotFound.
func (s *Service) Tags(ctx context.Context, repository, after string, limit int) ([]Tag, error) {
	if err := CheckName(repository); err != nil {
		return nil, err
	}
	tags, err := s.store.ListRegistryTags(ctx, repository, after, limit)
	if err != nil || len(tags) > 0 {
		return tags, err
	}
	found, err := s.store.ListRepositories(ctx, repository, "", 1)
	if err == nil && (len(found) == 0 || found[0] != repository) {
		err = fault(sunya.NotFound, NameUnknown, "there is no repository %s", repository)
	}
	return nil, err
}

// Manifests returns the manifests of a repository in the order of their digests.
func (s *Service) Manifests(ctx context.Context, repository, after string, limit int) ([]Manifest, error) {
	return s.store.ListRegistryManifests(ctx, repository, after, limit)
}

// OfType returns the manifests of all repositories whose configuration has that
// media type.
func (s *Service) OfType(ctx context.Context, config string) ([]Manifest, error) {
	return s.store.ManifestsOfType(ctx, config)
}

// Repositories returns the names of repositories that begin with prefix, after
// one of them.
func (s *Service) Repositories(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	return s.store.ListRepositories(ctx, prefix, after, limit)
}
