package objects

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Event is what happened to an object
// (cloud.google.com/storage/docs/pubsub-notifications#events).
type Event string

const (
	Finalized       Event = "OBJECT_FINALIZE"        // a generation was made
	Deleted         Event = "OBJECT_DELETE"          // and is gone, softly or for good
	Archived        Event = "OBJECT_ARCHIVE"         // is not live any more, but kept
	MetadataUpdated Event = "OBJECT_METADATA_UPDATE" // its metadata changed
)

// Events lists all.
func Events() []Event { return []Event{Finalized, MetadataUpdated, Deleted, Archived} }

// What a notification carries of its object.
const (
	PayloadJSON = "JSON_API_V1" // the resource of the JSON API
	PayloadNone = "NONE"
)

// Notification asks that the changes of a bucket's objects are published.
type Notification struct {
	ID            string // digits, given by the store
	Bucket        string
	Topic         string  // projects/P/topics/T
	EventTypes    []Event // empty: all
	NamePrefix    string
	PayloadFormat string // PayloadJSON or PayloadNone
	Attributes    map[string]string
}

// FullName is how messages name n.
func (n *Notification) FullName() string {
	return "projects/_/buckets/" + n.Bucket + "/notificationConfigs/" + n.ID
}

// wants reports whether n is about an event of the object with this name.
func (n *Notification) wants(e Event, name string) bool {
	return strings.HasPrefix(name, n.NamePrefix) && (len(n.EventTypes) == 0 || slices.Contains(n.EventTypes, e))
}

// Notice is one change that one notification asks for.
type Notice struct {
	ID            int64 // given by the store
	Notification  Notification
	Event         Event
	Time          time.Time
	Object        Object // as it is after the change, or was before it ended
	Overwrote     int64  // generation that Object replaced, 0: none
	OverwrittenBy int64  // generation that replaced Object, 0: none
}

// Attributes are what the message of a notice says apart from its data.
func (n *Notice) Attributes() map[string]string {
	out := map[string]string{}
	for k, v := range n.Notification.Attributes {
		out[k] = v
	}
	out["notificationConfig"] = n.Notification.FullName()
	out["eventType"] = string(n.Event)
	out["payloadFormat"] = n.Notification.PayloadFormat
	out["bucketId"] = n.Object.Bucket
	out["objectId"] = n.Object.Name
	out["objectGeneration"] = strconv.FormatInt(n.Object.Generation, 10)
	out["eventTime"] = n.Time.UTC().Format("2006-01-02T15:04:05.000000Z")
	if n.Overwrote != 0 {
		out["overwroteGeneration"] = strconv.FormatInt(n.Overwrote, 10)
	}
	if n.OverwrittenBy != 0 {
		out["overwrittenByGeneration"] = strconv.FormatInt(n.OverwrittenBy, 10)
	}
	return out
}

const (
	maxNotifications   = 100
	maxAttributes      = 5
	maxAttributeKey    = 256
	maxAttributeValue  = 1024
	topicServicePrefix = "//pubsub.googleapis.com/"
)

var topicRE = regexp.MustCompile(`^projects/[^/]+/topics/[A-Za-z][A-Za-z0-9._~%+-]{2,254}$`)

// CreateNotification begins to publish a bucket's changes: those after it. The
// topic is projects/P/topics/T, with or without //pubsub.googleapis.com/ before
// it; an empty PayloadFormat is PayloadJSON. Whether the topic exists is the
// caller's to check.
func (s *Service) CreateNotification(ctx context.Context, n Notification) (*Notification, error) {
	n.Topic = strings.TrimPrefix(n.Topic, topicServicePrefix)
	if n.PayloadFormat == "" {
		n.PayloadFormat = PayloadJSON
	}
	if err := n.check(); err != nil {
		return nil, err
	}
	if err := s.store.CreateNotification(ctx, &n, maxNotifications); err != nil {
		return nil, fmt.Errorf("create notification: %w", err)
	}
	return &n, nil
}

func (n *Notification) check() error {
	if !topicRE.MatchString(n.Topic) {
		return sunya.Invalid("topic", "%q: want //pubsub.googleapis.com/projects/PROJECT/topics/TOPIC", clip(n.Topic))
	}
	if n.PayloadFormat != PayloadJSON && n.PayloadFormat != PayloadNone {
		return sunya.Invalid("payload_format", "%q: use %s or %s", clip(n.PayloadFormat), PayloadJSON, PayloadNone)
	}
	for _, e := range n.EventTypes {
		if !slices.Contains(Events(), e) {
			return sunya.Invalid("event_types", "%q: use %v", clip(string(e)), Events())
		}
	}
	if len(n.NamePrefix) > maxObjectName {
		return sunya.Invalid("object_name_prefix", "%d bytes: at most %d", len(n.NamePrefix), maxObjectName)
	}
	if len(n.Attributes) > maxAttributes {
		return sunya.Invalid("custom_attributes", "%d of them: at most %d", len(n.Attributes), maxAttributes)
	}
	for k, v := range n.Attributes {
		if k == "" || len(k) > maxAttributeKey || len(v) > maxAttributeValue || strings.HasPrefix(k, "goog") {
			return sunya.Invalid("custom_attributes", "%q: a key has 1 to %d bytes and does not begin with goog, a value at most %d", clip(k), maxAttributeKey, maxAttributeValue)
		}
	}
	return nil
}

// Notifications returns a bucket's notifications in order of their ids.
func (s *Service) Notifications(ctx context.Context, bucket string) ([]Notification, error) {
	if _, err := s.store.GetBucket(ctx, bucket); err != nil {
		return nil, fmt.Errorf("list notifications: %w", err)
	}
	found, err := s.store.Notifications(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("list notifications: %w", err)
	}
	return found, nil
}

// Notification returns one; NotFound.
func (s *Service) Notification(ctx context.Context, bucket, id string) (*Notification, error) {
	found, err := s.Notifications(ctx, bucket)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].ID == id {
			return &found[i], nil
		}
	}
	return nil, sunya.Errorf(sunya.NotFound, bucket+"/notificationConfigs/"+id, "the notification does not exist")
}

// DeleteNotification ends a notification; NotFound. What happened before is
// published all the same.
func (s *Service) DeleteNotification(ctx context.Context, bucket, id string) error {
	if err := s.store.DeleteNotification(ctx, bucket, id); err != nil {
		return fmt.Errorf("delete notification: %w", err)
	}
	return nil
}
