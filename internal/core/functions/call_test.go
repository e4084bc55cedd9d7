package functions

import (
	"strings"
	"testing"
	"time"
)

func TestNewCall(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	const (
		flat  = `{"eventId":"e","eventType":"t","resource":"r","data":{}}`
		whole = `{"context":{"eventId":"e"},"data":{}}`
		cloud = `{"specversion":"1.0","id":"e"}`
	)
	for _, tt := range []struct {
		signature  Signature
		data, want string
	}{
		{HTTP, `{"a":1}`, `application/json {"a":1}`},
		{HTTP, " ", "application/json {}"},
		{"", cloud, "application/json " + cloud},
		{Event, `{"a":1}`, `"data":{"a":1}`},
		{Event, `{"a":1}`, `"eventId":"id1"`},
		{Event, "not JSON", `"data":"not JSON"`},
		{Event, flat, "application/json " + flat},
		{Event, whole, "application/json " + whole},
		{Event, cloud, "application/cloudevents+json " + cloud},
		{CloudEvent, cloud, "application/cloudevents+json " + cloud},
		{CloudEvent, whole, "application/json " + whole},
		{CloudEvent, `[1]`, `"data":[1],"datacontenttype":"application/json","id":"id1"`},
	} {
		c := NewCall(hello, tt.signature, tt.data, "id1", now)
		got := c.Header("id1").Get("Content-Type") + " " + string(c.Body)
		if !strings.Contains(got, tt.want) || c.Header("id1").Get("Function-Execution-Id") != "id1" {
			t.Errorf("%s %s: %s, want %s", tt.signature, tt.data, got, tt.want)
		}
	}
}

func FuzzNewCall(f *testing.F) {
	f.Add(`{"data":1,"context":{}}`)
	f.Add(`nothing`)
	f.Fuzz(func(t *testing.T, data string) {
		for _, s := range []Signature{HTTP, Event, CloudEvent, ""} {
			if c := NewCall(hello, s, data, "id", time.Time{}); len(c.Body) == 0 || c.ContentType == "" {
				t.Errorf("%q: %+v", data, c)
			}
		}
	})
}
