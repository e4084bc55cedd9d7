package node

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/avro"
	"github.com/sunya-cloud/sunya/internal/adapt/datadir"
	"github.com/sunya-cloud/sunya/internal/adapt/postgres"
	"github.com/sunya-cloud/sunya/internal/adapt/protoschema"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/health"
	"github.com/sunya-cloud/sunya/internal/core/identity"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/schema"
)

// eventStore is where topics, subscriptions, messages and schemas are kept.
type eventStore interface {
	pubsub.Store
	schema.Store
	health.Checker
	Hold()
	Resume()
	Close() error
}

// openEvents opens the Postgres database at a URL, or a file where there is none.
func openEvents(ctx context.Context, url string, dir *datadir.Dir, log *slog.Logger) (eventStore, error) {
	if url != "" {
		e, err := postgres.OpenEvents(ctx, url, log)
		if err != nil {
			return nil, err // and no nil of a type
		}
		return e, nil
	}
	e, err := sqlite.OpenEvents(ctx, dir.Join("events.db"), log)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// newPubSub returns the broker, which pushes to services of this server without
// leaving it.
func (n *Node) newPubSub(log *slog.Logger) *pubsub.Broker {
	return pubsub.New(pubsub.Parts{
		Store:    n.storage.events,
		Schemas:  n.products.schemas,
		Push:     &pushTransport{gateway: n.serve.gateway, outside: http.DefaultTransport},
		Sign:     idTokens{n.tokens},
		Triggers: triggers{n.products},
		Now:      time.Now,
		Log:      log,
	})
}

// newSchemas returns the schemas, in the languages that Google has.
func (n *Node) newSchemas() *schema.Registry {
	return schema.New(n.storage.events, map[schema.Kind]schema.Language{
		schema.Avro: avro.Language{}, schema.Protobuf: protoschema.Language{},
	}, time.Now)
}

// idTokens signs as a service account.
type idTokens struct{ tokens *identity.Tokens }

// IDToken implements pubsub.Signer.
func (t idTokens) IDToken(ctx context.Context, account, audience string) (string, error) {
	return t.tokens.IDToken(ctx, identity.IDRequest{Email: account, Audience: audience, IncludeEmail: true})
}

// pushTransport takes requests for services of this server to the gateway and
// all others to the network.
type pushTransport struct {
	gateway *gateway.Gateway
	outside http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *pushTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	host, err := front.CanonicalHost(r.URL.Host)
	if err != nil || !t.gateway.Knows(host) {
		return t.outside.RoundTrip(r)
	}
	in := r.Clone(r.Context())
	in.Host, in.RequestURI, in.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "127.0.0.1:0"
	w := &answer{header: http.Header{}, status: http.StatusOK}
	if err := serveInside(t.gateway, w, in); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(w.body.Len()),
		Body: io.NopCloser(bytes.NewReader(w.body.Bytes())),
	}, nil
}
