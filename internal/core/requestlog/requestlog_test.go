package requestlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

var base = time.Date(2026, 11, 30, 12, 0, 0, 123456789, time.UTC)

func name(rev *sunya.Revision) (string, logs.Resource) {
	return logs.LogName(rev.Project, "requests"), logs.Resource{Type: "r", Labels: map[string]string{"name": rev.Name}}
}

func request(rev *sunya.Revision, i int) *served.Request {
	return &served.Request{
		Revision: rev, ID: fmt.Sprintf("%032x", i), Instance: "inst-1",
		Begin: base.Add(time.Duration(i) * time.Millisecond), Latency: time.Duration(i) * time.Microsecond,
		Method: "GET", Scheme: "http", Host: "hello.localhost:8080", Target: fmt.Sprintf("/x?i=%d", i), Protocol: "HTTP/1.1",
		UserAgent: "curl/8", RemoteIP: "127.0.0.1", TraceID: fmt.Sprintf("%032x", i+1), SpanID: uint64(i), Status: 200, Sent: 12,
	}
}

// observe returns the entries of requests, in the order of their ids.
func observe(t *testing.T, requests ...*served.Request) []logs.Entry {
	t.Helper()
	l := New(name, func() {})
	for _, r := range requests {
		l.Observe(r)
	}
	packs, lost := l.Take()
	if len(lost) != 0 {
		t.Errorf("lost %v", lost)
	}
	return entries(t, l, packs)
}

func entries(t *testing.T, l *Log, packs []logs.Pack) (out []logs.Entry) {
	t.Helper()
	for i := range packs {
		p := &packs[i]
		got, err := l.Unpack(p)
		if err != nil {
			t.Fatal(err)
		}
		if p.Count != len(got) || p.Last.Sub(p.First) > logs.PackSpan {
			t.Errorf("a pack of %d entries and %v, with %d", p.Count, p.Last.Sub(p.First), len(got))
		}
		for _, e := range got {
			if e.Timestamp.Before(p.First) || e.Timestamp.After(p.Last) || e.Severity > p.Severest {
				t.Errorf("entry %v %v is not within its pack", e.Timestamp, e.Severity)
			}
		}
		out = append(out, got...)
	}
	slices.SortFunc(out, func(a, b logs.Entry) int { return strings.Compare(a.InsertID, b.InsertID) })
	return out
}

