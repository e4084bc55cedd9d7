package eventarcv1_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	pb "cloud.google.com/go/eventarc/apiv1/eventarcpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/wire/eventarcv1"
)

const (
	parent  = "projects/p/locations/local"
	letters = "projects/p/topics/letters"
)

// nowhere is where events go that are never sent.
type nowhere struct{}

func (nowhere) URL(eventing.Destination) (string, error) { return "http://reader.test", nil }

func (nowhere) Send(context.Context, *eventing.Trigger, eventing.Request) (eventing.Answer, error) {
	return eventing.Answer{}, errors.New("not sent")
}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("not sent") }

// serve is the API over empty stores but for a topic.
func serve(t *testing.T) *eventarcv1.API {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	state, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Close() })
	events, err := sqlite.OpenEvents(t.Context(), filepath.Join(t.TempDir(), "events.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { events.Close() })
	broker := pubsub.New(pubsub.Parts{Store: events, Push: nowhere{}, Now: time.Now, Log: log})
	if _, err := broker.CreateTopic(t.Context(), pubsub.Topic{Name: letters}); err != nil {
		t.Fatal(err)
	}
	ids := 0
	id := func() string { ids++; return fmt.Sprint("id", ids) }
	service := eventing.New(eventing.Parts{Store: state, Broker: broker, Target: nowhere{}, Sources: []eventing.Source{eventing.PubSub{}}, Now: time.Now, NewID: id, Log: log})
	return eventarcv1.New(eventarcv1.Deps{Events: service, Put: func(context.Context, *sunya.Operation) error { return nil }, NewID: id, Now: time.Now})
}

func onLetters(change ...func(*pb.Trigger)) *pb.Trigger {
	t := &pb.Trigger{
		EventFilters: []*pb.EventFilter{{Attribute: "type", Value: eventing.MessagePublished}},
		Destination:  &pb.Destination{Descriptor_: &pb.Destination_CloudRun{CloudRun: &pb.CloudRun{Service: "reader", Path: "/new"}}},
		Transport:    &pb.Transport{Intermediary: &pb.Transport_Pubsub{Pubsub: &pb.Pubsub{Topic: letters}}},
	}
	for _, f := range change {
		f(t)
	}
	return t
}

func create(t *testing.T, a *eventarcv1.API, id string) {
	t.Helper()
	op, err := a.CreateTrigger(t.Context(), &pb.CreateTriggerRequest{Parent: parent, TriggerId: id, Trigger: onLetters()})
	var made pb.Trigger
	if err != nil || !op.GetDone() || op.GetResponse().UnmarshalTo(&made) != nil || made.Name != parent+"/triggers/"+id || made.Uid == "" {
		t.Fatalf("%v, %v", op, err)
	}
}

func wantError(t *testing.T, what string, err error, code sunya.Code, field string) {
	t.Helper()
	var e *sunya.Error
	if sunya.CodeOf(err) != code || field != "" && (!errors.As(err, &e) || e.Field != field) {
		t.Errorf("%s: %v, want %v of %q", what, err, code, field)
	}
}

func TestTriggers(t *testing.T) {
	a := serve(t)
	for _, id := range []string{"b", "a", "c"} {
		create(t, a, id)
	}
	_, err := a.CreateTrigger(t.Context(), &pb.CreateTriggerRequest{Parent: parent, TriggerId: "a", Trigger: onLetters()})
	wantError(t, "one that is there", err, sunya.AlreadyExists, "")
	_, err = a.CreateTrigger(t.Context(), &pb.CreateTriggerRequest{Parent: parent, TriggerId: "a", Trigger: onLetters(), ValidateOnly: true})
	wantError(t, "one that is there, only to see", err, sunya.AlreadyExists, "")
	if op, err := a.CreateTrigger(t.Context(), &pb.CreateTriggerRequest{Parent: parent, TriggerId: "d", Trigger: onLetters(), ValidateOnly: true}); err != nil || !op.GetDone() {
		t.Errorf("only to see: %v, %v", op, err)
	}

	var names []string
	for token := ""; ; {
		list, err := a.ListTriggers(t.Context(), &pb.ListTriggersRequest{Parent: parent, PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list.Triggers {
			names = append(names, x.Name[len(parent+"/triggers/"):])
		}
		if token = list.NextPageToken; token == "" {
			break
		}
	}
	if fmt.Sprint(names) != "[a b c]" {
		t.Errorf("listed %v", names)
	}
	for what, tt := range map[string]struct {
		req   *pb.ListTriggersRequest
		code  sunya.Code
		field string
	}{
		"no parent":        {&pb.ListTriggersRequest{}, sunya.InvalidArgument, "parent"},
		"another's token":  {&pb.ListTriggersRequest{Parent: parent, PageToken: "x"}, sunya.InvalidArgument, "pageToken"},
		"less than a page": {&pb.ListTriggersRequest{Parent: parent, PageSize: -1}, sunya.InvalidArgument, "pageSize"},
		"a filter":         {&pb.ListTriggersRequest{Parent: parent, Filter: "x"}, sunya.Unimplemented, "filter"},
		"an order":         {&pb.ListTriggersRequest{Parent: parent, OrderBy: "uid"}, sunya.Unimplemented, "order_by"},
	} {
		_, err := a.ListTriggers(t.Context(), tt.req)
		wantError(t, what, err, tt.code, tt.field)
	}

	got, err := a.GetTrigger(t.Context(), &pb.GetTriggerRequest{Name: parent + "/triggers/a"})
	want := onLetters().Destination
	want.GetCloudRun().Region = "local"
	if err != nil || !proto.Equal(got.Destination, want) || got.GetTransport().GetPubsub().GetTopic() != letters ||
		got.GetTransport().GetPubsub().GetSubscription() == "" || got.GetServiceAccount() == "" || got.GetEtag() == "" {
		t.Errorf("%v, %v", got, err)
	}
	_, err = a.DeleteTrigger(t.Context(), &pb.DeleteTriggerRequest{Name: got.Name, Etag: got.Etag + "x"})
	wantError(t, "another's etag", err, sunya.Aborted, "")
	if op, err := a.DeleteTrigger(t.Context(), &pb.DeleteTriggerRequest{Name: got.Name, Etag: got.Etag}); err != nil || !op.GetDone() {
		t.Errorf("%v, %v", op, err)
	}
	_, err = a.GetTrigger(t.Context(), &pb.GetTriggerRequest{Name: got.Name})
	wantError(t, "gone", err, sunya.NotFound, "")
	_, err = a.DeleteTrigger(t.Context(), &pb.DeleteTriggerRequest{Name: got.Name})
	wantError(t, "gone already", err, sunya.NotFound, "")
	if op, err := a.DeleteTrigger(t.Context(), &pb.DeleteTriggerRequest{Name: got.Name, AllowMissing: true}); err != nil || !op.GetDone() {
		t.Errorf("gone already, which is fine: %v, %v", op, err)
	}
}

func TestBadTriggers(t *testing.T) {
	a := serve(t)
	run := func(c *pb.CloudRun) func(*pb.Trigger) {
		return func(t *pb.Trigger) { t.Destination.Descriptor_ = &pb.Destination_CloudRun{CloudRun: c} }
	}
	for what, tt := range map[string]struct {
		change func(*pb.Trigger)
		code   sunya.Code
		field  string
	}{
		"no destination": {func(t *pb.Trigger) { t.Destination = nil }, sunya.InvalidArgument, "trigger.destination"},
		"no service":     {run(&pb.CloudRun{}), sunya.InvalidArgument, "trigger.destination.cloud_run.service"},
		"a whole name":   {run(&pb.CloudRun{Service: "projects/p/locations/local/services/s"}), sunya.InvalidArgument, "trigger.destination.cloud_run.service"},
		"a function of another": {func(t *pb.Trigger) {
			t.Destination.Descriptor_ = &pb.Destination_CloudFunction{CloudFunction: "projects/q/locations/local/functions/f"}
		}, sunya.InvalidArgument, "trigger.destination"},
		"a workflow":               {func(t *pb.Trigger) { t.Destination.Descriptor_ = &pb.Destination_Workflow{Workflow: "w"} }, sunya.Unimplemented, ""},
		"no type":                  {func(t *pb.Trigger) { t.EventFilters = nil }, sunya.InvalidArgument, "trigger.event_filters"},
		"a type that is not there": {func(t *pb.Trigger) { t.EventFilters[0].Value = "google.cloud.moon.v1.landed" }, sunya.Unimplemented, "trigger.event_filters"},
		"an attribute too many": {func(t *pb.Trigger) {
			t.EventFilters = append(t.EventFilters, &pb.EventFilter{Attribute: "bucket", Value: "b"})
		}, sunya.InvalidArgument, "trigger.event_filters"},
		"a topic that is not there": {func(t *pb.Trigger) { t.Transport.GetPubsub().Topic = "projects/p/topics/none" }, sunya.NotFound, ""},
		"an account":                {func(t *pb.Trigger) { t.ServiceAccount = "me" }, sunya.InvalidArgument, "trigger.service_account"},
		"some attempts":             {func(t *pb.Trigger) { t.RetryPolicy = &pb.Trigger_RetryPolicy{MaxAttempts: 3} }, sunya.InvalidArgument, "trigger.retry_policy.max_attempts"},
		"another content":           {func(t *pb.Trigger) { t.EventDataContentType = "application/protobuf" }, sunya.Unimplemented, "trigger.event_data_content_type"},
		"a channel":                 {func(t *pb.Trigger) { t.Channel = "c" }, sunya.Unimplemented, "trigger.channel"},
	} {
		for _, only := range []bool{true, false} {
			_, err := a.CreateTrigger(t.Context(), &pb.CreateTriggerRequest{Parent: parent, TriggerId: "bad", Trigger: onLetters(tt.change), ValidateOnly: only})
			wantError(t, fmt.Sprint(what, ", validate_only ", only), err, tt.code, tt.field)
		}
	}
	for id, field := range map[string]string{"": "", "Not-An-Id": "", "a/b": ""} {
		_, err := a.CreateTrigger(t.Context(), &pb.CreateTriggerRequest{Parent: parent, TriggerId: id, Trigger: onLetters()})
		wantError(t, fmt.Sprintf("the id %q", id), err, sunya.InvalidArgument, field)
	}
}

func TestUpdateTrigger(t *testing.T) {
	a := serve(t)
	create(t, a, "a")
	name := parent + "/triggers/a"
	update := func(mask []string, change func(*pb.Trigger), more ...func(*pb.UpdateTriggerRequest)) (*pb.Trigger, error) {
		t.Helper()
		req := &pb.UpdateTriggerRequest{Trigger: onLetters(change), UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}}
		if req.Trigger.Name == "" {
			req.Trigger.Name = name
		}
		for _, f := range more {
			f(req)
		}
		if _, err := a.UpdateTrigger(t.Context(), req); err != nil {
			return nil, err
		}
		return a.GetTrigger(t.Context(), &pb.GetTriggerRequest{Name: req.Trigger.Name})
	}
	labels := func(t *pb.Trigger) { t.Labels = map[string]string{"team": "a"} }
	only := func(r *pb.UpdateTriggerRequest) { r.ValidateOnly = true }
	if got, err := update([]string{"labels"}, labels, only); err != nil || len(got.Labels) != 0 {
		t.Errorf("only to see: %v, %v", got, err)
	}
	got, err := update([]string{"labels"}, func(t *pb.Trigger) { labels(t); t.Destination = nil })
	if err != nil || got.Labels["team"] != "a" || got.GetDestination().GetCloudRun().GetService() != "reader" {
		t.Errorf("labels: %v, %v", got, err)
	}
	got, err = update([]string{"destination"}, func(t *pb.Trigger) { t.Destination.GetCloudRun().Service = "other" })
	if err != nil || got.GetDestination().GetCloudRun().GetService() != "other" || got.Labels["team"] != "a" {
		t.Errorf("destination: %v, %v", got, err)
	}
	_, err = update([]string{"wings"}, labels)
	wantError(t, "a field that is not there", err, sunya.InvalidArgument, "updateMask")
	_, err = update([]string{"event_filters"}, func(t *pb.Trigger) { t.EventFilters[0].Value = "google.cloud.moon.v1.landed" })
	wantError(t, "another type", err, sunya.InvalidArgument, "trigger.event_filters")
	_, err = update([]string{"labels"}, func(t *pb.Trigger) { labels(t); t.Etag = "x" })
	wantError(t, "another's etag", err, sunya.Aborted, "")

	missing := func(t *pb.Trigger) { t.Name = parent + "/triggers/b" }
	_, err = update(nil, missing)
	wantError(t, "one that is not there", err, sunya.NotFound, "")
	if got, err := update(nil, missing, func(r *pb.UpdateTriggerRequest) { r.AllowMissing = true }); err != nil || got.GetDestination().GetCloudRun().GetPath() != "/new" {
		t.Errorf("one that is made: %v, %v", got, err)
	}
}
