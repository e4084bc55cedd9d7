package eventing_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

func TestWhatATriggerCannotBe(t *testing.T) {
	w := newWorld(t)
	filter := func(attribute, operator, value string) eventing.Filter {
		return eventing.Filter{Attribute: attribute, Operator: operator, Value: value}
	}
	long := strings.Repeat("x", 64)
	for name, c := range map[string]struct {
		key   eventing.Key
		spec  eventing.Spec
		code  sunya.Code
		field string
	}{
		"a name with capitals":      {eventing.Key{Project: "p", Location: "local", ID: "Letters"}, onLetters(), sunya.InvalidArgument, "trigger_id"},
		"no name":                   {eventing.Key{Project: "p", Location: "local"}, onLetters(), sunya.InvalidArgument, "trigger_id"},
		"too long a name":           {eventing.Key{Project: "p", Location: "local", ID: long}, onLetters(), sunya.InvalidArgument, "trigger_id"},
		"a dash at the end":         {eventing.Key{Project: "p", Location: "local", ID: "t-"}, onLetters(), sunya.InvalidArgument, "trigger_id"},
		"no location":               {eventing.Key{Project: "p", Location: "-", ID: "t"}, onLetters(), sunya.InvalidArgument, ""},
		"no type":                   {key, onLetters(func(s *eventing.Spec) { s.Filters = nil }), sunya.InvalidArgument, "event_filters"},
		"a type that nobody has":    {key, onLetters(func(s *eventing.Spec) { s.Filters[0].Value = "google.cloud.audit.log.v1.written" }), sunya.Unimplemented, "event_filters"},
		"a filter twice":            {key, onFiles(inInbox, inInbox), sunya.InvalidArgument, "event_filters"},
		"no bucket":                 {key, onFiles(), sunya.InvalidArgument, "event_filters"},
		"an empty bucket":           {key, onFiles(filter("bucket", "", "")), sunya.InvalidArgument, "event_filters"},
		"an attribute of no event":  {key, onFiles(inInbox, filter("colour", "", "red")), sunya.InvalidArgument, "event_filters"},
		"an operator of its own":    {key, onFiles(inInbox, filter("object", "like", "x")), sunya.InvalidArgument, "event_filters"},
		"a pattern of buckets":      {key, onFiles(filter("bucket", eventing.MatchPathPattern, "in*")), sunya.InvalidArgument, "event_filters"},
		"a pattern of types":        {key, onLetters(func(s *eventing.Spec) { s.Filters[0].Operator = eventing.MatchPathPattern }), sunya.InvalidArgument, "event_filters"},
		"a pattern that is none":    {key, onFiles(inInbox, filter("object", eventing.MatchPathPattern, "{x")), sunya.InvalidArgument, "event_filters"},
		"a bucket that is not":      {key, onFiles(filter("bucket", "", "none")), sunya.NotFound, ""},
		"a topic for objects":       {key, func() eventing.Spec { s := onFiles(inInbox); s.Topic = letters; return s }(), sunya.InvalidArgument, "transport.pubsub.topic"},
		"a topic that is no name":   {key, onLetters(func(s *eventing.Spec) { s.Topic = "letters" }), sunya.InvalidArgument, "transport.pubsub.topic"},
		"a topic that is not":       {key, onLetters(func(s *eventing.Spec) { s.Topic += "-none" }), sunya.NotFound, ""},
		"a topic that cannot be":    {key, onLetters(func(s *eventing.Spec) { s.Topic, s.MakeTopic = "projects/p/topics/x", true }), sunya.InvalidArgument, "transport.pubsub.topic"},
		"no destination":            {key, onLetters(func(s *eventing.Spec) { s.Destination = eventing.Destination{} }), sunya.InvalidArgument, "destination"},
		"two destinations":          {key, onLetters(func(s *eventing.Spec) { s.Destination.Function = "projects/p/locations/local/functions/f" }), sunya.InvalidArgument, "destination"},
		"a destination elsewhere":   {key, onLetters(func(s *eventing.Spec) { s.Destination.Service = "projects/q/locations/local/services/reader" }), sunya.InvalidArgument, "destination"},
		"a destination of no form":  {key, onLetters(func(s *eventing.Spec) { s.Destination = eventing.Destination{Function: "f"} }), sunya.InvalidArgument, "destination"},
		"an account that cannot be": {key, onLetters(func(s *eventing.Spec) { s.Account = "me" }), sunya.InvalidArgument, "service_account"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Create(t.Context(), c.key, c.spec)
			wantCode(t, err, c.code, c.field)
		})
	}
	if list, err := w.Triggers(t.Context(), "p", "-", "", 10); err != nil || len(list) > 0 {
		t.Errorf("left are %+v, %v", list, err)
	}
}

