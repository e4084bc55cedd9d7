package loggingv2

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

const (
	defaultPage = 50
	maxPage     = 1000
	// maxPageBytes keeps a page below the 4 MiB that gRPC clients accept by
	// default.
	maxPageBytes = 2 << 20
	// listTimeout bounds a search through everything.
	listTimeout = 55 * time.Second
)

// ListLogEntries implements the service.
func (s *Server) ListLogEntries(ctx context.Context, r *loggingpb.ListLogEntriesRequest) (*loggingpb.ListLogEntriesResponse, error) {
	q, size, err := listQuery(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	q.Limit, q.MaxBytes = size+1, maxPageBytes
	found, err := s.store.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	return listResponse(r, found, size), nil
}

func listQuery(r *loggingpb.ListLogEntriesRequest) (q logs.Query, size int, err error) {
	if q.Projects, err = projectsOf(r.GetResourceNames()); err != nil {
		return q, 0, err
	}
	if q.Newest, err = parseOrder(r.GetOrderBy()); err != nil {
		return q, 0, err
	}
	if size, err = page.Size(int(r.GetPageSize()), defaultPage, maxPage); err != nil {
		return q, 0, err
	}
	filter, err := logs.ParseFilter(r.GetFilter())
	if err != nil {
		return q, 0, err
	}
	filter.Narrow(&q)
	q.After, err = parseToken(r)
	return q, size, err
}

func parseOrder(s string) (newest bool, err error) {
	switch strings.Join(strings.Fields(s), " ") {
	case "", "timestamp", "timestamp asc":
		return false, nil
	case "timestamp desc":
		return true, nil
	}
	return false, sunya.Invalid("orderBy", "%q is no order of log entries: use \"timestamp asc\" or \"timestamp desc\"", s)
}

func listResponse(r *loggingpb.ListLogEntriesRequest, found []logs.Entry, size int) *loggingpb.ListLogEntriesResponse {
	var bytes int64
	for i := range found {
		bytes += found[i].Size()
	}
	more := len(found) > size || bytes >= maxPageBytes
	found = found[:min(len(found), size)]
	out := &loggingpb.ListLogEntriesResponse{Entries: toProtos(found)}
	if more {
		out.NextPageToken = token(r, &found[len(found)-1])
	}
	return out
}

// cursor is what a page token holds: the last entry given out.
type cursor struct {
	Nanos int64  `json:"n"`
	ID    string `json:"i"`
}

func token(r *loggingpb.ListLogEntriesRequest, last *logs.Entry) string {
	b, err := json.Marshal(cursor{last.Timestamp.UnixNano(), last.InsertID})
	if err != nil {
		return "" // a number and a string always marshal
	}
	return page.Token(string(b), tokenQuery(r)...)
}

func parseToken(r *loggingpb.ListLogEntriesRequest) (logs.Cursor, error) {
	text, err := page.Cursor(r.GetPageToken(), tokenQuery(r)...)
	if err != nil || text == "" {
		return logs.Cursor{}, err
	}
	var c cursor
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return logs.Cursor{}, sunya.Invalid("pageToken", "not a token of entries.list: leave it out to begin again")
	}
	return logs.Cursor{Timestamp: time.Unix(0, c.Nanos), InsertID: c.ID}, nil
}

func tokenQuery(r *loggingpb.ListLogEntriesRequest) []string {
	return append([]string{"entries", r.GetFilter(), r.GetOrderBy()}, r.GetResourceNames()...)
}
