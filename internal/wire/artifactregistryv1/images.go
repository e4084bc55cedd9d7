package artifactregistryv1

import (
	"context"
	"strings"

	pb "cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// ListDockerImages implements the service. The repository "-" stands for all of
// the project.
func (a *API) ListDockerImages(ctx context.Context, req *pb.ListDockerImagesRequest) (*pb.ListDockerImagesResponse, error) {
	k, err := parseRepository("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	if req.GetOrderBy() != "" {
		return nil, noFilter()
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(req.GetPageToken(), req.GetParent())
	if err != nil {
		return nil, err
	}
	found, err := a.Registry.Images(ctx, k.Project, k.ID, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListDockerImagesResponse{}
	if len(found) > size {
		found = found[:size]
		last := found[size-1]
		out.NextPageToken = page.Token(last.Repository+"@"+last.Digest, req.GetParent())
	}
	tags := tagsOf{a: a}
	for i := range found {
		img, err := tags.image(ctx, k, &found[i])
		if err != nil {
			return nil, err
		}
		out.DockerImages = append(out.DockerImages, img)
	}
	return out, nil
}

// GetDockerImage implements the service. An image is named by its digest, or,
// which Google does not have, by a tag.
func (a *API) GetDockerImage(ctx context.Context, req *pb.GetDockerImageRequest) (*pb.DockerImage, error) {
	i, err := parseItem("name", req.GetName(), "dockerImages", "")
	if err != nil {
		return nil, err
	}
	version := ""
	if image, digest, ok := strings.Cut(i.image, "@"); ok {
		i.image, version = image, digest
	} else if image, tag, ok := strings.Cut(i.image, ":"); ok {
		i.image, version = image, tag
	} else {
		return nil, sunya.Invalid("name", "%q names no image: add @sha256:… or :TAG", req.GetName())
	}
	m, err := a.Registry.Manifest(ctx, i.repository(), version)
	if err != nil {
		return nil, err
	}
	tags := tagsOf{a: a}
	return tags.image(ctx, i.FolderKey, m)
}

// tagsOf remembers the tags of the repository that was asked for last.
type tagsOf struct {
	a          *API
	repository string
	tags       map[string][]string // by digest
}

func (t *tagsOf) of(ctx context.Context, m *registry.Manifest) ([]string, error) {
	if t.repository != m.Repository {
		tags, err := t.a.Registry.Tags(ctx, m.Repository, "", 0)
		if err != nil {
			return nil, err
		}
		t.repository, t.tags = m.Repository, map[string][]string{}
		for _, tag := range tags {
			t.tags[tag.Digest] = append(t.tags[tag.Digest], tag.Name)
		}
	}
	return t.tags[m.Digest], nil
}

// image shows a manifest as an image of a folder.
func (t *tagsOf) image(ctx context.Context, k registry.FolderKey, m *registry.Manifest) (*pb.DockerImage, error) {
	tags, err := t.of(ctx, m)
	if err != nil {
		return nil, err
	}
	folder, image := registry.Split(m.Repository)
	k.ID = folder
	out := &pb.DockerImage{
		Name: k.Name() + "/dockerImages/" + escape(image) + "@" + m.Digest,
		Uri:  uri(k, image) + "@" + m.Digest,
		Tags: tags, MediaType: m.MediaType,
		UploadTime: when(m.Time), UpdateTime: when(m.Time),
	}
	if m.ArtifactType != m.ConfigType {
		out.ArtifactType = m.ArtifactType
	}
	for _, c := range m.Content {
		if !c.Manifest {
			out.ImageSizeBytes += c.Size
			continue
		}
		entry := &pb.ImageManifest{Digest: c.Digest, MediaType: c.MediaType}
		if c.Platform != nil {
			entry.Architecture, entry.Os, entry.Variant = c.Platform.Architecture, c.Platform.OS, c.Platform.Variant
		}
		out.ImageManifests = append(out.ImageManifests, entry)
	}
	return out, nil
}
