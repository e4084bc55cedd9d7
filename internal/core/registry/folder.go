package registry

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// FolderKey names a repository of Artifact Registry, which holds several images:
// the R of LOCATION-docker.pkg.dev/P/R/N. The registry protocol calls P/R/N a
// repository, and so does the rest of this package.
type FolderKey struct{ Project, Location, ID string }

// Name is the folder's resource name.
func (k FolderKey) Name() string {
	return sunya.LocationName(k.Project, k.Location) + "/repositories/" + k.ID
}

// Folder is what is known of one that somebody has made by hand. Others come to
// be with their first image, in every location.
type Folder struct {
	FolderKey
	Description string
	Labels      map[string]string
	CreateTime  time.Time
}

// RootFolder holds the images without a folder, as Artifact Registry shows
// those of gcr.io/P/N.
const RootFolder = "gcr.io"

var folderRE = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CreateFolder makes a folder.
func (s *Service) CreateFolder(ctx context.Context, f Folder) (*Folder, error) {
	if !folderRE.MatchString(f.ID) {
		return nil, sunya.Invalid("repositoryId", "%q is not the id of a repository: use 1 to 63 lower-case letters, digits and dashes, beginning with a letter", f.ID)
	}
	f.CreateTime = s.now()
	if err := s.store.CreateFolder(ctx, &f); err != nil {
		return nil, err
	}
	return &f, nil
}

// Folder returns a folder, also one that nobody has made and that has an image.
func (s *Service) Folder(ctx context.Context, k FolderKey) (*Folder, error) {
	f, err := s.store.GetFolder(ctx, k)
	if sunya.CodeOf(err) != sunya.NotFound {
		return f, err
	}
	images, e := s.Images(ctx, k.Project, k.ID, "", 1)
	if e != nil {
		return nil, e
	}
	if len(images) == 0 {
		return nil, err
	}
	return &Folder{FolderKey: k, CreateTime: images[0].Time}, nil
}

// Folders returns those of a project, in one location or, when that is empty, in
// all: what somebody has made, and what has images, which is in every location.
func (s *Service) Folders(ctx context.Context, project, location, anywhere string) ([]Folder, error) {
	all, err := s.store.ListFolders(ctx, project)
	if err != nil {
		return nil, err
	}
	names, err := s.store.ListRepositories(ctx, project+"/", "", 0)
	if err != nil {
		return nil, err
	}
	var out []Folder
	made := map[string]bool{}
	for _, f := range all {
		made[f.ID] = true
		if location == "" || f.Location == location {
			out = append(out, f)
		}
	}
	if location == "" {
		location = anywhere
	}
	for _, name := range names {
		id, _ := Split(name)
		if made[id] {
			continue
		}
		images, err := s.store.ListRegistryManifests(ctx, name, "", 1)
		if err != nil {
			return nil, err
		}
		if len(images) > 0 { // and not only blobs that are on their way
			made[id] = true
			out = append(out, Folder{FolderKey: FolderKey{project, location, id}, CreateTime: images[0].Time})
		}
	}
	slices.SortFunc(out, func(a, b Folder) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// Split returns the folder of a repository and the name of the image in it.
func Split(repository string) (folder, image string) {
	_, rest, _ := strings.Cut(repository, "/")
	folder, image, ok := strings.Cut(rest, "/")
	if !ok {
		return RootFolder, rest
	}
	return folder, image
}

// Join is the inverse of Split.
func Join(project, folder, image string) string {
	if folder == RootFolder {
		return project + "/" + image
	}
	return project + "/" + folder + "/" + image
}

// Images returns the images of a folder, or of all folders of a project when
// folder is "-", in the order of their names, after REPOSITORY@DIGEST.
func (s *Service) Images(ctx context.Context, project, folder, after string, limit int) ([]Manifest, error) {
	prefix := project + "/"
	if folder != "-" && folder != RootFolder {
		prefix += folder + "/"
	}
	var out []Manifest
	size := max(limit, imagesAtOnce)
	for len(out) < limit {
		page, err := s.store.ListImages(ctx, prefix, after, size)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			after = m.Repository + "@" + m.Digest
			if f, _ := Split(m.Repository); len(out) < limit && (folder == "-" || f == folder) {
				out = append(out, m)
			}
		}
		if len(page) < size {
			break
		}
	}
	return out, nil
}

// imagesAtOnce is how many images are looked at in one go where only some are
// wanted.
const imagesAtOnce = 100

// Names returns the repositories of a folder that have an image, after one of
// them.
func (s *Service) Names(ctx context.Context, project, folder, after string, limit int) ([]string, error) {
	var out []string
	for len(out) < limit {
		if after != "" {
			after += "@~" // behind every digest
		}
		images, err := s.Images(ctx, project, folder, after, 1)
		if err != nil {
			return nil, err
		}
		if len(images) == 0 {
			break
		}
		after = images[0].Repository
		out = append(out, after)
	}
	return out, nil
}

// DeleteFolder removes a folder and all its images.
func (s *Service) DeleteFolder(ctx context.Context, k FolderKey) error {
	if _, err := s.Folder(ctx, k); err != nil {
		return err
	}
	for {
		images, err := s.Images(ctx, k.Project, k.ID, "", 100)
		if err != nil {
			return err
		}
		for _, m := range images {
			if err := s.Delete(ctx, m.Repository, m.Digest); err != nil && sunya.CodeOf(err) != sunya.NotFound {
				return err
			}
		}
		if len(images) < 100 {
			break
		}
	}
	err := s.store.DeleteFolder(ctx, k)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil // nobody had made it
	}
	return err
}

// DeleteRepository removes all images of one name.
func (s *Service) DeleteRepository(ctx context.Context, repository string) error {
	manifests, err := s.store.ListRegistryManifests(ctx, repository, "", 0)
	if err != nil {
		return err
	}
	if len(manifests) == 0 {
		return fault(sunya.NotFound, NameUnknown, "there is no repository %s", repository)
	}
	for _, m := range manifests {
		if err := s.Delete(ctx, repository, m.Digest); err != nil && sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
	}
	return nil
}

// SetTag makes a tag stand for a manifest that is there.
func (s *Service) SetTag(ctx context.Context, repository, tag, digest string) error {
	m, err := s.Manifest(ctx, repository, digest)
	if err != nil {
		return err
	}
	_, err = s.PutManifest(ctx, Pushed{
		Repository: repository, Digest: m.Digest, Tags: []string{tag}, MediaType: m.MediaType, Body: m.Body, Pulled: m.Pulled, Sparse: true,
	})
	return err
}
