package pubsubv1

import (
	"context"
	"errors"
	"strings"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	gstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/schema"
)

// Schemas is what SchemaService stands on.
type Schemas interface {
	Compile(kind schema.Kind, definition string) (schema.Form, error)
	Create(ctx context.Context, s schema.Schema, definition string) (*schema.Record, error)
	Schema(ctx context.Context, name string) (*schema.Record, error)
	Get(ctx context.Context, name string) (*schema.Record, *schema.Revision, error)
	List(ctx context.Context, project, after string, limit int) ([]schema.Record, error)
	Commit(ctx context.Context, name string, kind schema.Kind, definition string) (*schema.Record, error)
	Rollback(ctx context.Context, name, revision string) (*schema.Record, error)
	DeleteRevision(ctx context.Context, name, revision string) (*schema.Record, error)
	Delete(ctx context.Context, name string) error
	ValidateStored(ctx context.Context, name string, e pubsub.Encoding, data []byte) error
	ValidateGiven(kind schema.Kind, definition string, e pubsub.Encoding, data []byte) error
	SetPolicy(ctx context.Context, name string, p iam.Policy, etag string) (iam.Policy, error)
}

// SchemaService implements pb.SchemaServiceServer.
type SchemaService struct {
	pb.UnimplementedSchemaServiceServer
	schemas Schemas
	newID   func() string
}

func kindOf(t pb.Schema_Type) schema.Kind {
	if t == pb.Schema_TYPE_UNSPECIFIED {
		return ""
	}
	return schema.Kind(t.String())
}

func schemaProto(rec *schema.Record, rev *schema.Revision, v pb.SchemaView) *pb.Schema {
	out := &pb.Schema{
		Name: rec.Name, Type: pb.Schema_Type(pb.Schema_Type_value[string(rec.Kind)]),
		RevisionId: rev.ID, RevisionCreateTime: timestamppb.New(rev.Created),
	}
	if v == pb.SchemaView_FULL {
		out.Definition = rev.Definition
	}
	return out
}

// newest answers with the newest revision.
func newest(rec *schema.Record, err error) (*pb.Schema, error) {
	if err != nil {
		return nil, err
	}
	return schemaProto(rec, rec.Last(), pb.SchemaView_FULL), nil
}

// CreateSchema implements the service. Without an id it gets one
// (google.pubsub.v1.CreateSchemaRequest.schema_id).
func (s *SchemaService) CreateSchema(ctx context.Context, r *pb.CreateSchemaRequest) (*pb.Schema, error) {
	if _, err := projectOf(r.GetParent()); err != nil {
		return nil, sunya.InField("parent", err)
	}
	id := r.GetSchemaId()
	if id == "" {
		id = "s" + strings.ReplaceAll(s.newID(), "-", "")
	}
	return newest(s.schemas.Create(ctx, schema.Schema{
		Name: r.GetParent() + "/" + pubsub.Schemas + "/" + id, Kind: kindOf(r.GetSchema().GetType()),
	}, r.GetSchema().GetDefinition()))
}

