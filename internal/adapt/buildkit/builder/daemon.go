package builder

import (
	"context"
	"fmt"
	"net"
	"path/filepath"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/cmd/buildkitd/config"
	"github.com/moby/buildkit/control"
	"github.com/moby/buildkit/frontend"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/forwarder"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/bboltcachestorage"
	"github.com/moby/buildkit/util/db/boltutil"
	"github.com/moby/buildkit/worker"
	"go.opentelemetry.io/otel/metric/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/job"
)

// dockerfileFrontend is the name of BuildKit's built-in Dockerfile frontend.
const dockerfileFrontend = "dockerfile.v0"

// daemon is BuildKit's controller and a client of it, in one process and
// without a socket.
type daemon struct {
	client *client.Client
	close  func()
}

// historyEntries is how many finished builds BuildKit itself remembers: the
// server does that.
var historyEntries = int64(1)

func startDaemon(ctx context.Context, j *job.Job, s *steps) (*daemon, error) {
	w, err := newWorker(ctx, j, s)
	if err != nil {
		return nil, err
	}
	controller, err := newController(ctx, w)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer()
	controller.Register(server)
	listener := bufconn.Listen(1 << 20)
	go func() { _ = server.Serve(listener) }()
	c, err := client.New(ctx, "unix:///buildkit", client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	}))
	if err != nil {
		return nil, fmt.Errorf("connect to builder: %w", err)
	}
	return &daemon{client: c, close: func() {
		_ = c.Close()
		server.Stop()
		_ = controller.Close()
	}}, nil
}

// newController puts BuildKit together: the built-in Dockerfile frontend, no
// gateway for others, no caches elsewhere.
func newController(ctx context.Context, w worker.Worker) (*control.Controller, error) {
	workers := &worker.Controller{}
	if err := workers.Add(w); err != nil {
		return nil, fmt.Errorf("add worker: %w", err)
	}
	sessions, err := session.NewManager()
	if err != nil {
		return nil, fmt.Errorf("open sessions: %w", err)
	}
	store, err := bboltcachestorage.NewStore(filepath.Join(job.StateDir, "cache.db"))
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	history, err := boltutil.SafeOpen(filepath.Join(job.StateDir, "history.db"), 0o600, boltOptions)
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	return control.NewController(control.Opt{
		SessionManager:   sessions,
		WorkerController: workers,
		Frontends: map[string]frontend.Frontend{
			dockerfileFrontend: forwarder.NewGatewayForwarder(workers.Infos(), dockerfile.Build),
		},
		CacheManager:   solver.NewCacheManager(ctx, "local", store, worker.NewCacheResultStorage(workers)),
		CacheStore:     store,
		HistoryDB:      history,
		HistoryConfig:  &config.HistoryConfig{MaxEntries: &historyEntries},
		MeterProvider:  noop.NewMeterProvider(),
		LeaseManager:   w.LeaseManager(),
		ContentStore:   w.ContentStore(),
		GarbageCollect: w.GarbageCollect,
	})
}
