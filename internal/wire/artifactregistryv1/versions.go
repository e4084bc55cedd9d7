package artifactregistryv1

import (
	"context"
	"strings"

	pb "cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// ListPackages implements the service: the names of images in a repository.
func (a *API) ListPackages(ctx context.Context, req *pb.ListPackagesRequest) (*pb.ListPackagesResponse, error) {
	k, err := parseRepository("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	if req.GetFilter() != "" || req.GetOrderBy() != "" {
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
	names, err := a.Registry.Names(ctx, k.Project, k.ID, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListPackagesResponse{}
	if len(names) > size {
		names = names[:size]
		out.NextPageToken = page.Token(names[size-1], req.GetParent())
	}
	for _, name := range names {
		_, image := registry.Split(name)
		p, err := a.pack(ctx, item{FolderKey: k, image: image})
		if err != nil {
			return nil, err
		}
		out.Packages = append(out.Packages, p)
	}
	return out, nil
}

// GetPackage implements the service.
func (a *API) GetPackage(ctx context.Context, req *pb.GetPackageRequest) (*pb.Package, error) {
	i, err := parseItem("name", req.GetName(), "packages", "")
	if err != nil {
		return nil, err
	}
	return a.pack(ctx, i)
}

// pack shows the images of one name. It is as old as the oldest of them.
func (a *API) pack(ctx context.Context, i item) (*pb.Package, error) {
	manifests, err := a.Registry.Manifests(ctx, i.repository(), "", 0)
	if err != nil {
		return nil, err
	}
	if len(manifests) == 0 {
		return nil, sunya.Errorf(sunya.NotFound, i.Name()+"/packages/"+escape(i.image), "there is no image of that name")
	}
	first, last := manifests[0].Time, manifests[0].Time
	for _, m := range manifests {
		if m.Time.Before(first) {
			first = m.Time
		}
		if m.Time.After(last) {
			last = m.Time
		}
	}
	return &pb.Package{Name: i.Name() + "/packages/" + escape(i.image), DisplayName: i.image, CreateTime: when(first), UpdateTime: when(last)}, nil
}

// ListVersions implements the service: the images of one name, by their digests.
func (a *API) ListVersions(ctx context.Context, req *pb.ListVersionsRequest) (*pb.ListVersionsResponse, error) {
	i, err := parseItem("parent", req.GetParent(), "packages", "")
	if err != nil {
		return nil, err
	}
	if req.GetFilter() != "" || req.GetOrderBy() != "" {
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
	manifests, err := a.Registry.Manifests(ctx, i.repository(), after, size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListVersionsResponse{}
	if len(manifests) > size {
		manifests = manifests[:size]
		out.NextPageToken = page.Token(manifests[size-1].Digest, req.GetParent())
	}
	tags := tagsOf{a: a}
	for n := range manifests {
		v, err := tags.version(ctx, i, &manifests[n])
		if err != nil {
			return nil, err
		}
		out.Versions = append(out.Versions, v)
	}
	return out, nil
}

// GetVersion implements the service.
func (a *API) GetVersion(ctx context.Context, req *pb.GetVersionRequest) (*pb.Version, error) {
	i, err := parseItem("name", req.GetName(), "packages", "versions")
	if err != nil {
		return nil, err
	}
	if !strings.Contains(i.part, ":") {
		return nil, sunya.Invalid("name", "%q is no version: those of images are their digests", i.part)
	}
	m, err := a.Registry.Manifest(ctx, i.repository(), i.part)
	if err != nil {
		return nil, err
	}
	tags := tagsOf{a: a}
	return tags.version(ctx, i, m)
}

// version shows an image as a version of its package.
func (t *tagsOf) version(ctx context.Context, i item, m *registry.Manifest) (*pb.Version, error) {
	tags, err := t.of(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &pb.Version{
		Name:       i.Name() + "/packages/" + escape(i.image) + "/versions/" + m.Digest,
		CreateTime: when(m.Time), UpdateTime: when(m.Time),
	}
	for _, tag := range tags {
		out.RelatedTags = append(out.RelatedTags, i.tag(tag, m.Digest))
	}
	return out, nil
}
