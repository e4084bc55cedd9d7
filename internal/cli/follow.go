package cli

import (
	"context"
	"fmt"
	"time"

	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// logReader reads the entries of one project that match a filter, each once:
// what is stored, and what arrives.
type logReader struct {
	api    *logging.Client
	parent string // projects/P
	filter string
	seen   *recent
	floor  time.Time // entries before this are not wanted
	since  time.Time // entries before this have been handed on
}

func (c *client) logReader(ctx context.Context, filter string) (*logReader, error) {
	api, err := logging.NewClient(ctx, option.WithGRPCConn(c.conn))
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &logReader{api: api, parent: "projects/" + c.project, filter: filter, seen: newRecent(100_000)}, nil
}

// list returns stored entries, oldest first. With a limit above 0 they are the
// newest ones.
func (r *logReader) list(ctx context.Context, limit int) ([]*loggingpb.LogEntry, error) {
	req := &loggingpb.ListLogEntriesRequest{
		ResourceNames: []string{r.parent},
		Filter:        both(r.filter, after(later(r.floor, r.since))),
		OrderBy:       "timestamp asc",
		PageSize:      1000,
	}
	if limit > 0 {
		req.OrderBy = "timestamp desc"
		req.PageSize = int32(min(limit, 1000))
	}
	it := r.api.ListLogEntries(ctx, req)
	var out []*loggingpb.LogEntry
	for limit <= 0 || len(out) < limit {
		e, err := it.Next()
		if err == iterator.Done { //nolint:errorlint // the iterator returns it bare
			break
		}
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	if limit > 0 {
		reverse(out)
	}
	return out, nil
}

func reverse[T any](s []T) {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
}

// overlap is read again each time, for entries that arrive late.
const overlap = 10 * time.Second

// fresh hands on the entries that were not handed on before.
func (r *logReader) fresh(entries []*loggingpb.LogEntry, emit func(*loggingpb.LogEntry) error) error {
	for _, e := range entries {
		at := e.GetTimestamp().AsTime()
		if !r.seen.add(entryID{at.UnixNano(), e.GetInsertId()}) {
			continue
		}
		r.since = later(r.since, at.Add(-overlap))
		if err := emit(e); err != nil {
			return err
		}
	}
	return nil
}

// catchUp hands on what is stored and was not handed on before.
func (r *logReader) catchUp(ctx context.Context, emit func(*loggingpb.LogEntry) error) error {
	entries, err := r.list(ctx, 0)
	if err != nil {
		return err
	}
	return r.fresh(entries, emit)
}

const (
	reconnectFirst = 200 * time.Millisecond
	reconnectMax   = 2 * time.Second
)

// follow hands on entries until ctx ends, whose cause it returns. It reconnects
// when the server goes away, and fills the gap.
func (r *logReader) follow(ctx context.Context, emit func(*loggingpb.LogEntry) error) error {
	pause := reconnectFirst
	for {
		err := r.tail(ctx, emit, func() { pause = reconnectFirst })
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !passing(err) {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, reconnectMax)
	}
}

// passing reports whether an error is that of a server that will come back.
func passing(err error) bool {
	if err == nil {
		return true
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.OutOfRange, codes.Internal, codes.Aborted, codes.DeadlineExceeded, codes.ResourceExhausted:
		return true
	}
	return false
}

// tail follows one stream to its end, and calls connected once the server has
// answered. What was stored before the stream began
// is read beside it, twice: the server may begin to listen a moment after the
// first reading.
func (r *logReader) tail(ctx context.Context, emit func(*loggingpb.LogEntry) error, connected func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	live, err := r.open(ctx)
	if err != nil {
		return err
	}
	again := time.NewTimer(0)
	defer again.Stop()
	second := true
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
			if err := r.catchUp(ctx, emit); err != nil {
				return err
			}
			connected()
			if second {
				again.Reset(time.Second)
				second = false
			}
		case got := <-live:
			if got.err != nil {
				return got.err
			}
			if err := r.fresh(got.entries, emit); err != nil {
				return err
			}
		}
	}
}

// received is one message of a stream, or its end.
type received struct {
	entries []*loggingpb.LogEntry
	err     error
}

// open starts a stream. The channel is never closed; its last value has an
// error. The goroutine that fills it ends with ctx.
func (r *logReader) open(ctx context.Context) (<-chan received, error) {
	stream, err := r.api.TailLogEntries(ctx)
	if err != nil {
		return nil, err
	}
	err = stream.Send(&loggingpb.TailLogEntriesRequest{
		ResourceNames: []string{r.parent},
		Filter:        r.filter,
		BufferWindow:  durationpb.New(0),
	})
	if err != nil {
		// The reason for a broken stream is what Recv returns.
		if _, err = stream.Recv(); err != nil {
			return nil, err
		}
	}
	out := make(chan received)
	go func() {
		for {
			msg, err := stream.Recv()
			select {
			case out <- received{msg.GetEntries(), err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out, nil
}

// both joins two filters.
func both(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " AND " + b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func after(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("timestamp>=%q", t.UTC().Format(time.RFC3339Nano))
}

// entryID tells entries apart.
type entryID struct {
	at int64 // nanoseconds
	id string
}

// recent is a set that forgets its oldest members once it is full.
type recent struct {
	set   map[entryID]struct{}
	queue []entryID
	limit int
	next  int // the oldest member, when full
}

func newRecent(limit int) *recent {
	return &recent{set: make(map[entryID]struct{}), limit: limit}
}

// add reports whether e was not in the set.
func (r *recent) add(e entryID) bool {
	if _, ok := r.set[e]; ok {
		return false
	}
	r.set[e] = struct{}{}
	if len(r.queue) < r.limit {
		r.queue = append(r.queue, e)
		return true
	}
	delete(r.set, r.queue[r.next])
	r.queue[r.next] = e
	r.next = (r.next + 1) % r.limit
	return true
}
