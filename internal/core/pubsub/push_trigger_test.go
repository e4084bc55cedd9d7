package pubsub

import (
	"testing"
)

// TestOfATrigger changes the subscription of a trigger as somebody may who does
// not know of it, and as nobody may.
func TestOfATrigger(t *testing.T) {
	have := Subscription{Push: &Push{Endpoint: "http://a", Account: "x", Trigger: "t"}}
	for _, c := range []struct {
		rule string
		push *Push
		keep bool
	}{
		{"the same endpoint", &Push{Endpoint: "http://a"}, true},
		{"another endpoint", &Push{Endpoint: "http://b"}, false},
		{"none", nil, false},
	} {
		next := Subscription{Push: c.push}
		if next.keepTrigger(&have); (next.trigger() == "t") != c.keep {
			t.Errorf("%s: %+v", c.rule, next.Push)
		}
		if c.push != nil && c.push.Trigger != "" {
			t.Errorf("%s: what was given has changed", c.rule)
		}
	}
}
