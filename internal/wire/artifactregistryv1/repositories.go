package artifactregistryv1

import (
	"context"

	pb "cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// Page sizes of lists.
const (
	defaultPage = 100
	maxPage     = 1000
)

// anywhere is the location of repositories that nobody has made, where all
// locations are asked for.
const anywhere = "us"

// CreateRepository implements the service.
func (a *API) CreateRepository(ctx context.Context, req *pb.CreateRepositoryRequest) (*longrunningpb.Operation, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	r := req.GetRepository()
	if f := r.GetFormat(); f != pb.Repository_DOCKER {
		return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "repository.format", Message: f.String() + " is not supported: only DOCKER is"}
	}
	if m := r.GetMode(); m != pb.Repository_MODE_UNSPECIFIED && m != pb.Repository_STANDARD_REPOSITORY {
		return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "repository.mode", Message: m.String() + " is not supported: only STANDARD_REPOSITORY is; other registries are reached by sunya up --registry-mirror"}
	}
	f, err := a.Registry.CreateFolder(ctx, registry.Folder{
		FolderKey:   registry.FolderKey{Project: project, Location: location, ID: req.GetRepositoryId()},
		Description: r.GetDescription(), Labels: r.GetLabels(),
	})
	if err != nil {
		return nil, err
	}
	return a.done(ctx, "CreateRepository", req.GetParent(), f.Name())
}

// GetRepository implements the service.
func (a *API) GetRepository(ctx context.Context, req *pb.GetRepositoryRequest) (*pb.Repository, error) {
	k, err := parseRepository("name", req.GetName())
	if err != nil {
		return nil, err
	}
	f, err := a.Registry.Folder(ctx, k)
	if err != nil {
		return nil, err
	}
	return a.repository(ctx, f)
}

// ListRepositories implements the service.
func (a *API) ListRepositories(ctx context.Context, req *pb.ListRepositoriesRequest) (*pb.ListRepositoriesResponse, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	if req.GetFilter() != "" || req.GetOrderBy() != "" {
		return nil, noFilter()
	}
	if location == "-" {
		location = ""
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(req.GetPageToken(), req.GetParent())
	if err != nil {
		return nil, err
	}
	folders, err := a.Registry.Folders(ctx, project, location, anywhere)
	if err != nil {
		return nil, err
	}
	out := &pb.ListRepositoriesResponse{}
	for i := range folders {
		if folders[i].Name() <= after {
			continue
		}
		if len(out.GetRepositories()) == size {
			out.NextPageToken = page.Token(out.GetRepositories()[size-1].GetName(), req.GetParent())
			break
		}
		r, err := a.repository(ctx, &folders[i])
		if err != nil {
			return nil, err
		}
		out.Repositories = append(out.Repositories, r)
	}
	return out, nil
}

// DeleteRepository implements the service.
func (a *API) DeleteRepository(ctx context.Context, req *pb.DeleteRepositoryRequest) (*longrunningpb.Operation, error) {
	k, err := parseRepository("name", req.GetName())
	if err != nil {
		return nil, err
	}
	if err := a.Registry.DeleteFolder(ctx, k); err != nil {
		return nil, err
	}
	return a.done(ctx, "DeleteRepository", sunya.LocationName(k.Project, k.Location), k.Name())
}

func (a *API) repository(ctx context.Context, f *registry.Folder) (*pb.Repository, error) {
	out := &pb.Repository{
		Name: f.Name(), Format: pb.Repository_DOCKER, Mode: pb.Repository_STANDARD_REPOSITORY,
		Description: f.Description, Labels: f.Labels, CreateTime: when(f.CreateTime), UpdateTime: when(f.CreateTime),
		RegistryUri: uri(f.FolderKey, ""),
	}
	images, err := a.Registry.Images(ctx, f.Project, f.ID, "", maxPage)
	if err != nil {
		return nil, err
	}
	sizes := map[string]int64{} // layers that images share count once
	for _, m := range images {
		for _, c := range m.Content {
			if !c.Manifest {
				sizes[c.Digest] = c.Size
			}
		}
	}
	for _, size := range sizes {
		out.SizeBytes += size
	}
	return out, nil
}

func noFilter() error {
	return &sunya.Error{Code: sunya.Unimplemented, Field: "filter", Message: "filter and orderBy are not supported yet: leave them out and choose from the whole list"}
}
