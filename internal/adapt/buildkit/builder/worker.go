package builder

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/diff/apply"
	ctdmetadata "github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	ctdsnapshot "github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/containerd/v2/plugins/diff/walking"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay/overlayutils"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/cache/metadata"
	"github.com/moby/buildkit/client"
	containerdsnapshot "github.com/moby/buildkit/snapshot/containerd"
	"github.com/moby/buildkit/util/leaseutil"
	"github.com/moby/buildkit/worker/base"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	bolt "go.etcd.io/bbolt"

	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/job"
)

// The names under which BuildKit keeps its own things in the state directory.
const (
	snapshotterName = "overlayfs"
	leaseNamespace  = "buildkit"
)

// boltOptions let a store be opened that a killed build has left.
var boltOptions = &bolt.Options{FreelistType: bolt.FreelistMapType, NoFreelistSync: true}

// newWorker opens the state directory: content, snapshots and what is known
// about them.
func newWorker(ctx context.Context, j *job.Job, s *steps) (*base.Worker, error) {
	root := filepath.Join(job.StateDir, "worker")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	snapshotter, err := newSnapshotter(filepath.Join(root, "snapshots"))
	if err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	store, err := local.NewStore(filepath.Join(root, "content"))
	if err != nil {
		return nil, fmt.Errorf("open content: %w", err)
	}
	db, err := bolt.Open(filepath.Join(root, "containerdmeta.db"), 0o600, boltOptions)
	if err != nil {
		return nil, fmt.Errorf("open content: %w", err)
	}
	mdb := ctdmetadata.NewDB(db, store, map[string]ctdsnapshot.Snapshotter{snapshotterName: snapshotter})
	if err := mdb.Init(ctx); err != nil {
		return nil, fmt.Errorf("open content: %w", err)
	}
	content := containerdsnapshot.NewContentStore(mdb.ContentStore(), leaseNamespace)
	md, err := metadata.NewStore(filepath.Join(root, "metadata_v2.db"))
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	id, err := base.ID(root)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	return base.NewWorker(ctx, base.WorkerOpt{
		ID:              id,
		Root:            root,
		MetadataStore:   md,
		ContentMetadata: db,
		Executor:        s,
		Snapshotter:     containerdsnapshot.NewSnapshotter(snapshotterName, mdb.Snapshotter(snapshotterName), leaseNamespace, nil),
		ContentStore:    content,
		Applier:         apply.NewFileSystemApplier(content),
		Differ:          walking.NewWalkingDiff(content),
		RegistryHosts:   registryHosts,
		Platforms:       []ocispecs.Platform{platforms.Normalize(platforms.DefaultSpec())},
		LeaseManager:    leaseutil.WithNamespace(ctdmetadata.NewLeaseManager(mdb), leaseNamespace),
		GarbageCollect:  mdb.GarbageCollect,
		MountPoolRoot:   filepath.Join(root, "cachemounts"),
		GCPolicy:        gcPolicy(j.KeepBytes),
	})
}

// newSnapshotter lays layers on each other with overlayfs, whose marks must be
// user attributes in a user namespace.
func newSnapshotter(root string) (ctdsnapshot.Snapshotter, error) {
	if err := overlayutils.Supported(filepath.Dir(root)); err != nil {
		return nil, errors.Join(errNoOverlay, err)
	}
	return overlay.NewSnapshotter(root, overlay.AsynchronousRemove)
}

var errNoOverlay = errors.New("overlayfs is not available to builds on this machine (Linux 5.11 or newer, on a file system that is not an overlay itself)")

func gcPolicy(keep int64) []client.PruneInfo {
	return []client.PruneInfo{{All: true, MaxUsedSpace: keep}}
}

// registryHosts sends everything to the server's registry, which is told by
// ?ns= what registry is meant (the convention for mirrors).
func registryHosts(string) ([]docker.RegistryHost, error) {
	return []docker.RegistryHost{{
		Client: registryClient, Scheme: "http", Host: "registry.sunya.internal", Path: "/v2",
		Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve | docker.HostCapabilityPush,
	}}, nil
}

var registryClient = &http.Client{Transport: &http.Transport{
	DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", job.SocketFile)
	},
}}
