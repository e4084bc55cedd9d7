package loggingv2

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	logging "cloud.google.com/go/logging/apiv2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// memory is a Store in memory; only what the service asks for.
type memory struct {
	mu      sync.Mutex
	entries []logs.Entry
}

func (m *memory) Append(_ context.Context, entries []logs.Entry, _ []logs.Pack) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = append(m.entries, entries...)
	slices.SortStableFunc(m.entries, compare)
	return nil
}

func compare(a, b logs.Entry) int {
	return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.InsertID, b.InsertID))
}

func (m *memory) Query(_ context.Context, q logs.Query) (found []logs.Entry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.entries)
	direction := 1
	if q.Newest {
		slices.Reverse(all)
		direction = -1
	}
	after := logs.Entry{Timestamp: q.After.Timestamp, InsertID: q.After.InsertID}
	for _, e := range all {
		late := q.After == (logs.Cursor{}) || compare(e, after) == direction
		if late && slices.Contains(q.Projects, e.Project()) && (q.Match == nil || q.Match(&e)) {
			found = append(found, e)
		}
	}
	return found[:min(len(found), q.Limit)], nil
}

func (m *memory) Logs(_ context.Context, projects []string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := map[string]bool{}
	for _, e := range m.entries {
		if slices.Contains(projects, e.Project()) {
			names[e.LogName] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

func (m *memory) DeleteLog(_ context.Context, name string, t time.Time) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.entries)
	m.entries = slices.DeleteFunc(m.entries, func(e logs.Entry) bool { return e.LogName == name && e.Timestamp.Before(t) })
	return int64(n - len(m.entries)), nil
}

// fixture is the service with Google's own client in front of it.
type fixture struct {
	hub    *logs.Hub
	store  *memory
	client *logging.Client
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	f := &fixture{store: &memory{}}
	f.hub = logs.NewHub(f.store, time.Now, log, logs.HubOptions{Linger: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.hub.Run(ctx) })

	lis := bufconn.Listen(1 << 20)
	srv := grpc.NewServer(grpc.UnaryInterceptor(status.Unary(log)), grpc.StreamInterceptor(status.Stream(log)))
	New(f.store, f.hub, time.Now).Register(srv)
	wg.Go(func() {
		if err := srv.Serve(lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); srv.Stop(); wg.Wait() })
	f.client = newClient(t, lis)
	return f
}

func newClient(t *testing.T, lis *bufconn.Listener) *logging.Client {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	client, err := logging.NewClient(t.Context(), option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
