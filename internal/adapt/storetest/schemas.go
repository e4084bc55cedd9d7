package storetest

import (
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/schema"
)

// Schemas is the contract of schema.Store.
func Schemas(t *testing.T, open func(t testing.TB) schema.Store) {
	s, ctx := open(t), t.Context()
	name := func(id string) string { return "projects/p/schemas/" + id }
	rev := func(id string, second int) schema.Revision {
		return schema.Revision{ID: id, Created: at(second), Definition: "d" + id}
	}
	b, err := s.CreateSchema(ctx, schema.Schema{Name: name("bbb"), Kind: schema.Avro}, rev("b1", 1))
	must(t, err)
	a, err := s.CreateSchema(ctx, schema.Schema{Name: name("aaa"), Kind: schema.Protobuf}, rev("a1", 2))
	must(t, err)
	if a.Number == b.Number {
		t.Errorf("both have number %d", a.Number)
	}
	_, err = s.CreateSchema(ctx, a.Schema, rev("a9", 2))
	wantCode(t, err, sunya.AlreadyExists)

	must(t, s.AddRevision(ctx, a.Name, rev("a2", 3)))
	must(t, s.AddRevision(ctx, a.Name, rev("a0", 3)))
	wantCode(t, s.AddRevision(ctx, a.Name, rev("a2", 4)), sunya.AlreadyExists)
	wantCode(t, s.AddRevision(ctx, name("none"), rev("n1", 4)), sunya.NotFound)
	a.Policy = iam.Policy{Bindings: []iam.Binding{{Role: "roles/viewer", Members: []string{"allUsers"}}}}
	must(t, s.UpdateSchema(ctx, a.Schema))
	wantCode(t, s.UpdateSchema(ctx, schema.Schema{Name: name("none")}), sunya.NotFound)

	a.Revisions = []schema.Revision{rev("a1", 2), rev("a2", 3), rev("a0", 3)}
	got, err := s.Schema(ctx, a.Name)
	must(t, err)
	wantSame(t, got, a)
	_, err = s.Schema(ctx, name("none"))
	wantCode(t, err, sunya.NotFound)

	last := a
	last.Revisions = a.Revisions[2:]
	list, err := s.ListSchemas(ctx, "p", "", 0)
	must(t, err)
	wantSame(t, list, []schema.Record{last, b})
	list, err = s.ListSchemas(ctx, "p", a.Name, 1)
	must(t, err)
	wantSame(t, list, []schema.Record{b})
	list, err = s.ListSchemas(ctx, "q", "", 0)
	must(t, err)
	wantSame(t, list, []schema.Record(nil))

	must(t, s.DeleteRevision(ctx, a.Name, "a2"))
	wantCode(t, s.DeleteRevision(ctx, a.Name, "a2"), sunya.NotFound)
	wantCode(t, s.DeleteRevision(ctx, a.Name, "b1"), sunya.NotFound)
	must(t, s.DeleteSchema(ctx, a.Name))
	wantCode(t, s.DeleteSchema(ctx, a.Name), sunya.NotFound)
	_, err = s.Schema(ctx, a.Name)
	wantCode(t, err, sunya.NotFound)
	again, err := s.CreateSchema(ctx, schema.Schema{Name: a.Name, Kind: schema.Avro}, rev("a1", 5))
	must(t, err)
	if again.Number == a.Number || again.Number == b.Number {
		t.Errorf("the new schema has the number %d of an old one", again.Number)
	}
}
