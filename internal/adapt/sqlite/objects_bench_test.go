package sqlite_test

import (
	"fmt"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/objects/objectstest"
)

// BenchmarkListObjects reads a page of 1,000 out of 100,000 objects: of names,
// of folders with a hundred objects each, of those, and with old generations.
func BenchmarkListObjects(b *testing.B) {
	db := open(b)
	s := objects.New(db, &objectstest.Blobs{}, time.Now, slog.New(slog.DiscardHandler), objects.Options{})
	if _, err := s.CreateBucket(b.Context(), objects.Bucket{Name: "stuff", Project: "p"}); err != nil {
		b.Fatal(err)
	}
	const folders, each = 1000, 100
	for i := range folders {
		err := db.Change(b.Context(), func(tx objects.Tx) error {
			for j := range each {
				o := objects.Object{Bucket: "stuff", Name: fmt.Sprintf("f%04d/%04d", i, j), Generation: 1, Metageneration: 1, Size: 1,
					ContentType: "text/plain", MD5: make([]byte, 16), Blob: fmt.Sprint(i, "-", j), CreateTime: time.Now(), UpdateTime: time.Now(),
					Metadata: map[string]string{"k": "v"}, Document: []byte(`{"cacheControl":"no-cache"}`)}
				if err := tx.PutLive(&o); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		q    objects.ListQuery
		want int
	}{
		{"names", objects.ListQuery{StartOffset: "f0500"}, 1000},
		{"folders", objects.ListQuery{Delimiter: "/"}, 1000},
		{"folder", objects.ListQuery{Prefix: "f0700/", Delimiter: "/"}, 100},
		{"versions", objects.ListQuery{StartOffset: "f0500", Which: objects.AllVersions}, 1000},
		{"glob", objects.ListQuery{Glob: "f0*/0001"}, 101}, // as far as one page looks
	} {
		b.Run(tt.name, func(b *testing.B) {
			tt.q.Bucket, tt.q.Limit = "stuff", 1000
			var worst time.Duration
			for b.Loop() {
				began := cpuTime(b)
				page, err := s.List(b.Context(), tt.q)
				worst = max(worst, cpuTime(b)-began)
				if n := len(page.Items) + len(page.Prefixes); err != nil || n != tt.want {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-cpu-ms")
		})
	}
}

// cpuTime is what this process has used of the processors: on a machine with
// others it says more than a clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
