package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// nanos is how a time is stored: Unix nanoseconds, 0 for no time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// moment is the inverse of nanos, in UTC.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// decode reads a JSON column.
func decode[T any](document []byte) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(document, v); err != nil {
		return nil, fmt.Errorf("read stored %T: %w", v, err)
	}
	return v, nil
}

// querier is a database or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// list runs a query and reads every row with scan.
func list[T any](ctx context.Context, q querier, scan func(row) (*T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, explain(err)
		}
		out = append(out, *v)
	}
	return out, explain(rows.Err())
}

// row is what *sql.Row and *sql.Rows have in common.
type row interface {
	Scan(dest ...any) error
}

// scanDocument reads a row of one JSON column.
func scanDocument[T any](r row) (*T, error) {
	var document []byte
	if err := r.Scan(&document); err != nil {
		return nil, err
	}
	return decode[T](document)
}

// raw undoes what encoding/json makes of an empty RawMessage.
func raw(m json.RawMessage) json.RawMessage {
	if string(m) == "null" {
		return nil
	}
	return m
}

// limitOf is SQL's LIMIT for a limit of ours, where 0 or less is none.
func limitOf(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}

// endOfPrefix is the first string behind all that begin with prefix, in byte
// order; empty when there is none.
func endOfPrefix(prefix string) string {
	b := []byte(prefix)
	for len(b) > 0 {
		last := len(b) - 1
		if b[last] < 0xff {
			b[last]++
			return string(b)
		}
		b = b[:last]
	}
	return ""
}
