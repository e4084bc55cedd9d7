package artifactregistryv1

import (
	"context"
	"regexp"
	"strings"

	pb "cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// DeletePackage implements the service: all images of one name.
func (a *API) DeletePackage(ctx context.Context, req *pb.DeletePackageRequest) (*longrunningpb.Operation, error) {
	i, err := parseItem("name", req.GetName(), "packages", "")
	if err != nil {
		return nil, err
	}
	if err := a.Registry.DeleteRepository(ctx, i.repository()); err != nil {
		return nil, err
	}
	return a.done(ctx, "DeletePackage", i.parent(), req.GetName())
}

func (i item) parent() string { return sunya.LocationName(i.Project, i.Location) }

// DeleteVersion implements the service: one image, by its digest. Tags that are
// set to it keep it, unless force is set.
func (a *API) DeleteVersion(ctx context.Context, req *pb.DeleteVersionRequest) (*longrunningpb.Operation, error) {
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
	set, err := tags.of(ctx, m)
	if err != nil {
		return nil, err
	}
	if len(set) > 0 && !req.GetForce() {
		return nil, sunya.Errorf(sunya.FailedPrecondition, req.GetName(), "the image has the tags %s: delete them first, or set force", strings.Join(set, ", "))
	}
	if err := a.Registry.Delete(ctx, i.repository(), i.part); err != nil {
		return nil, err
	}
	return a.done(ctx, "DeleteVersion", i.parent(), req.GetName())
}

// GetTag implements the service.
func (a *API) GetTag(ctx context.Context, req *pb.GetTagRequest) (*pb.Tag, error) {
	i, err := parseItem("name", req.GetName(), "packages", "tags")
	if err != nil {
		return nil, err
	}
	m, err := a.Registry.Manifest(ctx, i.repository(), i.part)
	if err != nil {
		return nil, err
	}
	return i.tag(i.part, m.Digest), nil
}

// tag shows a tag of an image.
func (i item) tag(tag, digest string) *pb.Tag {
	base := i.Name() + "/packages/" + escape(i.image)
	return &pb.Tag{Name: base + "/tags/" + tag, Version: base + "/versions/" + digest}
}

// ListTags implements the service.
func (a *API) ListTags(ctx context.Context, req *pb.ListTagsRequest) (*pb.ListTagsResponse, error) {
	i, err := parseItem("parent", req.GetParent(), "packages", "")
	if err != nil {
		return nil, err
	}
	only, err := tagFilter(req.GetFilter())
	if err != nil {
		return nil, err
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(req.GetPageToken(), req.GetParent(), req.GetFilter())
	if err != nil {
		return nil, err
	}
	tags, err := a.Registry.Tags(ctx, i.repository(), after, size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListTagsResponse{}
	if len(tags) > size {
		tags = tags[:size]
		out.NextPageToken = page.Token(tags[size-1].Name, req.GetParent(), req.GetFilter())
	}
	for _, t := range tags {
		if only != "" && t.Digest != only {
			continue
		}
		out.Tags = append(out.Tags, i.tag(t.Name, t.Digest))
	}
	return out, nil
}

var tagFilterRE = regexp.MustCompile(`^version\s*=\s*"[^"]*/versions/([^"/]+)"$`)

// tagFilter reads the filter that gcloud asks with before it deletes an image:
// version="…/versions/DIGEST".
func tagFilter(filter string) (digest string, err error) {
	if filter == "" {
		return "", nil
	}
	m := tagFilterRE.FindStringSubmatch(filter)
	if m == nil {
		return "", &sunya.Error{Code: sunya.Unimplemented, Field: "filter", Message: `only version="NAME" is supported: leave it out and choose from the whole list`}
	}
	return m[1], nil
}

// CreateTag implements the service.
func (a *API) CreateTag(ctx context.Context, req *pb.CreateTagRequest) (*pb.Tag, error) {
	i, err := parseItem("parent", req.GetParent(), "packages", "")
	if err != nil {
		return nil, err
	}
	return a.setTag(ctx, i, req.GetTagId(), req.GetTag().GetVersion())
}

// UpdateTag implements the service: it moves a tag.
func (a *API) UpdateTag(ctx context.Context, req *pb.UpdateTagRequest) (*pb.Tag, error) {
	i, err := parseItem("tag.name", req.GetTag().GetName(), "packages", "tags")
	if err != nil {
		return nil, err
	}
	return a.setTag(ctx, i, i.part, req.GetTag().GetVersion())
}

func (a *API) setTag(ctx context.Context, i item, tag, version string) (*pb.Tag, error) {
	v, err := parseItem("tag.version", version, "packages", "versions")
	if err != nil {
		return nil, err
	}
	if v.repository() != i.repository() {
		return nil, sunya.Invalid("tag.version", "%q is a version of another package", version)
	}
	if err := a.Registry.SetTag(ctx, i.repository(), tag, v.part); err != nil {
		return nil, err
	}
	return i.tag(tag, v.part), nil
}

// DeleteTag implements the service.
func (a *API) DeleteTag(ctx context.Context, req *pb.DeleteTagRequest) (*emptypb.Empty, error) {
	i, err := parseItem("name", req.GetName(), "packages", "tags")
	if err != nil {
		return nil, err
	}
	if strings.Contains(i.part, ":") {
		return nil, sunya.Invalid("name", "%q is no tag", i.part)
	}
	return &emptypb.Empty{}, a.Registry.Delete(ctx, i.repository(), i.part)
}
