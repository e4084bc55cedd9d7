package logdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/requestlog"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

var packBase = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func requestName(rev *sunya.Revision) (string, logs.Resource) {
	return logs.LogName(rev.Project, "requests"), logs.Resource{Type: "cloud_run_revision", Labels: map[string]string{"service_name": rev.Name}}
}

func request(rev *sunya.Revision, id int, begin time.Time, status int) *served.Request {
	return &served.Request{
		Revision: rev, ID: fmt.Sprintf("%032x", id), Begin: begin, Latency: time.Millisecond, Method: "GET", Scheme: "http",
		Host: "hello.localhost:8080", Target: "/", Protocol: "HTTP/1.1", UserAgent: "wrk", RemoteIP: "127.0.0.1",
		Instance: "sunya-hello-00001-abc-0123456789", TraceID: fmt.Sprintf("%032x", id+1), SpanID: 7, Status: status, Sent: 12,
	}
}

// fillBoth writes the same entries into two stores, in batches: as packs into
// one, each by itself into the other. Most requests are quick, some are slow.
func fillBoth(t *testing.T, packed, plain *Store) {
	rng := rand.New(rand.NewPCG(3, 4))
	l := requestlog.New(requestName, func() {})
	var revs []*sunya.Revision
	for i := range 12 {
		revs = append(revs, &sunya.Revision{Name: fmt.Sprintf("s%d", i), Project: []string{"p", "q"}[i%2]})
	}
	id := 0
	for batch := range 40 {
		end := packBase.Add(time.Duration(batch) * 20 * time.Millisecond)
		for range rng.IntN(60) {
			took := time.Duration(rng.IntN(10)) * time.Millisecond
			if rng.IntN(10) == 0 {
				took *= 100
			}
			l.Observe(request(revs[rng.IntN(1+rng.IntN(len(revs)))], id, end.Add(-took), []int{200, 200, 404, 503}[rng.IntN(4)]))
			id++
		}
		packs, _ := l.Take()
		var all []logs.Entry
		for i := range packs {
			entries, err := l.Unpack(&packs[i])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, entries...)
		}
		line := logs.Entry{LogName: logs.LogName("p", "stdout"), InsertID: fmt.Sprint("line", batch), Timestamp: end, ReceiveTime: end, Resource: logs.Resource{Type: "gae_app"}}
		if err := packed.Append(t.Context(), []logs.Entry{line}, packs); err != nil {
			t.Fatal(err)
		}
		if err := plain.Append(t.Context(), append(all, line), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPacksReadLikeEntries(t *testing.T) {
	small := Options{SegmentBytes: 64 << 10} // several segments
	packed, plain := open(t, t.TempDir(), time.Now, small), open(t, t.TempDir(), time.Now, small)
	fillBoth(t, packed, plain)
	for name, q := range queries() {
		for _, q.Newest = range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, newest first %v", name, q.Newest), func(t *testing.T) { sameEntries(t, packed, plain, q) })
		}
	}
	for _, t2 := range []time.Time{packBase.Add(333 * time.Millisecond), packBase.Add(time.Hour)} {
		got, err := packed.DeleteLog(t.Context(), logs.LogName("p", "requests"), t2)
		want, err2 := plain.DeleteLog(t.Context(), logs.LogName("p", "requests"), t2)
		if got != want || got == 0 || err != nil || err2 != nil {
			t.Errorf("DeleteLog = %d, %v; want %d, %v", got, err, want, err2)
		}
		sameEntries(t, packed, plain, logs.Query{})
	}
	got, err := packed.Logs(t.Context(), nil)
	if diff := cmp.Diff([]string{logs.LogName("p", "stdout"), logs.LogName("q", "requests")}, got); diff != "" || err != nil {
		t.Errorf("logs (-want +got):\n%s%v", diff, err)
	}
}

func queries() map[string]logs.Query {
	at := func(ms int) time.Time { return packBase.Add(time.Duration(ms) * time.Millisecond) }
	return map[string]logs.Query{
		"all":         {},
		"one service": {Resource: logs.Resource{Labels: map[string]string{"service_name": "s0"}}},
		"project":     {Projects: []string{"q"}},
		"times":       {Since: at(100), Until: at(300)},
		"errors":      {MinSeverity: logs.Error},
		"warnings of one service": {
			MinSeverity: logs.Warning, Resource: logs.Resource{Labels: map[string]string{"service_name": "s1"}},
		},
		"match":          {Match: func(e *logs.Entry) bool { return e.HTTP != nil && e.HTTP.Status == 404 }},
		"label":          {Labels: map[string]string{"request_id": fmt.Sprintf("%032x", 17)}},
		"limit":          {Limit: 7},
		"behind a place": {After: logs.Cursor{Timestamp: at(200), InsertID: "m"}, Limit: 50},
	}
}

func sameEntries(t *testing.T, packed, plain *Store, q logs.Query) {
	t.Helper()
	got, err := packed.Query(t.Context(), q)
	want, err2 := plain.Query(t.Context(), q)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%d entries, want %d (-want +got):\n%.2000s", len(got), len(want), diff)
	}
}

