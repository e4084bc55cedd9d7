package cli

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya/internal/adapt/avro"
	"github.com/sunya-cloud/sunya/internal/adapt/protoschema"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/schema"
	"github.com/sunya-cloud/sunya/internal/wire/iamv1"
	"github.com/sunya-cloud/sunya/internal/wire/pubsubv1"
)

// brokerOf is the broker of a fake: a real one, where a test wants it.
type brokerOf struct {
	pubsubv1.Broker
	schemas struct{ pubsubv1.Schemas }
}

func newFakePubSub(rpc *grpc.Server) *brokerOf {
	b := &brokerOf{}
	pubsubv1.Register(rpc, b, &b.schemas, uuid.NewString)
	iamv1.Register(rpc, pubsubv1.Policies(b, &b.schemas))
	return b
}

// withBroker is a fake with a real broker.
func withBroker(t *testing.T) *fake {
	t.Helper()
	f, log := newFake(t), slog.New(slog.DiscardHandler)
	store, err := sqlite.OpenEvents(t.Context(), filepath.Join(t.TempDir(), "events.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	schemas := schema.New(store, map[schema.Kind]schema.Language{schema.Avro: avro.Language{}, schema.Protobuf: protoschema.Language{}}, time.Now)
	b := pubsub.New(pubsub.Parts{Store: store, Schemas: schemas, Now: time.Now, Log: log})
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = b.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		run.Wait()
		_ = store.Close()
	})
	f.pubsub.Broker, f.pubsub.schemas.Schemas = b, schemas
	return f
}

