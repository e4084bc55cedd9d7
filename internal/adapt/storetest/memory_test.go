package storetest_test

import (
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/storetest"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/jobs/jobstest"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/objects/objectstest"
)

// TestMemory keeps the stand-ins of other tests honest.
func TestMemory(t *testing.T) {
	storetest.Objects(t, func(testing.TB) objects.Store { return objectstest.NewStore() })
	storetest.Jobs(t, func(testing.TB) jobs.Store { return jobstest.NewStore() }, func(_ testing.TB, s jobs.Store, name string) *sunya.Operation {
		op, _ := s.(*jobstest.Store).Operation(name)
		return &op
	})
}
