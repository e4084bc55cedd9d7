package runv2

import (
	"context"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// revisions implements google.cloud.run.v2.Revisions.
type revisions struct {
	runpb.UnimplementedRevisionsServer
	*API
}

// GetRevision implements the service.
func (a *revisions) GetRevision(ctx context.Context, req *runpb.GetRevisionRequest) (*runpb.Revision, error) {
	k, id, err := parseRevision(req.GetName())
	if err != nil {
		return nil, err
	}
	r, err := a.Admin.Revision(ctx, k, id)
	if err != nil {
		return nil, err
	}
	return a.show.Revision(r)
}

// ListRevisions implements the service. The service "-" stands for all of the
// location.
func (a *revisions) ListRevisions(ctx context.Context, req *runpb.ListRevisionsRequest) (*runpb.ListRevisionsResponse, error) {
	k, err := parseService("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := cursor(req)
	if err != nil {
		return nil, err
	}
	all, err := a.Admin.Revisions(ctx, k, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &runpb.ListRevisionsResponse{}
	if len(all) > size {
		all = all[:size]
		last := all[size-1].Cursor()
		out.NextPageToken = page.Token(strconv.FormatInt(last.Time.UnixNano(), 10)+"/"+last.ID, req.GetParent())
	}
	for i := range all {
		r, err := a.show.Revision(&all[i])
		if err != nil {
			return nil, err
		}
		out.Revisions = append(out.Revisions, r)
	}
	return out, nil
}

// cursor reads the token that ListRevisions gave out.
func cursor(req *runpb.ListRevisionsRequest) (run.Cursor, error) {
	text, err := page.Cursor(req.GetPageToken(), req.GetParent())
	if err != nil || text == "" {
		return run.Cursor{}, err
	}
	at, id, _ := strings.Cut(text, "/")
	n, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return run.Cursor{}, sunya.Invalid("pageToken", "not a token that this server gave out: pass nextPageToken as it came, or leave it out to begin again")
	}
	return run.Cursor{Time: time.Unix(0, n), ID: id}, nil
}

// DeleteRevision implements the service.
func (a *revisions) DeleteRevision(ctx context.Context, req *runpb.DeleteRevisionRequest) (*longrunningpb.Operation, error) {
	k, id, err := parseRevision(req.GetName())
	if err != nil {
		return nil, err
	}
	r, op, err := a.Admin.DeleteRevision(ctx, k, id, run.Request{
		Method: "google.cloud.run.v2.Revisions.DeleteRevision", ETag: req.GetEtag(), ValidateOnly: req.GetValidateOnly(),
	})
	if err != nil {
		return nil, err
	}
	m, err := a.show.Revision(r)
	if err != nil {
		return nil, err
	}
	return lro.Of(op, m)
}