// TestWhatIsMadeForATrigger makes triggers, looks at their topics, subscriptions
// and notifications, and deletes them.
func TestWhatIsMadeForATrigger(t *testing.T) {
	w := newWorld(t)
	sub := func(tr *eventing.Trigger) *pubsub.Subscription {
		t.Helper()
		s, err := w.broker.Subscription(t.Context(), tr.Subscription)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := w.create(onLetters())
	s := sub(one)
	if one.Topic != letters || one.OwnTopic || one.State != eventing.Active || !strings.HasPrefix(one.Subscription, "projects/p/subscriptions/eventarc-local-t-sub-") {
		t.Errorf("%+v", one)
	}
	if s.Topic != letters || s.Push.Endpoint != "http://reader.test/new" || s.Push.Audience != "http://reader.test" || s.Push.Account != sunya.ComputeAccount("p") ||
		s.Retry == nil || s.Retry.Min != 10*time.Second || s.Retry.Max != 10*time.Minute || s.Expiration != pubsub.Never {
		t.Errorf("%+v, %+v", s, s.Push)
	}
	_, err := w.Create(t.Context(), key, onLetters())
	wantCode(t, err, sunya.AlreadyExists, "")

	files := eventing.Key{Project: "p", Location: "local", ID: "files"}
	spec := onFiles(inInbox)
	spec.Retry = false
	two, err := w.Create(t.Context(), files, spec)
	if err != nil {
		t.Fatal(err)
	}
	if made := w.buckets.made; !two.OwnTopic || len(made) != 1 || made[0].Topic != two.Topic || len(made[0].EventTypes) != 1 || sub(two).Retry != nil {
		t.Errorf("%+v, %+v, %+v", two, made, sub(two))
	}
	later := eventing.Key{Project: "p", Location: "other", ID: "t"}
	if _, err := w.Create(t.Context(), later, onLetters(func(s *eventing.Spec) {
		s.Destination.Service = "projects/p/locations/local/services/absent"
	})); err != nil {
		t.Errorf("a destination that does not exist yet: %v", err)
	}
	for _, c := range []struct {
		location, after string
		limit, want     int
	}{{"-", "", 10, 3}, {"local", "", 10, 2}, {"-", "local/files", 10, 2}, {"-", "", 1, 1}, {"nowhere", "", 10, 0}} {
		if list, err := w.Triggers(t.Context(), "p", c.location, c.after, c.limit); err != nil || len(list) != c.want {
			t.Errorf("%+v: %+v, %v", c, list, err)
		}
	}

	for _, k := range []eventing.Key{key, files} {
		if _, err := w.Delete(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		_, err := w.Delete(t.Context(), k)
		wantCode(t, err, sunya.NotFound, "")
	}
	if _, err := w.broker.Topic(t.Context(), letters); err != nil {
		t.Errorf("a topic that was given has gone: %v", err)
	}
	_, err = w.broker.Topic(t.Context(), two.Topic)
	wantCode(t, err, sunya.NotFound, "")
	_, err = w.broker.Subscription(t.Context(), one.Subscription)
	wantCode(t, err, sunya.NotFound, "")
	if len(w.buckets.made) > 0 {
		t.Errorf("left are %+v", w.buckets.made)
	}
}

// TestATriggerThatCannotBeMadeLeavesNothing: the bucket takes no notification.
func TestATriggerThatCannotBeMadeLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.buckets.err = errors.New("the bucket is full")
	if _, err := w.Create(t.Context(), key, onFiles(inInbox)); !errors.Is(err, w.buckets.err) {
		t.Errorf("create: %v", err)
	}
	_, err := w.Trigger(t.Context(), key)
	wantCode(t, err, sunya.NotFound, "")
	if all, err := w.broker.Backlogs(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("left are the subscriptions %+v, %v", all, err)
	}
}

// TestASubscriptionOfTheName: somebody else's is not taken.
func TestASubscriptionOfTheName(t *testing.T) {
	name := newWorld(t).create(onLetters()).Subscription
	w := newWorld(t) // gives the same unique ids
	if _, err := w.broker.CreateSubscription(t.Context(), pubsub.Subscription{Name: name, Topic: letters}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Create(t.Context(), key, onLetters())
	wantCode(t, err, sunya.AlreadyExists, "")
	_, err = w.Trigger(t.Context(), key)
	wantCode(t, err, sunya.NotFound, "")
	if _, err := w.broker.Subscription(t.Context(), name); err != nil {
		t.Errorf("it has gone: %v", err)
	}
}

func TestUpdate(t *testing.T) {
	w := newWorld(t)
	_, err := w.Update(t.Context(), key, func(*eventing.Trigger) error { return nil })
	wantCode(t, err, sunya.NotFound, "")
	before := w.create(onFiles(inInbox))
	first := w.buckets.made[0]
	refuse := errors.New("no")
	if _, err := w.Update(t.Context(), key, func(*eventing.Trigger) error { return refuse }); !errors.Is(err, refuse) {
		t.Errorf("%v", err)
	}
	_, err = w.Update(t.Context(), key, func(now *eventing.Trigger) error { now.Filters[0].Value = eventing.MessagePublished; return nil })
	wantCode(t, err, sunya.InvalidArgument, "event_filters")
	elsewhere := func(now *eventing.Trigger) error { now.Filters[1].Value = "none"; return nil }
	wantCode(t, w.CheckUpdate(t.Context(), key, elsewhere), sunya.NotFound, "")
	_, err = w.Update(t.Context(), key, elsewhere)
	wantCode(t, err, sunya.NotFound, "")

	// What somebody has set on the subscription stays.
	if _, err := w.broker.UpdateSubscription(t.Context(), before.Subscription, func(s *pubsub.Subscription) error {
		s.Retry = &pubsub.Retry{Min: time.Second, Max: time.Minute}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	after, err := w.Update(t.Context(), key, func(now *eventing.Trigger) error {
		now.Destination = eventing.Destination{Service: "projects/p/locations/local/services/reader", Path: "other"}
		now.Filters = append(now.Filters, eventing.Filter{Attribute: "object", Value: "x"})
		return nil
	})
	if err != nil || after.UID != before.UID || after.Topic != before.Topic || !after.OwnTopic || after.Subscription != before.Subscription {
		t.Fatalf("%+v, %v; it was %+v", after, err, before)
	}
	s, err := w.broker.Subscription(t.Context(), after.Subscription)
	if err != nil || s.Push.Endpoint != "http://reader.test/other" || s.Retry == nil || s.Retry.Min != time.Second {
		t.Errorf("%+v, %v", s, err)
	}
	if made := w.buckets.made; len(made) != 1 || made[0].ID == first.ID {
		t.Errorf("other filters are the same notification: %+v", made)
	}
	if _, err := w.Update(t.Context(), key, func(now *eventing.Trigger) error { now.Retry = false; return nil }); err != nil {
		t.Fatal(err)
	}
	if s, err = w.broker.Subscription(t.Context(), after.Subscription); err != nil || s.Retry != nil {
		t.Errorf("without retry: %+v, %v", s, err)
	}
}

func TestPut(t *testing.T) {
	w := newWorld(t)
	put := func(s eventing.Spec) *eventing.Trigger {
		t.Helper()
		tr, err := w.Put(t.Context(), key, s)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	byTopic := func(topic string) eventing.Spec {
		return onLetters(func(s *eventing.Spec) { s.Topic, s.MakeTopic = topic, true })
	}
	one := put(byTopic("projects/p/topics/made"))
	if _, err := w.broker.Topic(t.Context(), "projects/p/topics/made"); err != nil {
		t.Error(err)
	}
	for what, c := range map[string]struct {
		spec eventing.Spec
		same bool
	}{
		"the same":       {byTopic("projects/p/topics/made"), true},
		"another path":   {func() eventing.Spec { s := byTopic("projects/p/topics/made"); s.Destination.Path = "/x"; return s }(), true},
		"another topic":  {byTopic("projects/p/topics/other"), false},
		"another source": {onFiles(inInbox), false},
	} {
		put(byTopic("projects/p/topics/made"))
		now, err := w.Trigger(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if next := put(c.spec); (next.UID == now.UID) != c.same {
			t.Errorf("%s: %+v after %+v", what, next, one)
		}
	}
	_, err := w.Put(t.Context(), key, eventing.Spec{})
	wantCode(t, err, sunya.InvalidArgument, "event_filters")
}

// TestARestartGoesOn with triggers that an earlier server has half made, or half
// deleted.
func TestARestartGoesOn(t *testing.T) {
	s := newServer(t)
	w, stop := s.start(t)
	w.letters()
	tr := w.create(onFiles(inInbox))
	gone, half := *tr, *tr
	gone.ID, gone.UID, gone.State = "gone", "g", eventing.Deleting
	half.ID, half.UID, half.State, half.Topic, half.Subscription = "half", "h", eventing.Making, "projects/p/topics/halfway", "projects/p/subscriptions/halfway"
	for _, x := range []*eventing.Trigger{&gone, &half} {
		if err := w.store.PutTrigger(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.Trigger(t.Context(), gone.Key)
	wantCode(t, err, sunya.NotFound, "")
	stop()

	w, _ = s.start(t)
	waitFor(t, "both are settled", func() bool {
		now, err := w.store.GetTrigger(t.Context(), half.Key)
		_, goneErr := w.store.GetTrigger(t.Context(), gone.Key)
		return err == nil && now.State == eventing.Active && sunya.CodeOf(goneErr) == sunya.NotFound
	})
	if sub, err := w.broker.Subscription(t.Context(), half.Subscription); err != nil || sub.Topic != half.Topic {
		t.Errorf("%+v, %v", sub, err)
	}
}

func TestPolicies(t *testing.T) {
	w := newWorld(t)
	for _, bad := range []string{"", "projects/p/locations/local/services/t"} {
		_, err := w.Policy(t.Context(), bad)
		wantCode(t, err, sunya.InvalidArgument, "resource")
		_, err = w.SetPolicy(t.Context(), bad, iam.Policy{}, "")
		wantCode(t, err, sunya.InvalidArgument, "resource")
	}
	_, err := w.Policy(t.Context(), key.Name())
	wantCode(t, err, sunya.NotFound, "")
	w.create(onLetters())
	p, err := w.SetPolicy(t.Context(), key.Name(), iam.Policy{Bindings: []iam.Binding{{Role: "roles/viewer", Members: []string{"allUsers"}}}}, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.SetPolicy(t.Context(), key.Name(), iam.Policy{}, p.ETag()+"x")
	wantCode(t, err, sunya.Aborted, "")
	if _, err := w.Update(t.Context(), key, func(now *eventing.Trigger) error { now.Labels = map[string]string{"a": "b"}; return nil }); err != nil {
		t.Fatal(err)
	}
	if now, err := w.Policy(t.Context(), key.Name()); err != nil || len(now.Bindings) != 1 {
		t.Errorf("%+v, %v", now, err)
	}
}

func TestLegacy(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		kind, resource string
		code           sunya.Code
		field          string
		topic, bucket  string
	}{
		{"google.pubsub.topic.publish", "projects/p/topics/letters", sunya.OK, "", letters, ""},
		{"providers/cloud.pubsub/eventTypes/topic.publish", "letters", sunya.OK, "", letters, ""},
		{"google.storage.object.finalize", "projects/_/buckets/inbox", sunya.OK, "", "", "inbox"},
		{"google.storage.object.metadataUpdate", "inbox", sunya.OK, "", "", "inbox"},
		{"google.storage.object.archive", "projects/_/buckets/a/b", sunya.InvalidArgument, "function.event_trigger.resource", "", ""},
		{"google.storage.object.delete", "", sunya.InvalidArgument, "function.event_trigger.resource", "", ""},
		{"google.pubsub.topic.publish", "", sunya.InvalidArgument, "function.event_trigger.resource", "", ""},
		{eventing.MessagePublished, "letters", sunya.InvalidArgument, "function.event_trigger.event_type", "", ""},
		{"providers/cloud.firestore/eventTypes/document.write", "x", sunya.Unimplemented, "function.event_trigger.event_type", "", ""},
	} {
		s, err := w.Legacy("p", c.kind, c.resource)
		wantCode(t, err, c.code, c.field)
		if err == nil && (s.Topic != c.topic || s.Filter("bucket") != c.bucket || s.Form != eventing.Background || s.LegacyType != c.kind || eventing.CloudType(c.kind) != s.Type()) {
			t.Errorf("%+v: %+v", c, s)
		}
	}
}

// waitFor waits for a condition.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}