func TestPubSubVerbs(t *testing.T) {
	f := withBroker(t)
	for _, tt := range []struct {
		line string
		code int
		want string // in stdout or stderr
	}{
		{"topics create letters dead --message-retention-duration 7d", exitOK, "Created topic [letters].\nCreated topic [dead]."},
		{"topics create letters", exitConflict, "already exists in the project (resource=letters)"},
		{"topics create no", exitUsage, "cannot be an id"},
		{"topics list", exitOK, "letters  168h0m0s"},
		{"topics update letters --labels a=b --clear-message-retention-duration", exitOK, "Updated topic [letters]"},
		{"topics update letters", exitUsage, "nothing to change"},
		{"topics describe letters --format value(labels.a)", exitOK, "b"},
		{"topics describe nope", exitNotFound, "not found (resource=nope)"},
		{"subscriptions create mine", exitUsage, "--topic is missing"},
		{"subscriptions create mine --topic letters --ack-deadline 20 --dead-letter-topic dead --max-delivery-attempts 7 --min-retry-delay 1s --max-retry-delay 20 --expiration-period never --enable-message-ordering --message-filter attributes:lang", exitOK, "Created subscription [mine]"},
		{"subscriptions describe mine --format value(ackDeadlineSeconds,deadLetterPolicy.maxDeliveryAttempts,retryPolicy.maximumBackoff,filter)", exitOK, "20\t7\t20s\tattributes:lang"},
		{"subscriptions create all --topic letters --push-endpoint http://localhost/x --push-no-wrapper", exitOK, "Created subscription [all]"},
		{"subscriptions create bad --topic letters --message-filter lang", exitUsage, "filter"},
		{"subscriptions create bad --topic letters --max-retry-delay soon", exitUsage, "is not a duration"},
		{"subscriptions list", exitOK, "all           letters  http://localhost/x  10s"},
		{"topics list-subscriptions letters", exitOK, "mine"},
		{"subscriptions pull all", exitConflict, "pushed"},
		{"subscriptions update all --push-endpoint=", exitOK, "Updated subscription [all]"},
		{"topics publish letters", exitUsage, "empty"},
		{"topics publish letters --message hello --attribute lang=en --ordering-key k", exitOK, ""},
		{"topics publish nope --message hello", exitNotFound, "not found (resource=nope)"},
		{"snapshots create before --subscription mine", exitOK, "Created snapshot [before]"},
		{"snapshots list", exitOK, "before    letters"},
		{"subscriptions pull mine --auto-ack", exitOK, "hello"},
		{"subscriptions seek mine --snapshot before", exitOK, "Moved subscription [mine]"},
		{"subscriptions pull mine --limit 5 --format value(message.attributes.lang)", exitOK, "en"},
		{"subscriptions seek mine --time yesterday", exitUsage, "is not a time"},
		{"subscriptions seek mine", exitUsage, "either --time or --snapshot"},
		{"subscriptions ack mine --ack-ids !", exitUsage, "is not an ack id"},
		{"subscriptions ack mine", exitUsage, "--ack-ids is missing"},
		{"snapshots delete before", exitOK, "Deleted snapshot [before]"},
		{"topics detach-subscription all", exitOK, "Detached subscription [all]"},
		{"subscriptions list", exitOK, "detached"},
		{"subscriptions modify-push-config mine", exitUsage, "--push-endpoint is missing"},
		{"subscriptions modify-push-config mine --push-endpoint=", exitOK, "Updated subscription [mine]"},
		{"schemas validate-schema --type avro --definition \"string\"", exitOK, "Schema is valid"},
		{"schemas validate-schema --type xml --definition x", exitUsage, "avro or protocol-buffer"},
		{"schemas validate-schema --type avro", exitUsage, "--definition"},
		{"schemas create text --type avro --definition \"string\"", exitOK, "Created schema [text]"},
		{"schemas create note --type protocol-buffer --definition syntax=\"proto3\";message{", exitUsage, "schema.proto:1"},
		{"schemas list", exitOK, "text    AVRO"},
		{"schemas describe text --format value(definition)", exitOK, "\"string\""},
		{"schemas describe text@00000000", exitNotFound, "@00000000"},
		{"schemas commit text --type avro --definition \"string\"", exitOK, "Committed revision ["},
		{"schemas rollback text --revision-id 00000000", exitNotFound, "@00000000"},
		{"schemas list-revisions text --format value(definition)", exitOK, "\"string\"\n\"string\"\n"},
		{"schemas delete-revision text", exitUsage, "names no revision"},
		{"schemas validate-message --message 1 --message-encoding json --schema-name text", exitUsage, "failed schema validation"},
		{"schemas validate-message --message \"a\" --message-encoding json --schema-name text", exitOK, "Message is valid"},
		{"schemas validate-message --message \"a\" --message-encoding xml --schema-name text", exitUsage, "json or binary"},
		{"topics create texts --schema text --message-encoding json", exitOK, "Created topic [texts]"},
		{"topics publish texts --message hello", exitUsage, "failed schema validation"},
		{"topics publish texts --message \"hello\"", exitOK, ""},
		{"topics update texts --clear-schema-settings", exitOK, "Updated topic [texts]"},
		{"topics publish texts --message hello", exitOK, ""},
		{"topics add-iam-policy-binding texts --role roles/pubsub.viewer --member allUsers", exitOK, "Updated IAM policy of [texts]"},
		{"topics get-iam-policy texts --format value(bindings[0].role)", exitOK, "roles/pubsub.viewer"},
		{"topics remove-iam-policy-binding texts --role roles/pubsub.viewer --member allUsers", exitOK, "Updated IAM policy of [texts]"},
		{"subscriptions add-iam-policy-binding mine --role viewer --member allUsers", exitUsage, "not a role"},
		{"subscriptions add-iam-policy-binding mine --role roles/viewer", exitUsage, "--member are needed"},
		{"schemas delete text", exitOK, "Deleted schema [text]"},
		{"topics delete texts", exitOK, "Deleted topic [texts]"},
		{"subscriptions delete mine all", exitOK, "Deleted subscription [all]"},
		{"topics delete letters dead", exitOK, "Deleted topic [dead]"},
	} {
		r := execute(t, f, append([]string{"pubsub"}, strings.Fields(tt.line)...)...).expect(t, tt.code)
		if all := r.stdout.String() + r.stderr.String(); !strings.Contains(all, tt.want) {
			t.Errorf("%s: %q is not in\n%s", tt.line, tt.want, all)
		}
	}
}

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{"30s": 30 * time.Second, "20": 20 * time.Second, "7d": 7 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "1h30m": 90 * time.Minute} {
		if got, err := parseSpan(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "soon", "-1s", "1x"} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
