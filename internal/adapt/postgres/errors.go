package postgres

import (
	"context"
	"errors"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sunya-cloud/sunya"
)

// explain says what a caller can do about an error of Postgres' own, or of the
// way there; any other error stays as it is.
func explain(err error) error {
	var own *sunya.Error
	if err == nil || errors.As(err, &own) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var theirs *pgconn.PgError
	if !errors.As(err, &theirs) {
		return away(err)
	}
	out := &sunya.Error{Code: sunya.Internal, Message: "the events database refused", Err: err}
	switch theirs.Code[:2] { // postgresql.org/docs/current/errcodes-appendix.html
	case "53":
		out.Code, out.Message = sunya.ResourceExhausted, "the events database has no room left (disk, memory or connections): give it some and try again"
	case "57", "08":
		out.Code, out.Message = sunya.Unavailable, "the events database is stopping or starting: try again"
	case "28", "42":
		out.Code, out.Message = sunya.FailedPrecondition, "the events database refuses this user: check its password, and that it may create a schema"
	case "25":
		out.Code, out.Message = sunya.FailedPrecondition, "the events database cannot be written: name the primary, not a replica"
	case "3D":
		out.Code, out.Message = sunya.FailedPrecondition, "the events database does not exist: create it with createdb"
	case "58", "XX":
		out.Code, out.Message = sunya.Unavailable, "the events database fails: see its log"
	}
	return out
}

// away is the error for a database that does not answer.
func away(err error) error {
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) || errors.Is(err, net.ErrClosed) || errors.Is(err, errLost) {
		return &sunya.Error{Code: sunya.Unavailable, Message: "the events database does not answer: see that Postgres runs and can be reached, then try again", Err: err}
	}
	return err
}

// exists is the error for a name that is taken; other errors stay.
func exists(err error, resource, kind string) error {
	var theirs *pgconn.PgError
	if errors.As(err, &theirs) && theirs.Code == "23505" {
		return sunya.Errorf(sunya.AlreadyExists, resource, "%s exists already", kind)
	}
	return explain(err)
}

// notFound is the error for a row that is not there; other errors are explained.
func notFound(err error, resource, kind string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return sunya.Errorf(sunya.NotFound, resource, "%s does not exist", kind)
	}
	return explain(err)
}
