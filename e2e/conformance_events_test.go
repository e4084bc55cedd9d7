//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"strings"
)

// eventKind is one of the events that Google's products had in the first
// generation of functions and have as CloudEvents in the second.
type eventKind struct {
	legacy string // eventType of the first generation
	cloud  string // type of the CloudEvent
	back   string // the legacy type that the CloudEvent becomes; empty: legacy
	// resource is the legacy name of what it is about; source and subject are
	// what a CloudEvent makes of it.
	resource, source, subject string
	service, kind             string // of a resource that says more than its name
	domain                    string // Realtime Database
	data                      string // JSON
	cloudData                 string // data of the CloudEvent; empty: data
}

const (
	eventTime = "2026-03-04T05:06:07.089Z"

	aMessage     = `{"@type":"type.googleapis.com/google.pubsub.v1.PubsubMessage","attributes":{"colour":"red"},"data":"aGVsbG8="}`
	anObject     = `{"kind":"storage#object","bucket":"a-bucket","name":"dir/f.txt","generation":"17","size":"5","contentType":"text/plain"}`
	aDocument    = `{"oldValue":{},"updateMask":{},"value":{"name":"projects/p/databases/(default)/documents/c/d","fields":{"n":{"integerValue":"4"},"when":{"timestampValue":"2026-03-04T05:06:07Z"}}}}`
	aChange      = `{"data":{"a":1},"delta":{"a":{"deep":[1,"two",null]}}}`
	aUser        = `{"uid":"U1","email":"a@example.com","metadata":{"createdAt":"2026-01-02T03:04:05Z","lastSignedInAt":"2026-01-03T03:04:05Z"}}`
	aUserNow     = `{"uid":"U1","email":"a@example.com","metadata":{"createTime":"2026-01-02T03:04:05Z","lastSignInTime":"2026-01-03T03:04:05Z"}}`
	aTopic       = "projects/p/topics/t"
	messageType  = "type.googleapis.com/google.pubsub.v1.PubsubMessage"
	messageEvent = "google.cloud.pubsub.topic.v1.messagePublished"
)

// eventKinds are 17 types of events.
func eventKinds() []eventKind {
	kinds := []eventKind{
		{legacy: "google.pubsub.topic.publish", cloud: messageEvent, resource: aTopic, service: "pubsub.googleapis.com", kind: messageType, source: "//pubsub.googleapis.com/" + aTopic, data: aMessage},
		{legacy: "providers/cloud.pubsub/eventTypes/topic.publish", cloud: messageEvent, back: "google.pubsub.topic.publish", resource: aTopic, source: "//pubsub.googleapis.com/" + aTopic, data: aMessage},
		{legacy: "providers/firebase.auth/eventTypes/user.create", cloud: "google.firebase.auth.user.v1.created", resource: "projects/p", source: "//firebaseauth.googleapis.com/projects/p", subject: "users/U1", data: aUser, cloudData: aUserNow},
		{legacy: "providers/firebase.auth/eventTypes/user.delete", cloud: "google.firebase.auth.user.v1.deleted", resource: "projects/p", source: "//firebaseauth.googleapis.com/projects/p", subject: "users/U1", data: aUser, cloudData: aUserNow},
		{legacy: "providers/google.firebase.database/eventTypes/ref.write", cloud: "google.firebase.database.ref.v1.written", domain: "europe-west1.firebasedatabase.app",
			resource: "projects/_/instances/i/refs/a/b", source: "//firebasedatabase.googleapis.com/projects/_/locations/europe-west1/instances/i", subject: "refs/a/b", data: aChange},
	}
	for _, verb := range [][2]string{{"finalize", "finalized"}, {"delete", "deleted"}, {"archive", "archived"}, {"metadataUpdate", "metadataUpdated"}} {
		kinds = append(kinds, eventKind{legacy: "google.storage.object." + verb[0], cloud: "google.cloud.storage.object.v1." + verb[1],
			resource: "projects/_/buckets/a-bucket/objects/dir/f.txt", service: "storage.googleapis.com", kind: "storage#object",
			source: "//storage.googleapis.com/projects/_/buckets/a-bucket", subject: "objects/dir/f.txt", data: anObject})
	}
	for _, verb := range [][2]string{{"create", "created"}, {"update", "updated"}, {"delete", "deleted"}, {"write", "written"}} {
		kinds = append(kinds, eventKind{legacy: "providers/cloud.firestore/eventTypes/document." + verb[0], cloud: "google.cloud.firestore.document.v1." + verb[1],
			resource: "projects/p/databases/(default)/documents/c/d", source: "//firestore.googleapis.com/projects/p/databases/(default)", subject: "documents/c/d", data: aDocument})
		if verb[0] != "write" {
			kinds = append(kinds, eventKind{legacy: "providers/google.firebase.database/eventTypes/ref." + verb[0], cloud: "google.firebase.database.ref.v1." + verb[1], domain: "firebaseio.com",
				resource: "projects/_/instances/i/refs/a", source: "//firebasedatabase.googleapis.com/projects/_/locations/us-central1/instances/i", subject: "refs/a", data: aChange})
		}
	}
	kinds = append(kinds, eventKind{legacy: "google.pubsub.topic.publish", cloud: messageEvent, resource: aTopic, service: "pubsub.googleapis.com", kind: messageType,
		source: "//pubsub.googleapis.com/" + aTopic, data: `{"@type":"` + messageType + `","data":"AAEC/w=="}`})
	return kinds
}

