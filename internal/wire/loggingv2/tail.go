package loggingv2

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// The buffer window of a tail, as Cloud Logging's.
const (
	defaultWindow = 2 * time.Second
	maxWindow     = time.Minute
)

// TailLogEntries implements the service: entries that are written from now on,
// none older. The stream's headers are sent once it follows, so a client that
// waits for them and lists then misses nothing. Only the first request counts.
func (s *Server) TailLogEntries(stream loggingpb.LoggingServiceV2_TailLogEntriesServer) error {
	r, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return sunya.Invalid("resourceNames", "the stream ended before its first request: send one")
	}
	if err != nil {
		return err
	}
	window, err := windowOf(r.GetBufferWindow())
	if err != nil {
		return err
	}
	match, err := tailMatch(r)
	if err != nil {
		return err
	}
	f, err := s.hub.Follow(match)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	return tail(stream, f, window)
}

func windowOf(d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return defaultWindow, nil
	}
	if w := d.AsDuration(); d.CheckValid() == nil && w >= 0 && w <= maxWindow {
		return w, nil
	}
	return 0, sunya.Invalid("bufferWindow", "%v is outside of 0 to 60 seconds", d.AsDuration())
}

func tailMatch(r *loggingpb.TailLogEntriesRequest) (func(*logs.Entry) bool, error) {
	projects, err := projectsOf(r.GetResourceNames())
	if err != nil {
		return nil, err
	}
	filter, err := logs.ParseFilter(r.GetFilter())
	if err != nil {
		return nil, err
	}
	return func(e *logs.Entry) bool {
		_, found := slices.BinarySearch(projects, e.Project())
		return found && filter.Match(e)
	}, nil
}

// tail sends what the follower gets until the client leaves.
func tail(stream loggingpb.LoggingServiceV2_TailLogEntriesServer, f *logs.Follower, window time.Duration) error {
	ctx := stream.Context()
	for {
		entries, lost, err := f.Next(ctx)
		if err != nil {
			return err
		}
		more, lostToo := gather(ctx, f, window, len(entries))
		entries = append(entries, more...)
		slices.SortStableFunc(entries, func(a, b logs.Entry) int {
			return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.InsertID, b.InsertID))
		})
		if err := send(stream, entries, lost+lostToo); err != nil {
			return err
		}
	}
}

// gather waits for the buffer window, in which entries can still be put in
// order, or until a page is full.
func gather(ctx context.Context, f *logs.Follower, window time.Duration, have int) (entries []logs.Entry, lost int64) {
	if window == 0 {
		return nil, 0
	}
	ctx, cancel := context.WithTimeout(ctx, window)
	defer cancel()
	for have+len(entries) < maxPage {
		more, n, err := f.Next(ctx)
		if err != nil {
			return entries, lost
		}
		entries, lost = append(entries, more...), lost+n
	}
	return entries, lost
}

// send splits what there is so that a response stays below the clients' limit.
func send(stream loggingpb.LoggingServiceV2_TailLogEntriesServer, entries []logs.Entry, lost int64) error {
	for len(entries) > 0 || lost > 0 {
		n, bytes := 0, int64(0)
		for n < len(entries) && n < maxPage && bytes < maxPageBytes {
			bytes += entries[n].Size()
			n++
		}
		out := &loggingpb.TailLogEntriesResponse{Entries: toProtos(entries[:n])}
		if entries = entries[n:]; len(entries) == 0 && lost > 0 {
			out.SuppressionInfo = suppression(lost)
			lost = 0
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
	return nil
}

func suppression(n int64) []*loggingpb.TailLogEntriesResponse_SuppressionInfo {
	return []*loggingpb.TailLogEntriesResponse_SuppressionInfo{{
		Reason:          loggingpb.TailLogEntriesResponse_SuppressionInfo_NOT_CONSUMED,
		SuppressedCount: int32(min(n, math.MaxInt32)),
	}}
}
