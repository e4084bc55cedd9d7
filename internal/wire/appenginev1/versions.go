package appenginev1

import (
	"context"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// Page sizes of lists.
const (
	defaultPage = 20
	maxPage     = 1000
)

type versions struct{ *API }

func (s versions) CreateVersion(ctx context.Context, req *appenginepb.CreateVersionRequest) (*longrunningpb.Operation, error) {
	project, service, err := parseService("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	if req.GetVersion() == nil {
		return nil, sunya.Invalid("version", "is missing")
	}
	n, err := newVersion(project, service, req.GetVersion())
	if err != nil {
		return nil, err
	}
	n.CreatedBy = s.User(ctx)
	return s.encode(ctx)(s.Admin.CreateVersion(ctx, n))
}

func (s versions) GetVersion(ctx context.Context, req *appenginepb.GetVersionRequest) (*appenginepb.Version, error) {
	k, err := parseVersion("name", req.GetName())
	if err != nil {
		return nil, err
	}
	v, err := s.Admin.Version(ctx, k)
	if err != nil {
		return nil, err
	}
	return s.version(v, req.GetView())
}

func (s versions) ListVersions(ctx context.Context, req *appenginepb.ListVersionsRequest) (*appenginepb.ListVersionsResponse, error) {
	project, service, err := parseService("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	size, after, err := pageOf(req, req.GetParent())
	if err != nil {
		return nil, err
	}
	vs, err := s.Admin.Versions(ctx, project, service, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &appenginepb.ListVersionsResponse{}
	if len(vs) > size {
		vs = vs[:size]
		out.NextPageToken = page.Token(vs[size-1].ID, req.GetParent())
	}
	for i := range vs {
		v, err := s.version(&vs[i], req.GetView())
		if err != nil {
			return nil, err
		}
		out.Versions = append(out.Versions, v)
	}
	return out, nil
}

func (s versions) UpdateVersion(ctx context.Context, req *appenginepb.UpdateVersionRequest) (*longrunningpb.Operation, error) {
	k, err := parseVersion("name", req.GetName())
	if err != nil {
		return nil, err
	}
	v := req.GetVersion()
	if v == nil {
		v = &appenginepb.Version{}
	}
	paths, err := fieldmask.Paths(req.GetUpdateMask(), v)
	if err != nil {
		return nil, err
	}
	return s.encode(ctx)(s.Admin.UpdateVersion(ctx, k, paths, s.versionChange(v, paths), s.User(ctx)))
}

// versionChange is the stored version with the fields of the mask replaced.
func (s versions) versionChange(want *appenginepb.Version, paths []string) appengine.VersionChange {
	return func(v *appengine.Version) error {
		now, err := s.version(v, appenginepb.VersionView_FULL)
		if err != nil {
			return err
		}
		if err := fieldmask.Apply(now, want, paths); err != nil {
			return err
		}
		v.InstanceClass = now.GetInstanceClass()
		v.ServingStatus = appengine.ServingStatus(now.GetServingStatus().String())
		v.Scaling = scaling(now)
		v.Document, err = document(now)
		return err
	}
}

func (s versions) DeleteVersion(ctx context.Context, req *appenginepb.DeleteVersionRequest) (*longrunningpb.Operation, error) {
	k, err := parseVersion("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return s.encode(ctx)(s.Admin.DeleteVersion(ctx, k, s.User(ctx)))
}

// encode takes what a method of Admin returns.
func (a *API) encode(ctx context.Context) func(*sunya.Operation, error) (*longrunningpb.Operation, error) {
	return func(op *sunya.Operation, err error) (*longrunningpb.Operation, error) {
		if err != nil {
			return nil, err
		}
		return a.ops.Encode(ctx, op)
	}
}

// pageOf reads the paging of a list request.
func pageOf(req interface {
	GetPageSize() int32
	GetPageToken() string
}, parent string) (size int, after string, err error) {
	size, err = page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return 0, "", err
	}
	after, err = page.Cursor(req.GetPageToken(), parent)
	return size, after, err
}
