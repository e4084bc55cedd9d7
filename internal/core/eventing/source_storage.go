package eventing

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Buckets is what the source of objects needs of Cloud Storage.
type Buckets interface {
	CreateNotification(ctx context.Context, n objects.Notification) (*objects.Notification, error)
	Notifications(ctx context.Context, bucket string) ([]objects.Notification, error) // NotFound
	DeleteNotification(ctx context.Context, bucket, id string) error
}

// Storage is the source of changes of objects: a trigger is a notification of its
// bucket, to the trigger's topic.
type Storage struct {
	Buckets Buckets
}

// objectChanges are the types of events by what Storage calls them.
var objectChanges = []struct {
	event                      objects.Event
	cloud, legacy, description string
}{
	{objects.Finalized, "finalized", "finalize", "A new object, or a new generation of one, is created in the bucket."},
	{objects.Deleted, "deleted", "delete", "An object is deleted: overwritten or removed from a bucket without versioning, or for good."},
	{objects.Archived, "archived", "archive", "The live version of an object becomes a noncurrent one."},
	{objects.MetadataUpdated, "metadataUpdated", "metadataUpdate", "The metadata of an object changes."},
}

const (
	objectType   = "google.cloud.storage.object.v1."
	legacyObject = "google.storage.object."
)

// Provider implements Source. The attribute "object" is Sunya's own.
func (*Storage) Provider() Provider {
	p := Provider{Name: "storage.googleapis.com", Display: "Cloud Storage"}
	for _, c := range objectChanges {
		p.Types = append(p.Types, EventType{
			Type: objectType + c.cloud, Description: c.description, Legacy: []string{legacyObject + c.legacy},
			Attributes: []Attribute{
				{Name: "bucket", Description: "The bucket name.", Required: true},
				{Name: "object", Description: "The object's name; not among Google's attributes.", Pattern: true},
			},
		})
	}
	return p
}

// change is what Storage calls a type of events.
func change(eventType string) objects.Event {
	for _, c := range objectChanges {
		if objectType+c.cloud == eventType {
			return c.event
		}
	}
	return ""
}

// FromResource implements Source: a bucket, by its whole name or its id.
func (*Storage) FromResource(_, resource string) ([]Filter, string, error) {
	bucket := strings.TrimPrefix(resource, "projects/_/buckets/")
	if bucket == "" || strings.Contains(bucket, "/") {
		return nil, "", sunya.Invalid("event_trigger.resource", "%q is not a bucket: use projects/_/buckets/BUCKET", resource)
	}
	return []Filter{{Attribute: "bucket", Value: bucket}}, "", nil
}

// Check implements Source.
func (s *Storage) Check(ctx context.Context, t *Trigger) error {
	_, err := s.Buckets.Notifications(ctx, t.Filter("bucket"))
	if sunya.CodeOf(err) == sunya.NotFound {
		return sunya.Errorf(sunya.NotFound, "projects/_/buckets/"+t.Filter("bucket"), "the bucket does not exist: create it first (sunya storage buckets create)")
	}
	return err
}

// of returns the notifications of a trigger: its topic is nobody else's.
func (s *Storage) of(ctx context.Context, t *Trigger) ([]objects.Notification, error) {
	all, err := s.Buckets.Notifications(ctx, t.Filter("bucket"))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(n objects.Notification) bool { return n.Topic != t.Topic }), nil
}

// Open implements Source.
func (s *Storage) Open(ctx context.Context, t *Trigger) error {
	have, err := s.of(ctx, t)
	if err != nil || len(have) > 0 {
		return err
	}
	_, err = s.Buckets.CreateNotification(ctx, objects.Notification{
		Bucket: t.Filter("bucket"), Topic: t.Topic, EventTypes: []objects.Event{change(t.Type())}, PayloadFormat: objects.PayloadJSON,
	})
	return err
}

// Close implements Source.
func (s *Storage) Close(ctx context.Context, t *Trigger) error {
	have, err := s.of(ctx, t)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil // the bucket is gone, and they with it
	}
	for _, n := range have {
		if err := s.Buckets.DeleteNotification(ctx, n.Bucket, n.ID); err != nil && sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
	}
	return err
}

// Event implements Source.
func (*Storage) Event(t *Trigger, m *pubsub.Message) (*Event, error) {
	if objects.Event(m.Attributes["eventType"]) != change(t.Type()) {
		return nil, nil
	}
	bucket, object := m.Attributes["bucketId"], m.Attributes["objectId"]
	if bucket == "" || object == "" || !json.Valid(m.Data) {
		return nil, sunya.Errorf(sunya.InvalidArgument, m.ID, "it does not name an object")
	}
	at, err := time.Parse(time.RFC3339, m.Attributes["eventTime"])
	if err != nil {
		at = m.PublishTime
	}
	return &Event{
		ID: m.ID, Type: t.Type(), Source: "//storage.googleapis.com/projects/_/buckets/" + bucket, Subject: "objects/" + object, Time: at,
		Data: m.Data, Extensions: map[string]string{"Bucket": bucket}, Attributes: map[string]string{"bucket": bucket, "object": object},
		Resource:   Resource{Service: "storage.googleapis.com", Name: "projects/_/buckets/" + bucket + "/objects/" + object, Type: "storage#object"},
		LegacyData: m.Data,
	}, nil
}
