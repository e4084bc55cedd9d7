package pubsub_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// upper knows one schema, which text in capitals matches.
type upper struct{ number int64 }

var errLower = errors.New("not in capitals")

func (u *upper) Resolve(_ context.Context, s pubsub.Schema) (int64, error) {
	if u.number == 0 || s.Name != "projects/p/schemas/upper" {
		return 0, sunya.Errorf(sunya.NotFound, s.Name, "no schema")
	}
	return u.number, nil
}

func (u *upper) Match(_ context.Context, _ pubsub.Schema, data []byte) (string, error) {
	for _, c := range data {
		if c < 'A' || c > 'Z' {
			return "", errLower
		}
	}
	return "rev1", nil
}

func TestSchema(t *testing.T) {
	u, ctx := &upper{number: 7}, t.Context()
	w, _ := server(t, t.TempDir(), func(p *pubsub.Parts) { p.Schemas = u })
	for _, s := range []pubsub.Schema{
		{Name: "projects/p/schemas/none", Encoding: pubsub.JSON}, {Name: "projects/p/schemas/upper"}, {Name: "upper", Encoding: pubsub.JSON},
	} {
		if _, err := w.CreateTopic(ctx, pubsub.Topic{Name: topicName, Schema: &s}); err == nil {
			t.Errorf("a topic with the schema %+v was made", s)
		}
	}
	if _, err := w.CreateTopic(ctx, pubsub.Topic{Name: topicName, Schema: &pubsub.Schema{Name: "projects/p/schemas/upper", Encoding: pubsub.JSON}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateSubscription(ctx, pubsub.Subscription{Name: subName, Topic: topicName}); err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"k": "v"}
	_, err := w.Publish(ctx, topicName, []pubsub.Message{{Data: []byte("GOOD")}, {Data: []byte("bad")}})
	if !errors.Is(err, errLower) {
		t.Errorf("published with %v", err)
	}
	if _, err := w.Publish(ctx, topicName, []pubsub.Message{{Data: []byte("GOOD"), Attributes: given}}); err != nil {
		t.Fatal(err)
	}
	got := w.pull(10)
	w.want(got, "GOOD")
	want := map[string]string{
		"k": "v", "googclient_schemaname": "projects/p/schemas/upper", "googclient_schemaencoding": "JSON", "googclient_schemarevisionid": "rev1",
	}
	if len(got) == 1 && !maps.Equal(got[0].Attributes, want) || len(given) != 1 {
		t.Errorf("attributes %v of %v", got[0].Attributes, given)
	}

	for _, number := range []int64{0, 8} { // it is gone; another has its name
		u.number = number
		def, err := w.Topic(ctx, topicName)
		if err != nil || def.Schema.Name != pubsub.DeletedSchema {
			t.Errorf("the topic has %+v (%v)", def.Schema, err)
		}
		list, err := w.ListTopics(ctx, "p", "", 0)
		if err != nil || list[0].Schema.Name != pubsub.DeletedSchema {
			t.Errorf("the list has %+v (%v)", list, err)
		}
		_, err = w.Publish(ctx, topicName, []pubsub.Message{{Data: []byte("GOOD")}})
		if sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("published with %v", err)
		}
	}
	label := func(topic *pubsub.Topic) error { topic.Labels = map[string]string{"a": "b"}; return nil }
	if _, err := w.UpdateTopic(ctx, topicName, label); err != nil {
		t.Errorf("other fields cannot be changed: %v", err)
	}
	if _, err := w.UpdateTopic(ctx, topicName, func(topic *pubsub.Topic) error { topic.Schema = nil; return nil }); err != nil {
		t.Fatal(err)
	}
	w.publish("lower")
	w.want(w.pull(10), "lower")
}

func TestPolicies(t *testing.T) {
	w, ctx := newWorld(t, pubsub.Subscription{}), t.Context()
	const snapshot = "projects/p/snapshots/snap"
	if _, err := w.CreateSnapshot(ctx, pubsub.Snapshot{Name: snapshot}, subName); err != nil {
		t.Fatal(err)
	}
	p := iam.Policy{Bindings: []iam.Binding{{Role: "roles/pubsub.viewer", Members: []string{"allUsers"}}}}
	for _, resource := range []string{topicName, subName, snapshot} {
		have, err := w.Policy(ctx, resource)
		if err != nil || !have.IsZero() {
			t.Errorf("%s begins with %+v (%v)", resource, have, err)
		}
		if _, err := w.SetPolicy(ctx, resource, p, have.ETag()); err != nil {
			t.Error(err)
		}
		if _, err := w.SetPolicy(ctx, resource, iam.Policy{}, have.ETag()); sunya.CodeOf(err) != sunya.Aborted {
			t.Errorf("%s was set with an old etag: %v", resource, err)
		}
		if _, err := w.SetPolicy(ctx, resource+"x", p, ""); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("%sx: %v", resource, err)
		}
	}
	// A change of the resource does not change who may use it.
	for _, err := range []error{
		second(w.UpdateTopic(ctx, topicName, func(x *pubsub.Topic) error { *x = pubsub.Topic{}; return nil })),
		second(w.UpdateSubscription(ctx, subName, func(x *pubsub.Subscription) error { *x = pubsub.Subscription{}; return nil })),
		second(w.UpdateSnapshot(ctx, snapshot, func(x *pubsub.Snapshot) error { x.Policy = iam.Policy{}; return nil })),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for _, resource := range []string{topicName, subName, snapshot} {
		if have, err := w.Policy(ctx, resource); err != nil || have.ETag() != p.ETag() {
			t.Errorf("%s has %+v (%v)", resource, have, err)
		}
	}
	if _, err := w.Policy(ctx, "projects/p/buckets/b"); sunya.CodeOf(err) != sunya.InvalidArgument {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }
