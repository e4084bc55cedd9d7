package objects_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// topics records what is published; topics that begin with "bad" fail as often
// as it says.
type topics struct {
	mu   sync.Mutex
	fail int
	got  []map[string]string
	data []string
}

func (p *topics) Publish(_ context.Context, topic string, data []byte, attributes map[string]string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasSuffix(topic, "gone") {
		return sunya.Errorf(sunya.NotFound, topic, "no")
	}
	if strings.HasSuffix(topic, "bad") && p.fail > 0 {
		p.fail--
		return errors.New("not now")
	}
	p.got, p.data = append(p.got, attributes), append(p.data, string(data))
	return nil
}

func (p *topics) events() (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.got {
		out = append(out, a["eventType"])
	}
	return out
}

func encode(o *objects.Object) ([]byte, error) { return json.Marshal(o.Name) }

// TestRelay changes objects of a bucket with notifications, to a topic that
// fails at first among others, and wants every change told once.
func TestRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, objects.Options{})
		for _, n := range []objects.Notification{
			{Topic: "//pubsub.googleapis.com/projects/p/topics/all", Attributes: map[string]string{"k": "v"}},
			{Topic: "projects/p/topics/bad", EventTypes: []objects.Event{objects.Deleted}, PayloadFormat: objects.PayloadNone},
			{Topic: "projects/p/topics/gone"},
			{Topic: "projects/p/topics/other", NamePrefix: "elsewhere/"},
		} {
			n.Bucket = "stuff"
			if _, err := f.CreateNotification(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		first := f.put(t, "o", "one")
		second := f.put(t, "o", "two")
		if _, err := f.Update(t.Context(), "stuff", "o", 0, objects.Conditions{}, func(o *objects.Object) error { o.ContentType = "text/css"; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := f.Delete(t.Context(), "stuff", "o", 0, objects.Conditions{}); err != nil {
			t.Fatal(err)
		}
		to := &topics{fail: 3}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Relay(ctx, to, encode) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		f.put(t, "p", "behind the start")
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Relay = %v", err)
		}
		counts := map[string]int{}
		for _, e := range to.events() {
			counts[e]++
		}
		if counts["OBJECT_FINALIZE"] != 3 || counts["OBJECT_DELETE"] != 4 || counts["OBJECT_METADATA_UPDATE"] != 1 || len(to.got) != 8 {
			t.Errorf("published %v", counts)
		}
		for i, a := range to.got {
			if a["bucketId"] != "stuff" || a["payloadFormat"] == objects.PayloadNone && to.data[i] != "" || a["payloadFormat"] == objects.PayloadJSON && a["k"] != "v" {
				t.Errorf("message %v %q", a, to.data[i])
			}
			if a["overwroteGeneration"] != "" && a["overwroteGeneration"] != fmt.Sprint(first.Generation) || a["overwrittenByGeneration"] != "" && a["overwrittenByGeneration"] != fmt.Sprint(second.Generation) {
				t.Errorf("generations %d and %d, but %v", first.Generation, second.Generation, a)
			}
		}
	})
}

func TestNotificationRefuses(t *testing.T) {
	f := setup(t, objects.Options{})
	for _, n := range []objects.Notification{
		{Bucket: "stuff", Topic: "t"},
		{Bucket: "stuff", Topic: "projects/p/topics/t" + strings.Repeat("x", 300)},
		{Bucket: "stuff", Topic: "projects/p/topics/topic", PayloadFormat: "XML"},
		{Bucket: "stuff", Topic: "projects/p/topics/topic", EventTypes: []objects.Event{"X"}},
		{Bucket: "stuff", Topic: "projects/p/topics/topic", Attributes: map[string]string{"": "v"}},
	} {
		_, err := f.CreateNotification(t.Context(), n)
		wantCode(t, err, sunya.InvalidArgument)
	}
	_, err := f.CreateNotification(t.Context(), objects.Notification{Bucket: "nope", Topic: "projects/p/topics/topic"})
	wantCode(t, err, sunya.NotFound)
}