// GetSchema implements the service.
func (s *SchemaService) GetSchema(ctx context.Context, r *pb.GetSchemaRequest) (*pb.Schema, error) {
	rec, rev, err := s.schemas.Get(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	view := r.GetView()
	if view == pb.SchemaView_SCHEMA_VIEW_UNSPECIFIED {
		view = pb.SchemaView_FULL
	}
	return schemaProto(rec, rev, view), nil
}

// ListSchemas implements the service.
func (s *SchemaService) ListSchemas(ctx context.Context, r *pb.ListSchemasRequest) (*pb.ListSchemasResponse, error) {
	project, err := projectOf(r.GetParent())
	if err != nil {
		return nil, sunya.InField("parent", err)
	}
	w, err := newWindow(r.GetPageSize(), r.GetPageToken(), "schemas", project)
	if err != nil {
		return nil, err
	}
	found, err := s.schemas.List(ctx, project, w.after, w.size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListSchemasResponse{}
	found, out.NextPageToken = cut(w, found, func(r *schema.Record) string { return r.Name })
	for i := range found {
		out.Schemas = append(out.Schemas, schemaProto(&found[i], found[i].Last(), r.GetView()))
	}
	return out, nil
}

// ListSchemaRevisions implements the service: the oldest first. A schema has at
// most 20, which are one page.
func (s *SchemaService) ListSchemaRevisions(ctx context.Context, r *pb.ListSchemaRevisionsRequest) (*pb.ListSchemaRevisionsResponse, error) {
	name, err := wholeName(r.GetName())
	if err != nil {
		return nil, err
	}
	w, err := newWindow(r.GetPageSize(), r.GetPageToken(), "revisions of", name)
	if err != nil {
		return nil, err
	}
	rec, err := s.schemas.Schema(ctx, name)
	if err != nil {
		return nil, err
	}
	rest := rec.Revisions
	for i := range rest {
		if rest[i].ID == w.after {
			rest = rest[i+1:]
			break
		}
	}
	out := &pb.ListSchemaRevisionsResponse{}
	rest, out.NextPageToken = cut(w, rest, func(r *schema.Revision) string { return r.ID })
	for i := range rest {
		out.Schemas = append(out.Schemas, schemaProto(rec, &rest[i], r.GetView()))
	}
	return out, nil
}

// wholeName wants the name of a schema without a revision.
func wholeName(name string) (string, error) {
	base, revision, err := schema.SplitName("name", name)
	if err == nil && revision != "" {
		err = sunya.Invalid("name", "%q names a revision: name the schema", name)
	}
	return base, err
}

// CommitSchema implements the service.
func (s *SchemaService) CommitSchema(ctx context.Context, r *pb.CommitSchemaRequest) (*pb.Schema, error) {
	name, err := wholeName(r.GetName())
	if err != nil {
		return nil, err
	}
	return newest(s.schemas.Commit(ctx, name, kindOf(r.GetSchema().GetType()), r.GetSchema().GetDefinition()))
}

// RollbackSchema implements the service.
func (s *SchemaService) RollbackSchema(ctx context.Context, r *pb.RollbackSchemaRequest) (*pb.Schema, error) {
	name, err := wholeName(r.GetName())
	if err != nil {
		return nil, err
	}
	return newest(s.schemas.Rollback(ctx, name, r.GetRevisionId()))
}

// DeleteSchemaRevision implements the service. The id may also be in the field
// that is there no more in newer clients.
func (s *SchemaService) DeleteSchemaRevision(ctx context.Context, r *pb.DeleteSchemaRevisionRequest) (*pb.Schema, error) {
	name, revision, err := schema.SplitName("name", r.GetName())
	if err != nil {
		return nil, err
	}
	if revision == "" {
		//lint:ignore SA1019 older clients send it
		revision = r.GetRevisionId()
	}
	return newest(s.schemas.DeleteRevision(ctx, name, revision))
}

// DeleteSchema implements the service.
func (s *SchemaService) DeleteSchema(ctx context.Context, r *pb.DeleteSchemaRequest) (*emptypb.Empty, error) {
	name, err := wholeName(r.GetName())
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.schemas.Delete(ctx, name)
}

// ValidateSchema implements the service.
func (s *SchemaService) ValidateSchema(_ context.Context, r *pb.ValidateSchemaRequest) (*pb.ValidateSchemaResponse, error) {
	_, err := s.schemas.Compile(kindOf(r.GetSchema().GetType()), r.GetSchema().GetDefinition())
	return &pb.ValidateSchemaResponse{}, err
}

// ValidateMessage implements the service.
func (s *SchemaService) ValidateMessage(ctx context.Context, r *pb.ValidateMessageRequest) (*pb.ValidateMessageResponse, error) {
	e := pubsub.Encoding(r.GetEncoding().String())
	if e != pubsub.JSON && e != pubsub.Binary {
		return nil, sunya.Invalid("encoding", "missing: use JSON or BINARY")
	}
	var err error
	switch spec := r.GetSchemaSpec().(type) {
	case *pb.ValidateMessageRequest_Name:
		err = s.schemas.ValidateStored(ctx, spec.Name, e, r.GetMessage())
	case *pb.ValidateMessageRequest_Schema:
		err = s.schemas.ValidateGiven(kindOf(spec.Schema.GetType()), spec.Schema.GetDefinition(), e, r.GetMessage())
	default:
		err = sunya.Invalid("schema_spec", "missing: give the name of a schema, or a schema")
	}
	return &pb.ValidateMessageResponse{}, mismatch(err)
}

// mismatch is what a publisher sees of a message that does not match, as
// Google's service says it; other errors stay.
func mismatch(err error) error {
	var m *schema.Mismatch
	if !errors.As(err, &m) {
		return err
	}
	const short = "Message failed schema validation"
	language := map[schema.Kind]string{schema.Avro: "AVRO", schema.Protobuf: "PROTO"}[m.Kind]
	info := &errdetails.ErrorInfo{
		Reason: "INVALID_" + string(m.Encoding) + "_" + language + "_MESSAGE", Domain: "pubsub.googleapis.com",
		Metadata: map[string]string{"message": short},
	}
	if m.Schema == "" {
		info.Metadata["revisionInfo"] = clip(m.Err.Error())
	} else {
		info.Metadata["revisionInfo"] = "Could not validate message with any schema revision for schema: " + m.Schema +
			", last checked revision: revision_id=" + m.Revision + " failed with status: " + clip(m.Err.Error())
	}
	st, err := gstatus.New(codes.InvalidArgument, "Invalid data in message: "+short+".").WithDetails(info)
	if err != nil {
		return err
	}
	return st.Err()
}

// clip keeps what a message had in it out of headers that are too large.
func clip(text string) string {
	const most = 500
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
