//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	gstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// emulatorJar is Google's own emulator, where its SDK has it.
const emulatorJar = "/usr/lib/google-cloud-sdk/platform/pubsub-emulator/lib/*.jar"

// startEmulator returns the address of Google's emulator; the test is skipped
// where that is not installed.
func startEmulator(t *testing.T) string {
	t.Helper()
	jars, err := filepath.Glob(emulatorJar)
	if err != nil || len(jars) == 0 {
		t.Skip("SKIP: Google's Pub/Sub emulator is not installed")
	}
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("SKIP: no java on this machine")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	cmd := exec.Command("java", "-jar", jars[0], "--host=127.0.0.1", fmt.Sprintf("--port=%d", port))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return addr
}

// pubsubAPI is a server of Pub/Sub.
type pubsubAPI struct {
	pb.PublisherClient
	pb.SubscriberClient
	pb.SchemaServiceClient
}

func dialPubSub(t *testing.T, addr string) *pubsubAPI {
	t.Helper()
	c, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &pubsubAPI{pb.NewPublisherClient(c), pb.NewSubscriberClient(c), pb.NewSchemaServiceClient(c)}
}

// TestPubSubBesideEmulator makes the same calls of Google's emulator. Where the
// two answer differently that is in the table, and docs/pubsub.md says why.
func TestPubSubBesideEmulator(t *testing.T) {
	t.Parallel()
	emulator := dialPubSub(t, startEmulator(t))
	s := platform.Start(t)
	sunya := dialPubSub(t, "127.0.0.1:"+s.Port)

	const none, avro = "projects/sunya/topics/none", `{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}`
	const strict, letter = "projects/sunya/topics/strict", "projects/sunya/schemas/letter"
	publish := func(topic string, m ...*pb.PubsubMessage) func(context.Context, *pubsubAPI) error {
		return func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.Publish(ctx, &pb.PublishRequest{Topic: topic, Messages: m})
			return err
		}
	}
	subscribe := func(sub *pb.Subscription) func(context.Context, *pubsubAPI) error {
		return func(ctx context.Context, a *pubsubAPI) error {
			if sub.Topic == "" {
				sub.Topic = lettersTopic
			}
			_, err := a.CreateSubscription(ctx, sub)
			return err
		}
	}
	topic := func(r *pb.Topic) func(context.Context, *pubsubAPI) error {
		return func(ctx context.Context, a *pubsubAPI) error { _, err := a.CreateTopic(ctx, r); return err }
	}
	mask := func(path string) func(context.Context, *pubsubAPI) error {
		return func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.UpdateTopic(ctx, &pb.UpdateTopicRequest{Topic: &pb.Topic{Name: lettersTopic}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{path}}})
			return err
		}
	}
	schema := func(id string, kind pb.Schema_Type, text string) func(context.Context, *pubsubAPI) error {
		return func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.CreateSchema(ctx, &pb.CreateSchemaRequest{Parent: "projects/sunya", SchemaId: id, Schema: &pb.Schema{Type: kind, Definition: text}})
			return err
		}
	}
	validate := func(e pb.Encoding, m string) func(context.Context, *pubsubAPI) error {
		return func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.ValidateMessage(ctx, &pb.ValidateMessageRequest{Parent: "projects/sunya", SchemaSpec: &pb.ValidateMessageRequest_Name{Name: letter}, Encoding: e, Message: []byte(m)})
			return err
		}
	}
	data := func(text string) *pb.PubsubMessage { return &pb.PubsubMessage{Data: []byte(text)} }
	const ok, invalid, missing = codes.OK, codes.InvalidArgument, codes.NotFound
	for _, step := range []struct {
		what         string
		do           func(context.Context, *pubsubAPI) error
		ours, theirs codes.Code
	}{
		{"topic", topic(&pb.Topic{Name: lettersTopic}), ok, ok},
		{"topic again", topic(&pb.Topic{Name: lettersTopic}), codes.AlreadyExists, codes.AlreadyExists},
		{"topic with a bad name", topic(&pb.Topic{Name: "projects/sunya/topics/googly"}), invalid, invalid},
		{"topic with a bad label", topic(&pb.Topic{Name: none + "l", Labels: map[string]string{"A!": "b"}}), invalid, ok},
		{"publish to nothing", publish(none, data("x")), missing, missing},
		{"publish no message", publish(lettersTopic), invalid, invalid},
		{"publish an empty message", publish(lettersTopic, &pb.PubsubMessage{}), invalid, invalid},
		{"publish a key alone", publish(lettersTopic, &pb.PubsubMessage{OrderingKey: "k"}), invalid, invalid},
		{"publish an attribute alone", publish(lettersTopic, &pb.PubsubMessage{Attributes: map[string]string{"a": ""}}), ok, ok},
		{"publish a reserved attribute", publish(lettersTopic, &pb.PubsubMessage{Attributes: map[string]string{"googx": "a"}}), invalid, ok},
		{"publish a long value", publish(lettersTopic, &pb.PubsubMessage{Attributes: map[string]string{"a": string(make([]byte, 1025))}}), invalid, ok},
		{"publish two keys", publish(lettersTopic, &pb.PubsubMessage{Data: []byte("a"), OrderingKey: "a"}, &pb.PubsubMessage{Data: []byte("a"), OrderingKey: "b"}), invalid, ok},
		{"publish too much", publish(lettersTopic, data(string(make([]byte, 10<<20+1)))), invalid, ok},
		{"subscribe to nothing", subscribe(&pb.Subscription{Name: lettersSub, Topic: none}), missing, missing},
		{"subscribe", subscribe(&pb.Subscription{Name: lettersSub}), ok, ok},
		{"subscribe again", subscribe(&pb.Subscription{Name: lettersSub}), codes.AlreadyExists, codes.AlreadyExists},
		{"a deadline of 5 s", subscribe(&pb.Subscription{Name: lettersSub + "5", AckDeadlineSeconds: 5}), invalid, ok},
		{"a deadline of 601 s", subscribe(&pb.Subscription{Name: lettersSub + "601", AckDeadlineSeconds: 601}), invalid, invalid},
		{"a life of an hour", subscribe(&pb.Subscription{Name: lettersSub + "h", ExpirationPolicy: &pb.ExpirationPolicy{Ttl: durationpb.New(time.Hour)}}), invalid, ok},
		{"a push endpoint without host", subscribe(&pb.Subscription{Name: lettersSub + "p", PushConfig: &pb.PushConfig{PushEndpoint: "nowhere"}}), invalid, invalid},
		{"change no field", func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.UpdateTopic(ctx, &pb.UpdateTopicRequest{Topic: &pb.Topic{Name: lettersTopic}})
			return err
		}, invalid, invalid},
		{"change an unknown field", mask("none"), invalid, invalid},
		{"change the name", mask("name"), invalid, invalid},
		{"pull nothing", func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.Pull(ctx, &pb.PullRequest{Subscription: lettersSub})
			return err
		}, invalid, invalid},
		{"acknowledge nonsense", func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.Acknowledge(ctx, &pb.AcknowledgeRequest{Subscription: lettersSub, AckIds: []string{"bad"}})
			return err
		}, invalid, invalid},
		{"seek nowhere", func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.Seek(ctx, &pb.SeekRequest{Subscription: lettersSub})
			return err
		}, invalid, invalid},
		{"detach", func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.DetachSubscription(ctx, &pb.DetachSubscriptionRequest{Subscription: lettersSub})
			return err
		}, ok, codes.Unimplemented},
		{"schema", schema("letter", pb.Schema_AVRO, avro), ok, ok},
		{"schema again", schema("letter", pb.Schema_AVRO, avro), codes.AlreadyExists, codes.AlreadyExists},
		{"no schema", schema("bad", pb.Schema_AVRO, "{"), invalid, invalid},
		{"schema in Protocol Buffers", schema("note", pb.Schema_PROTOCOL_BUFFER, `syntax = "proto3"; message M {}`), ok, codes.Unimplemented},
		{"JSON that matches", validate(pb.Encoding_JSON, `{"a":"x"}`), ok, ok},
		{"JSON with more", validate(pb.Encoding_JSON, `{"a":"x","z":1}`), ok, ok},
		{"JSON with another type", validate(pb.Encoding_JSON, `{"a":1}`), invalid, invalid},
		{"JSON with less", validate(pb.Encoding_JSON, `{}`), invalid, invalid},
		{"binary", validate(pb.Encoding_BINARY, "\x02x"), ok, ok},
		{"binary that is too short", validate(pb.Encoding_BINARY, "\x04x"), invalid, invalid},
		{"binary that is too long", validate(pb.Encoding_BINARY, "\x02x\x00"), invalid, ok},
		{"topic with a schema", topic(&pb.Topic{Name: strict, SchemaSettings: &pb.SchemaSettings{Schema: letter, Encoding: pb.Encoding_JSON}}), ok, ok},
		{"publish what does not match", publish(strict, data("x")), invalid, invalid},
		{"publish what matches", publish(strict, data(`{"a":"x"}`)), ok, ok},
		{"commit what is not compatible", func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.CommitSchema(ctx, &pb.CommitSchemaRequest{Name: letter, Schema: &pb.Schema{Name: letter, Type: pb.Schema_AVRO, Definition: `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`}})
			return err
		}, invalid, ok},
		{"delete the schema", func(ctx context.Context, a *pubsubAPI) error {
			_, err := a.DeleteSchema(ctx, &pb.DeleteSchemaRequest{Name: letter})
			return err
		}, ok, ok},
		{"publish without the schema", publish(strict, data(`{"a":"x"}`)), missing, missing},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		for _, side := range []struct {
			name string
			api  *pubsubAPI
			want codes.Code
		}{{"Sunya", sunya, step.ours}, {"the emulator", emulator, step.theirs}} {
			if err := step.do(ctx, side.api); gstatus.Code(err) != side.want {
				t.Errorf("%s: %s answered %v, want %v", step.what, side.name, err, side.want)
			}
		}
		cancel()
		if step.ours != step.theirs {
			t.Logf("difference: %s: Sunya %v, the emulator %v", step.what, step.ours, step.theirs)
		}
	}
}
