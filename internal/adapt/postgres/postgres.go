// Package postgres keeps topics, subscriptions and messages in a Postgres
// database, for who wants them replicated, backed up and looked after as the
// rest of their data.
//
// One server writes, on one connection, which holds an advisory lock for as long
// as it lives; each batch is one round trip and one transaction. A batch has a
// number that is stored with it, so that when the connection breaks the server
// finds out whether the batch was stored, and goes on.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/health"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// readers is how many reads run side by side.
const readers = 4

// schema is where the tables are, whatever else is in the database.
const schema = "sunya"

// Events is an open database. Its methods are safe for concurrent use.
type Events struct {
	writer *writer
	read   *pgxpool.Pool // connections that cannot write
}

var (
	_ pubsub.Store   = (*Events)(nil)
	_ health.Checker = (*Events)(nil)
)

// OpenEvents opens the database at a URL such as postgres://user@host/name, and
// brings its schema up to date. What the URL leaves out comes from libpq's
// variables and files (PGPASSWORD, .pgpass, PGSSLMODE…). A database that another
// server writes to, or that a newer Sunya wrote, is FailedPrecondition; one that
// does not answer is Unavailable. The caller owns the result and must Close it.
func OpenEvents(ctx context.Context, url string, log *slog.Logger) (*Events, error) {
	cfg, err := parse(url)
	if err != nil {
		return nil, err
	}
	e := &Events{writer: newWriter(cfg.ConnConfig.Copy(), log.With("component", "postgres"))}
	if err := e.writer.open(ctx); err != nil {
		return nil, err
	}
	cfg.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	if e.read, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, errors.Join(explain(err), e.writer.close())
	}
	return e, nil
}

// CheckURL returns what is wrong with the URL of a database.
func CheckURL(url string) error {
	_, err := parse(url)
	return err
}

func parse(url string) (*pgxpool.Config, error) {
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return nil, sunya.Invalid("--events", "not the URL of a Postgres database: write postgres://USER@HOST/DATABASE")
	}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil { // it names the URL without its password
		return nil, sunya.Invalid("--events", "not the URL of a Postgres database: %v", err)
	}
	cfg.MaxConns = readers
	ours := map[string]string{
		"search_path":                   schema,
		"application_name":              "sunya",
		"synchronous_commit":            "on",
		"TimeZone":                      "UTC",
		"tcp_keepalives_idle":           "10", // seconds: a lock ends soon with the machine that held it
		"tcp_keepalives_interval":       "5",
		"tcp_keepalives_count":          "3",
		"client_min_messages":           "warning",
		"idle_session_timeout":          "0",
		"lock_timeout":                  "0",
		"statement_timeout":             "0",
		"default_transaction_isolation": "read committed",
	}
	given := cfg.ConnConfig.RuntimeParams
	if s := given["synchronous_commit"]; s == "off" {
		return nil, sunya.Invalid("--events", "synchronous_commit=off would lose messages that were acknowledged: leave it out")
	} else if s != "" {
		ours["synchronous_commit"] = s // such as remote_apply
	}
	maps.Copy(given, ours)
	return cfg, nil
}

// Close closes the database once the write under way is done.
func (e *Events) Close() error {
	e.read.Close()
	return e.writer.close()
}

// Hold waits for the write under way and gives up the place as the one who
// writes: writes are refused, which are told to try again. Reading goes on.
func (e *Events) Hold() { e.writer.hold(true) }

// Resume ends Hold.
func (e *Events) Resume() { e.writer.hold(false) }

// Check implements health.Checker.
func (e *Events) Check(ctx context.Context) []health.Check {
	c := health.Check{Name: "events database", Status: health.OK}
	var version, fsync, commit string
	err := e.read.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')").Scan(&version, &fsync, &commit)
	switch {
	case err != nil:
		c.Status, c.Detail, c.Fix = health.Fail, explain(err).Error(), "see that the Postgres server runs and can be reached"
	case fsync != "on":
		c.Status, c.Detail, c.Fix = health.Fail, "Postgres runs with fsync=off: acknowledged messages can be lost", "set fsync = on in postgresql.conf"
	default:
		c.Detail = fmt.Sprintf("Postgres %s, synchronous_commit %s", version, commit)
	}
	return []health.Check{c}
}

// list runs a query and reads every row with scan.
func list[T any](ctx context.Context, q querier, scan func(pgx.Row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, query, args...)
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
		out = append(out, v)
	}
	return out, explain(rows.Err())
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}
