package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/meter"
)

// AddUsage implements meter.Store.
func (db *DB) AddUsage(ctx context.Context, writer string, seq int64, rows []meter.Row) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		have, err := usageSeq(ctx, tx, writer)
		if err != nil || have >= seq {
			return err
		}
		var last int64
		for i := range rows {
			if err := addUsage(ctx, tx, &rows[i]); err != nil {
				return fmt.Errorf("add usage: %w", err)
			}
			last = max(last, rows[i].Hour.Unix())
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO usage_writers (writer, seq, hour) VALUES (?, ?, ?)
			ON CONFLICT (writer) DO UPDATE SET seq = excluded.seq, hour = max(hour, excluded.hour)`, writer, seq, last)
		if err != nil {
			return fmt.Errorf("add usage: %w", err)
		}
		return nil
	})
}

func addUsage(ctx context.Context, tx *sql.Tx, r *meter.Row) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO usage (hour, project, product, location, service, revision,
			requests, starts, instance_millis, cpu_micros, memory_mib_millis, cpu_used_micros, received_bytes, sent_bytes)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (hour, project, service, product, location, revision) DO UPDATE SET
			requests = requests + excluded.requests, starts = starts + excluded.starts,
			instance_millis = instance_millis + excluded.instance_millis, cpu_micros = cpu_micros + excluded.cpu_micros,
			memory_mib_millis = memory_mib_millis + excluded.memory_mib_millis, cpu_used_micros = cpu_used_micros + excluded.cpu_used_micros,
			received_bytes = received_bytes + excluded.received_bytes, sent_bytes = sent_bytes + excluded.sent_bytes`,
		r.Hour.Unix(), r.Project, r.Product, r.Location, r.Service, r.Revision,
		r.Requests, r.Starts, r.InstanceMillis, r.CPUMicros, r.MemoryMiBMillis, r.CPUUsedMicros, r.ReceivedBytes, r.SentBytes)
	return err
}

func usageSeq(ctx context.Context, q querier, writer string) (seq int64, err error) {
	err = q.QueryRowContext(ctx, "SELECT seq FROM usage_writers WHERE writer = ?", writer).Scan(&seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read usage: %w", err)
	}
	return seq, nil
}

// usageBy are the columns of what rows are added up to, and their order.
var usageBy = map[meter.By]struct{ columns, group string }{
	meter.ByRevision: {"0, project, product, location, service, revision", "project, service, product, location, revision"},
	meter.ByService:  {"0, project, product, location, service, ''", "project, service, product, location"},
	meter.ByDay:      {"hour / 86400 * 86400, '', '', '', '', ''", "hour / 86400"},
	meter.ByHour:     {"hour, '', '', '', '', ''", "hour"},
}

// Usage implements meter.Store.
func (db *DB) Usage(ctx context.Context, q meter.Query) ([]meter.Row, error) {
	by := q.By
	if by == "" {
		by = meter.ByRevision
	}
	g, ok := usageBy[by]
	if !ok {
		return nil, sunya.Invalid("by", "%q is not known: use service, revision, day or hour", by)
	}
	return list(ctx, db.read, scanUsage, `SELECT `+g.columns+`, sum(requests), sum(starts), sum(instance_millis), sum(cpu_micros),
			sum(memory_mib_millis), sum(cpu_used_micros), sum(received_bytes), sum(sent_bytes) FROM usage
		WHERE (?1 = '' OR project = ?1) AND (?2 = '' OR service = ?2) AND hour >= ?3 AND hour < ?4
		GROUP BY `+g.group+` ORDER BY `+g.group, q.Project, q.Service, secondsOr(q.Since, 0), secondsOr(q.Until, 1<<62))
}

func secondsOr(t time.Time, zero int64) int64 {
	if t.IsZero() {
		return zero
	}
	return t.Unix()
}

func scanUsage(r row) (*meter.Row, error) {
	var u meter.Row
	var hour int64
	err := r.Scan(&hour, &u.Project, &u.Product, &u.Location, &u.Service, &u.Revision,
		&u.Requests, &u.Starts, &u.InstanceMillis, &u.CPUMicros, &u.MemoryMiBMillis, &u.CPUUsedMicros, &u.ReceivedBytes, &u.SentBytes)
	if hour != 0 {
		u.Hour = time.Unix(hour, 0).UTC()
	}
	return &u, err
}

// UsageSeq implements meter.Store.
func (db *DB) UsageSeq(ctx context.Context, writer string) (int64, error) {
	return usageSeq(ctx, db.read, writer)
}

// NewestUsage implements meter.Store.
func (db *DB) NewestUsage(ctx context.Context) (time.Time, error) {
	var hour sql.NullInt64
	if err := db.read.QueryRowContext(ctx, "SELECT max(hour) FROM usage").Scan(&hour); err != nil {
		return time.Time{}, explain(err)
	}
	if !hour.Valid {
		return time.Time{}, nil
	}
	return time.Unix(hour.Int64, 0).UTC(), nil
}

// PruneUsage implements meter.Store.
func (db *DB) PruneUsage(ctx context.Context, t time.Time) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, table := range []string{"usage", "usage_writers"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE hour < ?", t.Unix()); err != nil {
				return fmt.Errorf("prune usage: %w", err)
			}
		}
		return nil
	})
}
