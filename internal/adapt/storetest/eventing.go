package storetest

import (
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Eventing is the contract of eventing.Store.
func Eventing(t *testing.T, open func(testing.TB) eventing.Store) {
	for _, tt := range []struct {
		rule string
		test func(*testing.T, eventing.Store)
	}{
		{"PutGetDelete", triggerRecords},
		{"Lists", triggerLists},
		{"SourceState", sourceStates},
		{"Failures", failureRecords},
		{"FailuresAreBounded", failureBounds},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func trigger(project, location, id string) *eventing.Trigger {
	return &eventing.Trigger{
		Key: eventing.Key{Project: project, Location: location, ID: id}, UID: "u", Subscription: "s", OwnTopic: true, State: eventing.Active,
		Spec: eventing.Spec{
			Filters:     []eventing.Filter{{Attribute: "type", Value: "t"}, {Attribute: "object", Operator: eventing.MatchPathPattern, Value: "ü/*"}},
			Destination: eventing.Destination{Service: "svc", Path: "/p"}, Account: "a", Topic: "t", Form: eventing.Background, LegacyType: "l",
			Retry: true, MaxAge: time.Hour, Labels: map[string]string{"a": "b"}, Owner: "f", Document: []byte("{}"),
		},
		CreateTime: at(1), UpdateTime: at(2),
		Policy: iam.Policy{Bindings: []iam.Binding{{Role: "roles/viewer", Members: []string{"allUsers"}}}},
	}
}

func triggerRecords(t *testing.T, s eventing.Store) {
	tr := trigger("p", "local", "a")
	_, err := s.GetTrigger(t.Context(), tr.Key)
	wantCode(t, err, sunya.NotFound)
	must(t, s.PutTrigger(t.Context(), tr))
	tr.State = eventing.Deleting
	must(t, s.PutTrigger(t.Context(), tr))
	got, err := s.GetTrigger(t.Context(), tr.Key)
	must(t, err)
	wantSame(t, got, tr)
	must(t, s.PutSourceState(t.Context(), tr.Name(), []byte("x")))
	must(t, s.PutFailure(t.Context(), failure(tr.Name(), "1", 1), eventing.Keep{Events: 9, Bytes: 1 << 20}))
	for range 2 { // what is gone may be deleted
		must(t, s.DeleteTrigger(t.Context(), tr.Key))
	}
	_, err = s.GetTrigger(t.Context(), tr.Key)
	wantCode(t, err, sunya.NotFound)
	state, err := s.SourceState(t.Context(), tr.Name())
	must(t, err)
	if left, err := s.ListFailures(t.Context(), eventing.FailureQuery{}); err != nil || len(left) > 0 || state != nil {
		t.Errorf("a deleted trigger has left %v, %q, %v", left, state, err)
	}
}

func triggerLists(t *testing.T, s eventing.Store) {
	for _, name := range [][3]string{{"p", "b", "x"}, {"p", "a", "y"}, {"p", "a", "x"}, {"q", "a", "z"}} {
		must(t, s.PutTrigger(t.Context(), trigger(name[0], name[1], name[2])))
	}
	for _, c := range []struct {
		project, location, after string
		limit                    int
		want                     string
	}{
		{"p", "", "", 0, "p/a/x p/a/y p/b/x "}, {"p", "", "a/x", 0, "p/a/y p/b/x "}, {"p", "a", "", 1, "p/a/x "}, {"p", "a", "a/x", 5, "p/a/y "},
		{"", "", "", 0, "p/a/x p/a/y p/b/x q/a/z "}, {"", "", "p/b/x", 0, "q/a/z "}, {"r", "", "", 0, ""},
	} {
		list, err := s.ListTriggers(t.Context(), c.project, c.location, c.after, c.limit)
		must(t, err)
		got := ""
		for _, tr := range list {
			got += tr.Project + "/" + tr.Location + "/" + tr.ID + " "
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func sourceStates(t *testing.T, s eventing.Store) {
	for _, want := range []string{"", "one", "two"} {
		if want != "" {
			must(t, s.PutSourceState(t.Context(), "t", []byte(want)))
		}
		got, err := s.SourceState(t.Context(), "t")
		must(t, err)
		if string(got) != want {
			t.Errorf("state %q, want %q", got, want)
		}
	}
}

func failure(trigger, id string, n int) *eventing.Failure {
	return &eventing.Failure{
		Trigger: trigger, ID: id, State: eventing.Dropped, Type: "t", Subject: "s", Attempts: n, Status: 500, Reason: "why", First: at(0), Last: at(n),
		Message: pubsub.Message{ID: id, PublishTime: at(0), Data: []byte{0, 255}, Attributes: map[string]string{"a": "b"}, OrderingKey: "k"},
	}
}

func failureRecords(t *testing.T, s eventing.Store) {
	const a, b = "projects/p/locations/l/triggers/a", "projects/q/locations/l/triggers/b"
	keep := eventing.Keep{Events: 100, Bytes: 1 << 20}
	for _, f := range []*eventing.Failure{failure(a, "1", 1), failure(a, "2", 2), failure(b, "1", 3), failure(a, "1", 4)} {
		must(t, s.PutFailure(t.Context(), f, keep))
	}
	got, err := s.GetFailure(t.Context(), a, "1")
	must(t, err)
	wantSame(t, got, failure(a, "1", 4))
	for _, c := range []struct {
		q    eventing.FailureQuery
		want int
	}{
		{eventing.FailureQuery{}, 3}, {eventing.FailureQuery{Project: "p"}, 2}, {eventing.FailureQuery{Trigger: b}, 1},
		{eventing.FailureQuery{ID: "1"}, 2}, {eventing.FailureQuery{Limit: 1}, 1}, {eventing.FailureQuery{Project: "r"}, 0},
	} {
		list, err := s.ListFailures(t.Context(), c.q)
		must(t, err)
		if len(list) != c.want {
			t.Errorf("%+v: %d failures, want %d", c.q, len(list), c.want)
		}
		if len(list) == 3 && (list[0].Trigger != a || list[0].ID != "1" || list[2].ID != "2") {
			t.Errorf("not the latest first: %+v", list)
		}
	}
	must(t, s.ExpireFailures(t.Context(), at(3)))
	_, err = s.GetFailure(t.Context(), a, "2")
	wantCode(t, err, sunya.NotFound)
	for range 2 {
		must(t, s.DeleteFailure(t.Context(), a, "1"))
	}
	_, err = s.GetFailure(t.Context(), a, "1")
	wantCode(t, err, sunya.NotFound)
}

func failureBounds(t *testing.T, s eventing.Store) {
	for i := range 5 {
		must(t, s.PutFailure(t.Context(), failure("t", name("%d", i), i), eventing.Keep{Events: 3, Bytes: 1 << 20}))
	}
	must(t, s.PutFailure(t.Context(), failure("other", "1", 0), eventing.Keep{Events: 3, Bytes: 1 << 20}))
	list, err := s.ListFailures(t.Context(), eventing.FailureQuery{Trigger: "t"})
	must(t, err)
	if len(list) != 3 || list[0].ID != "4" || list[2].ID != "2" {
		t.Errorf("kept %+v, want 4, 3, 2", list)
	}
	big := failure("t", "big", 6)
	big.Message.Data = make([]byte, 2000)
	must(t, s.PutFailure(t.Context(), big, eventing.Keep{Events: 3, Bytes: 3300}))
	list, err = s.ListFailures(t.Context(), eventing.FailureQuery{Trigger: "t"})
	must(t, err)
	if len(list) != 2 && len(list) != 1 || list[0].ID != "big" {
		t.Errorf("kept %d failures beyond the bytes", len(list))
	}
}
