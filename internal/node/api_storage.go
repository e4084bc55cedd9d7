package node

import (
	"context"
	"crypto/rsa"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/hmackeys"
	"github.com/sunya-cloud/sunya/internal/core/identity"
	"github.com/sunya-cloud/sunya/internal/wire/media"
	"github.com/sunya-cloud/sunya/internal/wire/storagehmac"
	"github.com/sunya-cloud/sunya/internal/wire/storagev1"
	"github.com/sunya-cloud/sunya/internal/wire/storagexml"
)

// addStorage serves Cloud Storage in both its dialects. It returns what puts the
// list of buckets, for S3's clients, in front of another answer of the root.
func (a *api) addStorage(n *Node, log *slog.Logger) (root func(http.Handler) http.Handler) {
	const name = "storage.googleapis.com"
	keys := hmackeys.New(n.storage.state, time.Now)
	auth := &storagexml.Auth{Keys: signers{n.tokens, keys}, Objects: n.products.objects, Now: time.Now}
	json := storagev1.New(storagev1.Deps{Objects: n.products.objects, Topic: topics{n.products.pubsub}.known, Log: log})
	for _, p := range storagev1.Prefixes() {
		route := front.Route{API: name, Pattern: p, Permission: front.Local, Admit: storagexml.AdmitPreflight, Handler: media.Shared(json)}
		switch {
		case p == storagev1.BatchPath:
			route.Handler = storagev1.Batch(json)
		case strings.Contains(p, "/upload/"):
			route.Admit = auth.AdmitUpload
		}
		a.routes = append(a.routes, route)
	}
	ofKeys := storagehmac.New(keys, log)
	for _, p := range storagehmac.Patterns() {
		a.add("", name, p, front.Local, ofKeys)
	}
	// The paths of the XML API, /BUCKET/OBJECT, are what no other route has.
	xml := storagexml.New(storagexml.Deps{Objects: n.products.objects, Model: storagev1.Model{}, Auth: auth, Project: n.cfg.Project, Log: log})
	a.routes = append(a.routes, front.Route{API: name, Pattern: "/", Permission: front.Local, Admit: auth.Admit, Handler: xml, Refuse: storagexml.Refuse})
	return func(other http.Handler) http.Handler { return auth.Root(xml, other) }
}

// signers are whose signatures of requests to Storage count.
type signers struct {
	tokens *identity.Tokens
	keys   *hmackeys.Service
}

// RSA implements signature.Keys. All service accounts sign with one key.
func (s signers) RSA(ctx context.Context, _ string) ([]*rsa.PublicKey, error) {
	set, err := s.tokens.AccountKeySet(ctx)
	if err != nil {
		return nil, err
	}
	var out []*rsa.PublicKey
	for _, k := range set.Keys {
		if key, ok := k.Key.(*rsa.PublicKey); ok {
			out = append(out, key)
		}
	}
	return out, nil
}

// Secret implements signature.Keys.
func (s signers) Secret(ctx context.Context, accessID string) (string, error) {
	return s.keys.Secret(ctx, accessID)
}
