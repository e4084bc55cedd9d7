package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/meter"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// Usage runs the contract of meter.Store.
func Usage(t *testing.T, open func(testing.TB) meter.Store) {
	for name, test := range map[string]func(*testing.T, meter.Store){
		"AddsUp": usageAddsUp, "OnceEach": usageOnceEach, "Select": usageSelect, "Together": usageTogether,
		"Prune": usagePrune, "Empty": usageEmpty,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func hour(n int) time.Time { return time.Date(2026, 11, 30, n, 0, 0, 0, time.UTC) }

func usageRow(h int, service, revision string, n int64) meter.Row {
	return meter.Row{
		Hour:    hour(h),
		Subject: served.Subject{Project: "p", Product: "run", Location: "l", Service: service, Revision: revision},
		Usage: meter.Usage{
			Requests: n, Starts: 2 * n, InstanceMillis: 3 * n, CPUMicros: 4 * n, MemoryMiBMillis: 5 * n,
			CPUUsedMicros: 6 * n, ReceivedBytes: 7 * n, SentBytes: 8 * n,
		},
	}
}

func usage(t *testing.T, s meter.Store, q meter.Query) []meter.Row {
	t.Helper()
	rows, err := s.Usage(t.Context(), q)
	must(t, err)
	return rows
}

func usageAddsUp(t *testing.T, s meter.Store) {
	must(t, s.AddUsage(t.Context(), "w", 1, []meter.Row{usageRow(1, "a", "r1", 1), usageRow(1, "a", "r2", 10)}))
	must(t, s.AddUsage(t.Context(), "w", 5, []meter.Row{usageRow(1, "a", "r1", 100), usageRow(2, "b", "r1", 1000)}))
	r1 := usageRow(0, "a", "r1", 101)
	r2, b := usageRow(0, "a", "r2", 10), usageRow(0, "b", "r1", 1000)
	r1.Hour, r2.Hour, b.Hour = time.Time{}, time.Time{}, time.Time{}
	wantSame(t, usage(t, s, meter.Query{}), []meter.Row{r1, r2, b})
	whole := usageRow(0, "a", "", 111)
	whole.Hour = time.Time{}
	wantSame(t, usage(t, s, meter.Query{By: meter.ByService, Service: "a"}), []meter.Row{whole})
	wantSame(t, usage(t, s, meter.Query{By: meter.ByHour}), []meter.Row{
		{Hour: hour(1), Usage: usageRow(0, "", "", 111).Usage}, {Hour: hour(2), Usage: usageRow(0, "", "", 1000).Usage},
	})
	wantSame(t, usage(t, s, meter.Query{By: meter.ByDay}), []meter.Row{{Hour: hour(0), Usage: usageRow(0, "", "", 1111).Usage}})
	newest, err := s.NewestUsage(t.Context())
	must(t, err)
	wantSame(t, newest, hour(2))
}

func usageOnceEach(t *testing.T, s meter.Store) {
	for _, seq := range []int64{3, 3, 2} {
		must(t, s.AddUsage(t.Context(), "w", seq, []meter.Row{usageRow(1, "a", "r", 1)}))
	}
	must(t, s.AddUsage(t.Context(), "other", 1, []meter.Row{usageRow(1, "a", "r", 1)}))
	if got := usage(t, s, meter.Query{})[0].Requests; got != 2 {
		t.Errorf("%d requests, want 1 of each writer", got)
	}
	for writer, want := range map[string]int64{"w": 3, "other": 1, "nobody": 0} {
		if seq, err := s.UsageSeq(t.Context(), writer); seq != want || err != nil {
			t.Errorf("seq of %s = %d, %v; want %d", writer, seq, err, want)
		}
	}
}

func usageSelect(t *testing.T, s meter.Store) {
	other := usageRow(1, "a", "r", 1)
	other.Project = "q"
	must(t, s.AddUsage(t.Context(), "w", 1, []meter.Row{usageRow(1, "a", "r", 1), usageRow(2, "a", "r", 10), usageRow(3, "b", "r", 100), other}))
	for name, c := range map[string]struct {
		q    meter.Query
		want int64
	}{
		"project":                          {meter.Query{Project: "p"}, 111},
		"service":                          {meter.Query{Project: "p", Service: "a"}, 11},
		"since is inclusive, until is not": {meter.Query{Project: "p", Since: hour(1), Until: hour(2)}, 1},
		"nothing":                          {meter.Query{Project: "none"}, 0},
	} {
		var sum int64
		for _, r := range usage(t, s, c.q) {
			sum += r.Requests
		}
		if sum != c.want {
			t.Errorf("%s: %d requests, want %d", name, sum, c.want)
		}
	}
	_, err := s.Usage(t.Context(), meter.Query{By: "moon"})
	wantCode(t, err, sunya.InvalidArgument)
}

func usageTogether(t *testing.T, s meter.Store) {
	errs := together(t.Context(), 20, func(ctx context.Context, i int) error {
		return s.AddUsage(ctx, string(rune('a'+i)), 1, []meter.Row{usageRow(1, "a", "r", 1)})
	})
	for _, err := range errs {
		must(t, err)
	}
	if got := usage(t, s, meter.Query{})[0].Requests; got != 20 {
		t.Errorf("%d requests, want 20", got)
	}
}

func usagePrune(t *testing.T, s meter.Store) {
	must(t, s.AddUsage(t.Context(), "old", 1, []meter.Row{usageRow(1, "a", "r", 1)}))
	must(t, s.AddUsage(t.Context(), "new", 1, []meter.Row{usageRow(2, "a", "r", 10)}))
	must(t, s.PruneUsage(t.Context(), hour(2)))
	if got := usage(t, s, meter.Query{})[0].Requests; got != 10 {
		t.Errorf("%d requests are left, want those of the later hour", got)
	}
	for writer, want := range map[string]int64{"old": 0, "new": 1} {
		if seq, err := s.UsageSeq(t.Context(), writer); seq != want || err != nil {
			t.Errorf("seq of %s = %d, %v; want %d", writer, seq, err, want)
		}
	}
}

func usageEmpty(t *testing.T, s meter.Store) {
	if got := usage(t, s, meter.Query{By: meter.ByDay}); len(got) != 0 {
		t.Errorf("rows %v", got)
	}
	if newest, err := s.NewestUsage(t.Context()); !newest.IsZero() || err != nil {
		t.Errorf("newest %v, %v", newest, err)
	}
}
