package eventing

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

var published = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

func letter() *pubsub.Message {
	return &pubsub.Message{ID: "12", PublishTime: published, Data: []byte("hello"), Attributes: map[string]string{"k": "v"}}
}

func upload(name string) *pubsub.Message {
	return &pubsub.Message{ID: "13", PublishTime: published, Data: []byte(`{"name":"x","generation":"7"}`), Attributes: map[string]string{
		"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": name, "eventTime": "2026-01-02T03:04:05.1Z",
	}}
}

func on(form Form, legacy, eventType string, more ...Filter) *Trigger {
	return &Trigger{Key: Key{"p", "l", "t"}, Subscription: "projects/p/subscriptions/s", Spec: Spec{
		Topic: "projects/p/topics/t", Form: form, LegacyType: legacy, Filters: append([]Filter{{Attribute: "type", Value: eventType}}, more...),
	}}
}

func TestForms(t *testing.T) {
	const pub = "//pubsub.googleapis.com/projects/p/topics/t"
	ce := func(kv ...string) http.Header {
		h := http.Header{"Content-Type": {"application/json"}, "Ce-Specversion": {"1.0"}}
		for i := 0; i < len(kv); i += 2 {
			h.Set("Ce-"+kv[i], kv[i+1])
		}
		return h
	}
	plain := http.Header{"Content-Type": {"application/json"}}
	for name, c := range map[string]struct {
		source  Source
		trigger *Trigger
		message *pubsub.Message
		header  http.Header
		body    string
	}{
		"a message": {PubSub{}, on(CloudEvent, "", MessagePublished), letter(),
			ce("Id", "12", "Source", pub, "Type", MessagePublished, "Time", "2026-01-02T03:04:05.678Z"),
			`{"message":{"attributes":{"k":"v"},"data":"aGVsbG8=","messageId":"12","publishTime":"2026-01-02T03:04:05.678Z"},"subscription":"projects/p/subscriptions/s"}`},
		"a message of the first generation": {PubSub{}, on(Background, "google.pubsub.topic.publish", MessagePublished), letter(), plain,
			`{"context":{"eventId":"12","timestamp":"2026-01-02T03:04:05.678Z","eventType":"google.pubsub.topic.publish","resource":{"service":"pubsub.googleapis.com","name":"projects/p/topics/t","type":"type.googleapis.com/google.pubsub.v1.PubsubMessage"}},
			"data":{"@type":"type.googleapis.com/google.pubsub.v1.PubsubMessage","attributes":{"k":"v"},"data":"aGVsbG8="}}`},
		"the flat form": {PubSub{}, on(Background, "providers/cloud.pubsub/eventTypes/topic.publish", MessagePublished), letter(), plain,
			`{"eventId":"12","timestamp":"2026-01-02T03:04:05.678Z","eventType":"providers/cloud.pubsub/eventTypes/topic.publish","resource":"projects/p/topics/t",
			"data":{"@type":"type.googleapis.com/google.pubsub.v1.PubsubMessage","attributes":{"k":"v"},"data":"aGVsbG8="}}`},
		"an object": {&Storage{}, on(CloudEvent, "", objectType+"finalized"), upload("dir/ä b%"),
			ce("Id", "13", "Source", "//storage.googleapis.com/projects/_/buckets/b", "Type", objectType+"finalized", "Subject", "objects/dir/%C3%A4%20b%25", "Time", "2026-01-02T03:04:05.1Z", "Bucket", "b"),
			`{"name":"x","generation":"7"}`},
		"an object of the first generation": {&Storage{}, on(Background, "google.storage.object.finalize", objectType+"finalized"), upload("dir/f"), plain,
			`{"context":{"eventId":"13","timestamp":"2026-01-02T03:04:05.1Z","eventType":"google.storage.object.finalize","resource":{"service":"storage.googleapis.com","name":"projects/_/buckets/b/objects/dir/f","type":"storage#object"}},
			"data":{"name":"x","generation":"7"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := c.source.Event(c.trigger, c.message)
			if err != nil || !e.passes(c.trigger) {
				t.Fatalf("%+v, %v", e, err)
			}
			r := e.request(c.trigger)
			if diff := cmp.Diff(c.header, r.Header); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			var want, got any
			if json.Unmarshal([]byte(c.body), &want) != nil || json.Unmarshal(r.Body, &got) != nil {
				t.Fatalf("no JSON: %s", r.Body)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFiltersOnObjects(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{{"images/*.png", "images/a.png", true}, {"images/*.png", "images/a/b.png", false}, {"**", "x/y", true}} {
		tr := on(CloudEvent, "", objectType+"finalized", Filter{"bucket", "", "b"}, Filter{"object", MatchPathPattern, c.pattern})
		e, err := (&Storage{}).Event(tr, upload(c.name))
		if err != nil || e.passes(tr) != c.want {
			t.Errorf("%+v: %+v, %v", c, e, err)
		}
	}
	if e, err := (&Storage{}).Event(on(CloudEvent, "", objectType+"deleted"), upload("x")); e != nil || err != nil {
		t.Errorf("another change: %+v, %v", e, err)
	}
	if _, err := (&Storage{}).Event(on(CloudEvent, "", objectType+"finalized"), &pubsub.Message{Attributes: map[string]string{"eventType": "OBJECT_FINALIZE"}}); err == nil {
		t.Error("a message that names no object is an event")
	}
}
