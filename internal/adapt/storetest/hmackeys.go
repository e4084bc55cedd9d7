package storetest

import (
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/hmackeys"
)

// HMACKeys is the contract of hmackeys.Store.
func HMACKeys(t *testing.T, open func(testing.TB) hmackeys.Store) {
	s := open(t)
	for _, k := range []hmackeys.Key{
		{AccessID: "b", Secret: "s", Project: "p", Account: "one", State: hmackeys.Active, CreateTime: at(1), UpdateTime: at(2)},
		{AccessID: "a", Secret: "s", Project: "p", Account: "two", State: hmackeys.Active},
		{AccessID: "c", Secret: "s", Project: "q", Account: "one", State: hmackeys.Active},
	} {
		must(t, s.PutHMACKey(t.Context(), &k))
	}
	k, err := s.GetHMACKey(t.Context(), "b")
	must(t, err)
	if k.Secret != "s" || k.Account != "one" || !k.UpdateTime.Equal(at(2)) {
		t.Errorf("got %+v", k)
	}
	for _, tt := range []struct {
		project, account, after string
		limit                   int
		want                    string
	}{{"p", "", "", 9, "ab"}, {"p", "", "a", 9, "b"}, {"p", "", "", 1, "a"}, {"p", "one", "", 9, "b"}, {"none", "", "", 9, ""}} {
		keys, err := s.ListHMACKeys(t.Context(), tt.project, tt.account, tt.after, tt.limit)
		must(t, err)
		got := ""
		for _, k := range keys {
			got += k.AccessID
		}
		if got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
	must(t, s.UpdateHMACKey(t.Context(), "b", func(k *hmackeys.Key) error { k.State = hmackeys.Inactive; return nil }))
	no := sunya.Errorf(sunya.FailedPrecondition, "", "no")
	wantCode(t, s.UpdateHMACKey(t.Context(), "b", func(k *hmackeys.Key) error { k.State = hmackeys.Active; return no }), sunya.FailedPrecondition)
	wantCode(t, s.DeleteHMACKey(t.Context(), "b", func(*hmackeys.Key) error { return no }), sunya.FailedPrecondition)
	if k, err = s.GetHMACKey(t.Context(), "b"); err != nil || k.State != hmackeys.Inactive {
		t.Errorf("after refusals: %+v, %v", k, err)
	}
	must(t, s.DeleteHMACKey(t.Context(), "b", func(*hmackeys.Key) error { return nil }))
	_, err = s.GetHMACKey(t.Context(), "b")
	wantCode(t, err, sunya.NotFound)
	wantCode(t, s.UpdateHMACKey(t.Context(), "b", func(*hmackeys.Key) error { return nil }), sunya.NotFound)
	wantCode(t, s.DeleteHMACKey(t.Context(), "b", func(*hmackeys.Key) error { return nil }), sunya.NotFound)
}
