package sqlite_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// fill stores n services, each with a revision that has traffic and two hosts.
func fill(b *testing.B, db *sqlite.DB, n int) {
	b.Helper()
	var c serving.Change
	for i := range n {
		svc := sunya.Service{Name: fmt.Sprintf("apps/p/services/s%05d", i), Project: "p", Product: sunya.AppEngine}
		rev := sunya.Revision{Name: svc.Name + "/r", ID: fmt.Sprint("r", i), Service: svc.Name, Project: "p",
			Container: sunya.Container{Command: []string{"gunicorn", "main:app"}, Env: []sunya.EnvVar{{Name: "PORT", Value: "8080"}}}, Labels: map[string]string{"module_id": "m"}}
		svc.Traffic.Targets = []sunya.Target{{Revision: rev.Name, Permille: 1000}}
		c.PutServices = append(c.PutServices, svc)
		c.PutRevisions = append(c.PutRevisions, rev)
		c.PutHosts = append(c.PutHosts, sunya.Host{Label: fmt.Sprint("h", i), Service: svc.Name},
			sunya.Host{Label: fmt.Sprint("v-dot-h", i), Service: svc.Name, Revision: rev.Name})
	}
	if err := db.Apply(b.Context(), c); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkLoad10kServices(b *testing.B) {
	db := open(b)
	fill(b, db, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		snap, err := db.Load(b.Context())
		if err != nil || len(snap.Services) != 10_000 {
			b.Fatal(len(snap.Services), err)
		}
	}
}

func BenchmarkPutOperation(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			db := open(b)
			var n atomic.Int64
			b.SetParallelism(writers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					op := sunya.Operation{Name: fmt.Sprint("op", n.Add(1))}
					if err := db.PutOperation(b.Context(), &op); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
