package serving_test

import (
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// A tenth of the clients see the new version, and keep seeing it.
func ExamplePick() {
	canary := serving.Route{
		Service: &sunya.Service{Traffic: sunya.Traffic{ShardBy: sunya.ShardByCookie}},
		Shares: []serving.Share{
			{Revision: &sunya.Revision{ID: "new"}, Permille: 100},
			{Revision: &sunya.Revision{ID: "old"}, Permille: 900},
		},
	}
	for _, client := range []serving.Client{{Cookie: "99"}, {Cookie: "100"}, {Random: 42}} {
		rev, bucket := serving.Pick(canary, client)
		fmt.Println(rev.ID, bucket, serving.Sticky(canary, client))
	}
	// Output:
	// new 99 false
	// old 100 false
	// new 42 true
}