// legacyBody is the request of the first generation: with a context where the
// resource says more than its name, else flat.
func (k eventKind) legacyBody(id string) string {
	context := map[string]any{"eventId": id, "timestamp": eventTime, "eventType": k.legacy, "resource": k.resource}
	all := map[string]any{"data": json.RawMessage(k.data)}
	if k.service != "" {
		context["resource"] = map[string]string{"service": k.service, "name": k.resource, "type": k.kind}
		all["context"] = context
		return toJSON(all)
	}
	maps.Copy(all, context)
	all["params"] = map[string]string{"x": "y"}
	if k.domain != "" {
		all["domain"], all["auth"] = k.domain, map[string]bool{"admin": true}
	}
	return toJSON(all)
}

// cloudEvent is the CloudEvent of the same, in JSON.
func (k eventKind) cloudEvent(id string) string {
	e := map[string]any{"specversion": "1.0", "id": id, "type": k.cloud, "source": k.source, "time": eventTime, "datacontenttype": "application/json",
		"data": json.RawMessage(k.asCloud(id, true))}
	if k.subject != "" {
		e["subject"] = k.subject
	}
	return toJSON(e)
}

// asCloud is the data of the CloudEvent. A message that was sent as one names
// its subscription; one that was converted does not know it.
func (k eventKind) asCloud(id string, sent bool) string {
	if k.cloud != messageEvent {
		return orDefault(k.cloudData, k.data)
	}
	message := map[string]any{}
	must(json.Unmarshal([]byte(k.data), &message))
	message["messageId"], message["publishTime"] = id, eventTime
	data := map[string]any{"message": message}
	if sent {
		data["subscription"] = "projects/p/subscriptions/s"
	}
	return toJSON(data)
}

// seenEvent is what a function says that it got, in the same words in every
// language.
type seenEvent struct {
	ID, Type, Time  string
	Resource        string // legacy
	Source, Subject string // CloudEvent
	Data            any
}

// wantCloud is what a CloudEvent function must see.
func (k eventKind) wantCloud(id string, sent bool) seenEvent {
	return seenEvent{ID: id, Type: k.cloud, Time: eventTime, Source: k.source, Subject: k.subject, Data: fromJSON(k.asCloud(id, sent))}
}

// wantLegacy is what a background function must see.
func (k eventKind) wantLegacy(id string, converted bool) seenEvent {
	want := seenEvent{ID: id, Type: k.legacy, Time: eventTime, Resource: k.resource, Data: fromJSON(k.data)}
	if converted {
		want.Type = orDefault(k.back, k.legacy)
	}
	return want
}

// plain makes two sightings comparable: times in one form, and without what
// frameworks may leave in a converted message or not.
func (e seenEvent) plain() seenEvent {
	if message, ok := e.Data.(map[string]any); ok && strings.HasSuffix(e.Type, "topic.publish") {
		message = maps.Clone(message)
		delete(message, "messageId")
		delete(message, "publishTime")
		e.Data = message
	}
	e.Time = strings.Replace(strings.Replace(e.Time, "+00:00", "Z", 1), ".089000Z", ".089Z", 1)
	return e
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	must(err)
	return string(b)
}

func fromJSON(s string) any {
	var v any
	must(json.Unmarshal([]byte(s), &v))
	return v
}

// must is for what cannot fail unless a fixture is wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
