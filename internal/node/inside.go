package node

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/scope"
	"github.com/sunya-cloud/sunya/internal/wire/iamv1"
	"github.com/sunya-cloud/sunya/internal/wire/pubsubv1"
	"github.com/sunya-cloud/sunya/internal/wire/storagev1"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// insideAPI is what instances reach of the API, at sandbox.APIPort of the metadata
// server's address: Storage but for its HMAC keys, and Pub/Sub; of their own
// project, by the sandbox that a request comes from. It is a list of what is
// there: nothing else of the API is.
func (n *Node) insideAPI(a *api) (http.Handler, error) {
	pubsub := pubsubv1.Descriptor()
	var own, absent []front.Route
	for _, r := range a.routes {
		switch {
		case r.API == "storage.googleapis.com" && slices.Contains(append(storagev1.Prefixes(), "/"), r.Pattern):
			own = append(own, r)
		case r.API != pubsub.Name && r.Pattern != "/{$}": // the root is Storage's list of buckets
			absent = append(absent, r)
		}
	}
	server := grpc.NewServer(append(transcode.ServerOptions(n.log), pubsubv1.FromInside()...)...)
	pubsubv1.Register(server, n.products.pubsub, n.products.schemas, uuid.NewString)
	iamv1.Register(server, pubsubv1.Policies(n.products.pubsub, n.products.schemas))
	rest, err := transcode.New(server, pubsub, n.log)
	if err != nil {
		return nil, fmt.Errorf("serve %s inside: %w", pubsub.Name, err)
	}
	for _, p := range pubsubv1.Patterns() {
		own = append(own, front.Route{API: pubsub.Name, Pattern: p, Permission: front.Local, Handler: rest})
	}
	h, err := front.Inside(own, absent, server, time.Now)
	if err != nil {
		return nil, fmt.Errorf("serve APIs inside: %w", err)
	}
	return onlyInstances(h), nil
}

// onlyInstances limits every request to the project of the instance or task that
// it comes from; there is nothing for whoever is none.
func onlyInstances(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := whoAsks(r)
		if !ok {
			http.Error(w, "only instances and tasks of jobs reach this", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r.WithContext(scope.With(r.Context(), who.Project)))
	})
}