func TestPagesOfPacks(t *testing.T) {
	packed, plain := open(t, t.TempDir(), time.Now, Options{}), open(t, t.TempDir(), time.Now, Options{})
	fillBoth(t, packed, plain)
	for _, newest := range []bool{false, true} {
		all, err := plain.Query(t.Context(), logs.Query{Newest: newest})
		if err != nil {
			t.Fatal(err)
		}
		var pages []logs.Entry
		for q := (logs.Query{Newest: newest, Limit: 13}); ; {
			page, err := packed.Query(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			pages = append(pages, page...)
			last := page[len(page)-1]
			q.After = logs.Cursor{Timestamp: last.Timestamp, InsertID: last.InsertID}
		}
		if diff := cmp.Diff(all, pages); diff != "" {
			t.Errorf("newest %v: %d entries on all pages, want %d", newest, len(pages), len(all))
		}
	}
}

func TestDamagedPackIsSkipped(t *testing.T) {
	s := open(t, t.TempDir(), time.Now, Options{})
	l := requestlog.New(requestName, func() {})
	for i := range 2 {
		l.Observe(request(&sunya.Revision{Name: fmt.Sprint(i), Project: "p"}, i, packBase, 200))
	}
	packs, _ := l.Take()
	packs[0].Body = packs[0].Body[:20]
	if err := s.Append(t.Context(), nil, packs); err != nil {
		t.Fatal(err)
	}
	if got := count(t, s); got != 1 {
		t.Errorf("%d entries, want the sound one", got)
	}
}

// BenchmarkRequestLog carries requests from Observe to the disk and reports the
// processor's time for each, all threads together.
func BenchmarkRequestLog(b *testing.B) {
	for _, services := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(services), func(b *testing.B) {
			s := open(b, b.TempDir(), time.Now, Options{})
			hub := logs.NewHub(s, time.Now, discard, logs.HubOptions{})
			l := requestlog.New(requestName, hub.Wake)
			hub.SetBacklog(l)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- hub.Run(ctx) }()
			var revs []*sunya.Revision
			for i := range services {
				revs = append(revs, &sunya.Revision{Name: fmt.Sprint("s", i), Project: "p"})
			}
			r := request(nil, 0, packBase, 200)
			b.ReportAllocs()
			begin, i := cpuTime(), 0
			for b.Loop() {
				r.Revision, r.Begin = revs[i%services], time.Now()
				l.Observe(r)
				if i++; i%20 == 0 {
					time.Sleep(time.Millisecond) // 20,000 a second at most
				}
			}
			if err := hub.Flush(ctx); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64((cpuTime()-begin).Nanoseconds())/float64(b.N), "cpu-ns/op")
			cancel()
			<-done
		})
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
