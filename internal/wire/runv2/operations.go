package runv2

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// resource is what an operation works on: as it is, as it was when it was
// deleted, or by its name alone when it is gone since.
func (a *API) resource(ctx context.Context, op *sunya.Operation) (proto.Message, error) {
	switch {
	case strings.Contains(op.Target, "/revisions/"):
		return a.revisionOf(ctx, op)
	default:
		return a.serviceOf(ctx, op)
	}
}

func (a *API) serviceOf(ctx context.Context, op *sunya.Operation) (proto.Message, error) {
	if s, err := deleted[run.Service](op); s != nil || err != nil {
		return show(s, err, a.show.Service)
	}
	k, err := parseService("name", op.Target)
	if err != nil {
		return nil, err
	}
	s, err := a.Admin.Service(ctx, k)
	if sunya.CodeOf(err) == sunya.NotFound {
		return &runpb.Service{Name: op.Target}, nil
	}
	return show(s, err, a.show.Service)
}

func (a *API) revisionOf(ctx context.Context, op *sunya.Operation) (proto.Message, error) {
	if r, err := deleted[run.Revision](op); r != nil || err != nil {
		return show(r, err, a.show.Revision)
	}
	k, id, err := parseRevision(op.Target)
	if err != nil {
		return nil, err
	}
	r, err := a.Admin.Revision(ctx, k, id)
	if sunya.CodeOf(err) == sunya.NotFound {
		return &runpb.Revision{Name: op.Target}, nil
	}
	return show(r, err, a.show.Revision)
}

// deleted is what a deletion has put into its operation, nil for none.
func deleted[T any](op *sunya.Operation) (*T, error) {
	if len(op.Response) == 0 {
		return nil, nil
	}
	out := new(T)
	if err := json.Unmarshal(op.Response, out); err != nil {
		return nil, fmt.Errorf("decode response of %s: %w", op.Name, err)
	}
	return out, nil
}

// show is one of the model as a message. A nil message is not one in an
// interface.
func show[T any, M proto.Message](v *T, err error, encode func(*T) (M, error)) (proto.Message, error) {
	if err != nil {
		return nil, err
	}
	m, err := encode(v)
	if err != nil {
		return nil, err
	}
	return m, nil
}
