package storetest_test

import (
	"testing"

	"github.com/sunya-cloud/sunya/internal/adapt/storetest"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/objects/objectstest"
)

// TestMemory keeps the stand-in of other tests honest.
func TestMemory(t *testing.T) {
	storetest.Objects(t, func(testing.TB) objects.Store { return objectstest.NewStore() })
}
