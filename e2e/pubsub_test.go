//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	gstatus "google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// pubsubClient is Google's client with what its variable does, which would hold
// for all tests of this process.
func pubsubClient(t *testing.T, s *platform.Server) *pubsub.Client {
	t.Helper()
	return newPubSub(t, option.WithEndpoint("127.0.0.1:"+s.Port), option.WithoutAuthentication(), option.WithTelemetryDisabled(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
}

func newPubSub(t *testing.T, opts ...option.ClientOption) *pubsub.Client {
	t.Helper()
	c, err := pubsub.NewClient(t.Context(), "sunya", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

const (
	lettersTopic = "projects/sunya/topics/letters"
	lettersSub   = "projects/sunya/subscriptions/letters"
)

func createLetters(t *testing.T, c *pubsub.Client, sub *pb.Subscription) {
	t.Helper()
	if _, err := c.TopicAdminClient.CreateTopic(t.Context(), &pb.Topic{Name: lettersTopic}); err != nil {
		t.Fatal(err)
	}
	sub.Name, sub.Topic = lettersSub, lettersTopic
	if _, err := c.SubscriptionAdminClient.CreateSubscription(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
}

func TestPubSub(t *testing.T) {
	s := platform.Start(t)
	t.Setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:"+s.Port) // which is all that it takes
	c := newPubSub(t)
	createLetters(t, c, &pb.Subscription{EnableMessageOrdering: true})

	t.Run("every message arrives once and in order", func(t *testing.T) {
		const keys, each = 5, 100
		pub := c.Publisher(lettersTopic)
		pub.EnableMessageOrdering = true
		var results []*pubsub.PublishResult
		for i := range each {
			for k := range keys {
				results = append(results, pub.Publish(t.Context(), &pubsub.Message{
					Data: []byte(strconv.Itoa(i)), OrderingKey: fmt.Sprint("key", k), Attributes: map[string]string{"n": strconv.Itoa(i)},
				}))
			}
		}
		for _, r := range results {
			if _, err := r.Get(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		pub.Stop()
		got := receive(t, c, lettersSub, keys*each)
		for k := range keys {
			var order []string
			for _, m := range got {
				if m.OrderingKey == fmt.Sprint("key", k) {
					order = append(order, string(m.Data))
				}
			}
			for i := range order {
				if order[i] != strconv.Itoa(i) {
					t.Fatalf("key %d came as %v", k, order)
				}
			}
			if len(order) != each {
				t.Errorf("key %d: %d messages, want %d", k, len(order), each)
			}
		}
	})

	t.Run("REST", func(t *testing.T) {
		answer := postJSON(t, s, "/v1/"+lettersTopic+":publish", `{"messages":[{"data":"aGVsbG8=","attributes":{"a":"b"}}]}`)
		if ids, _ := answer["messageIds"].([]any); len(ids) != 1 {
			t.Fatalf("publish answered %v", answer)
		}
		answer = postJSON(t, s, "/v1/"+lettersSub+":pull", `{"maxMessages":10}`)
		list, _ := answer["receivedMessages"].([]any)
		if len(list) != 1 {
			t.Fatalf("pull answered %v", answer)
		}
		ack := list[0].(map[string]any)["ackId"].(string)
		if answer = postJSON(t, s, "/v1/"+lettersSub+":acknowledge", `{"ackIds":["`+ack+`"]}`); len(answer) != 0 {
			t.Errorf("acknowledge answered %v", answer)
		}
		answer = postJSON(t, s, "/v1/projects/sunya/topics/none:publish", `{"messages":[{"data":"aGVsbG8="}]}`)
		if e, _ := answer["error"].(map[string]any); e["status"] != "NOT_FOUND" {
			t.Errorf("publish to an unknown topic answered %v", answer)
		}
	})

	t.Run("errors", func(t *testing.T) {
		_, err := c.TopicAdminClient.CreateTopic(t.Context(), &pb.Topic{Name: lettersTopic})
		if gstatus.Code(err) != codes.AlreadyExists {
			t.Error(err)
		}
		_, err = c.SubscriptionAdminClient.CreateSubscription(t.Context(), &pb.Subscription{Name: lettersSub + "x", Topic: lettersTopic, Filter: "attributes."})
		if gstatus.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "filter") {
			t.Error(err)
		}
		_, err = c.SubscriptionAdminClient.GetSubscription(t.Context(), &pb.GetSubscriptionRequest{Subscription: lettersSub + "x"})
		if gstatus.Code(err) != codes.NotFound {
			t.Error(err)
		}
	})
}

// receive takes n messages through the client's own stream.
func receive(t *testing.T, c *pubsub.Client, sub string, n int) []*pubsub.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	var got []*pubsub.Message
	err := c.Subscriber(sub).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
		m.Ack()
		mu.Lock()
		defer mu.Unlock()
		if got = append(got, m); len(got) == n {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < n {
		t.Fatalf("%d messages came, want %d", len(got), n)
	}
	return got
}

func postJSON(t *testing.T, s *platform.Server, path, body string) map[string]any {
	t.Helper()
	resp, err := http.Post(s.URL()+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, raw)
	}
	return out
}

// TestPubSubPush: messages go to a service of the platform, which wakes from
// nothing for them.
func TestPubSubPush(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Files(t, map[string]string{
		"app.yaml":         "runtime: python311\n",
		"requirements.txt": "Flask\ngunicorn\n",
		"main.py": `import base64
from flask import Flask, request

app = Flask(__name__)
seen = []

@app.post("/push")
def push():
    m = request.get_json()["message"]
    text = base64.b64decode(m["data"]).decode()
    seen.append(text + m["attributes"]["mark"])
    return "", 204

@app.get("/")
def show():
    return ",".join(seen)
`,
	}))
	c := pubsubClient(t, s)
	createLetters(t, c, &pb.Subscription{PushConfig: &pb.PushConfig{PushEndpoint: "http://" + host + "/push"}})
	pub := c.Publisher(lettersTopic)
	for _, text := range []string{"a", "b"} {
		if _, err := pub.Publish(t.Context(), &pubsub.Message{Data: []byte(text), Attributes: map[string]string{"mark": "!"}}).Get(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.Eventually(20*time.Second, "both messages pushed", func() error {
		got := strings.Split(s.Get(host, "/"), ",")
		slices.Sort(got)
		if !slices.Equal(got, []string{"a!", "b!"}) {
			return fmt.Errorf("the service has %v", got)
		}
		return nil
	})
}