func TestEntryOfARequest(t *testing.T) {
	rev := &sunya.Revision{Name: "s/r", Project: "p"}
	got := observe(t, &served.Request{
		Revision: rev, ID: "id", Instance: "i1", ColdStart: true, Begin: base, Latency: 1234567,
		Method: "POST", Scheme: "https", Host: "h", Target: "/a\xffb", Protocol: "HTTP/2.0", UserAgent: "u\xff", Referer: "ref",
		RemoteIP: "::1", TraceID: "0123456789abcdef0123456789abcdef", SpanID: 255, Status: 503, Received: 7, Sent: 1 << 40,
		Problem: "it broke",
	})
	want := []logs.Entry{{
		LogName: "projects/p/logs/requests", InsertID: "id", Timestamp: base, ReceiveTime: base.Add(1234567), Severity: logs.Error,
		Resource: logs.Resource{Type: "r", Labels: map[string]string{"name": "s/r"}},
		Labels:   map[string]string{"request_id": "id", "instance_id": "i1", "cold_start": "true"}, Text: "it broke",
		Trace: "projects/p/traces/0123456789abcdef0123456789abcdef", SpanID: "00000000000000ff",
		HTTP: &logs.HTTPRequest{
			Method: "POST", URL: "https://h/a\uFFFDb", RequestSize: 7, Status: 503, ResponseSize: 1 << 40, UserAgent: "u\uFFFD",
			RemoteIP: "::1", Referer: "ref", Latency: 1234567, Protocol: "HTTP/2.0",
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

// TestRequestsKeepTheirOwnFields mixes what repeats, what changes and what is
// missing in between.
func TestRequestsKeepTheirOwnFields(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	revs := []*sunya.Revision{{Name: "a/1", Project: "p"}, {Name: "b/1", Project: "q"}}
	pick := func() string { return []string{"", "x", "y", strings.Repeat("z", 300)}[rng.IntN(4)] }
	var all []*served.Request
	want := map[string]string{}
	for i := range 2000 {
		r := request(revs[rng.IntN(2)], i)
		r.Begin = base.Add(time.Duration(rng.Int64N(int64(3 * time.Second)))) // as the slow among the fast
		r.Method, r.UserAgent, r.Referer, r.Instance, r.Problem = pick(), pick(), pick(), pick(), pick()
		r.Received, r.ColdStart = rng.Int64(), rng.IntN(2) == 0
		all = append(all, r)
		want[r.ID] = describe(entry(&logs.Pack{LogName: "projects/" + r.Revision.Project + "/logs/requests"}, r))
	}
	got := observe(t, all...)
	if len(got) != len(all) {
		t.Fatalf("%d entries of %d requests", len(got), len(all))
	}
	for _, e := range got {
		if describe(e) != want[e.InsertID] {
			t.Fatalf("entry\n%s\nwant\n%s", describe(e), want[e.InsertID])
		}
	}
}

func describe(e logs.Entry) string {
	e.Resource = logs.Resource{}
	http := *e.HTTP
	e.HTTP = nil
	return fmt.Sprintf("%+v %+v", e, http)
}

func TestObserveKeepsNothingOfTheRequest(t *testing.T) {
	l := New(name, func() {})
	r := request(&sunya.Revision{Project: "p"}, 1)
	buf := []byte("/secret-before")
	r.Target = string(buf)
	l.Observe(r)
	*r = served.Request{Revision: r.Revision}
	packs, _ := l.Take()
	if got := entries(t, l, packs); len(got) != 1 || got[0].HTTP.URL != "http://hello.localhost:8080/secret-before" {
		t.Errorf("entries %+v", got)
	}
}

func TestManyWritersLoseNothing(t *testing.T) {
	var wakes atomic.Int64
	l := New(name, func() { wakes.Add(1) })
	rev := &sunya.Revision{Project: "p"}
	var mu sync.Mutex
	seen := map[string]bool{}
	take := func() {
		packs, _ := l.Take()
		mu.Lock()
		defer mu.Unlock()
		for _, e := range entries(t, l, packs) {
			seen[e.InsertID] = true
		}
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 500 {
				l.Observe(request(rev, w*500+i))
				if i%100 == 0 {
					take()
				}
			}
		})
	}
	wg.Wait()
	take()
	if len(seen) != 4000 || wakes.Load() == 0 {
		t.Errorf("%d requests in the log, want 4000; woken %d times", len(seen), wakes.Load())
	}
}

func TestTooManyWaitingAreDroppedAndCounted(t *testing.T) {
	l := New(name, func() {})
	rev := &sunya.Revision{Project: "p"}
	r := request(rev, 1)
	r.Target = strings.Repeat("x", 64<<10)
	n := 0
	for range 2 * maxPending / (64 << 10) {
		r.Target = fmt.Sprint(n) + r.Target[:60<<10]
		l.Observe(r)
		n++
	}
	packs, lost := l.Take()
	kept := 0
	for i := range packs {
		kept += packs[i].Count
	}
	if lost["p"] == 0 || kept+int(lost["p"]) != n {
		t.Errorf("%d kept, %d lost, of %d", kept, lost["p"], n)
	}
	l.Observe(r)
	if packs, lost := l.Take(); len(packs) != 1 || len(lost) != 0 {
		t.Errorf("after it was taken there is room again: %d packs, lost %v", len(packs), lost)
	}
}

func FuzzDecode(f *testing.F) {
	var e encoder
	for i := range 3 {
		e.add(request(nil, i))
	}
	f.Add(e.buf)
	f.Add([]byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		all, err := decode(body)
		if err != nil {
			return
		}
		var again encoder
		for i := range all {
			again.add(&all[i])
		}
		back, err := decode(again.buf)
		if err != nil || len(back) != len(all) {
			t.Fatalf("%d requests came back as %d, %v", len(all), len(back), err)
		}
		var third encoder
		for i := range back {
			third.add(&back[i])
		}
		if !bytes.Equal(again.buf, third.buf) {
			t.Error("what was decoded is not what was encoded")
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	l := New(name, func() {})
	rev := &sunya.Revision{Project: "p"}
	r := request(rev, 1)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i%500 == 0 {
			l.Take()
		}
		l.Observe(r)
	}
}
