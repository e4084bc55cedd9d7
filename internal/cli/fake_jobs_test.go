package cli

import (
	"context"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/jobs/jobstest"
	"github.com/sunya-cloud/sunya/internal/wire/runv2"
)

// fakeJobs is the API of jobs itself, over programs that are none: their
// arguments say how they end.
type fakeJobs struct {
	store *jobstest.Store
	admin *jobs.Admin
	api   *runv2.Jobs
}

func newFakeJobs(t *testing.T, rpc *grpc.Server) *fakeJobs {
	t.Helper()
	f := &fakeJobs{store: jobstest.NewStore()}
	runner := jobs.NewRunner(jobs.RunnerParts{
		Store: f.store, Images: jobstest.Images{}, Engine: &instancetest.Programs{}, Layers: jobstest.Layers{}, Changed: func(string) {},
		MemoryBytes: 8 << 30, Now: time.Now, NewID: uuid.NewString, Log: instancetest.Quiet(),
	})
	f.admin = jobs.New(jobs.Parts{
		Store: f.store, Images: jobstest.Images{}, Executor: runner, Changed: func(string) {}, Now: time.Now, NewID: uuid.NewString,
	})
	f.api = runv2.NewJobs(f.admin)
	f.api.Register(rpc)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = runner.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return f
}

// operation returns an operation of jobs; nil for any other.
func (f *fakeJobs) operation(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	op, ok := f.store.Operation(name)
	if !ok {
		return nil, nil
	}
	return f.api.Operations()[0].Encode(ctx, &op)
}
