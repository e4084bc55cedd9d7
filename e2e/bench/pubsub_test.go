//go:build e2e

package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// BenchmarkPubSub: durable publishing over what the disk's SQLite takes and over
// Google's emulator, which keeps messages in memory; and from a publish to the
// start of the function that gets the message.
func BenchmarkPubSub(b *testing.B) {
	s := begin(b, "pubsub")
	defer s.end()
	s.run("publish", benchPublish)
	s.run("push", benchPush)
}

const (
	bareStore    = "SQLite alone, synced batches of 200"
	viaClient    = "Sunya"
	viaRaw       = "Sunya, one message a request"
	emulated     = "Google's emulator, in memory"
	emulatedRaw  = "Google's emulator, one message a request"
	publishSpan  = 3 * time.Second
	publishQuick = 500 * time.Millisecond
)

func benchPublish(s *sheet) {
	f := s.figure(results.Figure{
		ID: "pubsub/publish", Title: "Publish 1 KiB durably, 64 publishers", Unit: "msg/s", Higher: true, Base: bareStore,
		Note: "With Google's Go client as it comes (up to 100 messages a request), unless it says otherwise; client and server share the machine.",
		Goals: []results.Goal{
			{Subject: viaClient, As: results.AsRatio, Over: bareStore, Limit: 0.5, AtLeast: true},
			{Subject: viaClient, As: results.AsValue, Limit: 10_000, AtLeast: true},
		},
	})
	span := publishSpan
	if quick {
		span = publishQuick
	}
	store := newBareSQLite(s)
	ours := dialBroker(s, "Sunya", "127.0.0.1:"+platform.Start(s).Port)
	subjects := []func(){
		measured(s, f, bareStore, span, store.rate),
		measured(s, f, viaClient, span, ours.google),
		measured(s, f, viaRaw, span, ours.raw),
	}
	if addr := emulator(s); addr != "" {
		theirs := dialBroker(s, "emulator", addr)
		f.Goals = append(f.Goals,
			results.Goal{Subject: viaClient, As: results.AsRatio, Over: emulated, Limit: 1, AtLeast: true},
			results.Goal{Subject: viaRaw, As: results.AsRatio, Over: emulatedRaw, Limit: 1, AtLeast: true})
		// It grows with every message: more than a few rounds it does not hold.
		subjects = append(subjects, measured(s, f, emulated, span, theirs.google), measured(s, f, emulatedRaw, span, theirs.raw))
	} else {
		s.Log("SKIP: Google's emulator is not installed: apt-get install google-cloud-cli-pubsub-emulator default-jre-headless")
	}
	s.turns(5, subjects...)
}

func measured(s *sheet, f *results.Figure, subject string, span time.Duration, take func(time.Duration) (float64, error)) func() {
	return func() {
		if f.HasFailed(subject) {
			return
		}
		v, err := take(span)
		if err != nil {
			f.Fail(subject, err)
			s.Errorf("%s: %v", subject, err)
			return
		}
		f.Add(subject, v)
	}
}

// stampApp notes when each request to it began.
const stampApp = `import http.server, os, time
seen = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        at = time.time_ns()
        self.rfile.read(int(self.headers["Content-Length"]))
        seen.append(at)
        self.send_response(204)
        self.end_headers()

    def do_GET(self):
        text = " ".join(map(str, seen)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`

func benchPush(s *sheet) {
	const published, started = "publish, until it is acknowledged", "publish, until the function starts"
	f := s.figure(results.Figure{
		ID: "pubsub/push", Title: "Publish to the start of a warm function", Unit: "ms",
		Goals: []results.Goal{{Subject: started, Quantile: 0.99, As: results.AsDifference, Over: published, Limit: 5}},
	})
	server := platform.Start(s)
	host := server.Deploy(platform.Files(s, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\n", "main.py": stampApp,
	}))
	c := dialBroker(s, "Sunya", "127.0.0.1:"+server.Port)
	ctx := context.Background()
	err := c.client.SubscriptionAdminClient.ModifyPushConfig(ctx, &pb.ModifyPushConfigRequest{
		Subscription: benchSub, PushConfig: &pb.PushConfig{PushEndpoint: "http://" + host + "/"},
	})
	if err != nil {
		s.Fatal(err)
	}
	publisher := pb.NewPublisherClient(c.conns[0])
	n := 0
	for range less(500, 50) {
		begin := time.Now()
		if _, err := publisher.Publish(ctx, &pb.PublishRequest{Topic: benchTopic, Messages: []*pb.PubsubMessage{{Data: kibibyte}}}); err != nil {
			s.Fatal(err)
		}
		took := time.Since(begin)
		n++
		at := lastStamp(server, host, n)
		if n > 10 { // warm
			f.Add(published, ms(took))
			f.Add(started, ms(at.Sub(begin)))
		}
	}
}

// lastStamp waits until the app has n requests and returns when the last one began.
func lastStamp(server *platform.Server, host string, n int) (at time.Time) {
	server.Eventually(20*time.Second, "the message pushed", func() error {
		stamps := strings.Fields(server.Get(host, "/"))
		if len(stamps) < n {
			return fmt.Errorf("%d of %d", len(stamps), n)
		}
		nanos, err := strconv.ParseInt(stamps[n-1], 10, 64)
		at = time.Unix(0, nanos)
		return err
	})
	return at
}
