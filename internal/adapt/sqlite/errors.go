package sqlite

import (
	"database/sql"
	"errors"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sunya-cloud/sunya"
)

// explain says what a caller can do about an error of SQLite's own; any other
// error stays as it is.
func explain(err error) error {
	var own *sunya.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	code, ok := resultCode(err)
	if !ok {
		return err
	}
	out := &sunya.Error{Code: sunya.Internal, Message: "the state database refused", Err: err}
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		out.Code, out.Message = sunya.ResourceExhausted, "the disk of the data directory is full: free some space and try again"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH:
		out.Code, out.Message = sunya.Unavailable, "the state database cannot be written: check the owner and the mount of the data directory"
	case sqlite3.SQLITE_IOERR:
		out.Code, out.Message = sunya.Unavailable, "the disk of the data directory fails: check it with dmesg, then try again"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		out.Code, out.Message = sunya.Unavailable, "another process holds the state database: end it and try again"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		out.Code, out.Message = sunya.DataLoss, "the state database is damaged: run sunya doctor, restore a backup"
	case sqlite3.SQLITE_INTERRUPT:
		out.Code, out.Message = sunya.Canceled, "the call was interrupted"
	case sqlite3.SQLITE_NOMEM:
		out.Code, out.Message = sunya.Unavailable, "the server has no memory left: try again"
	case sqlite3.SQLITE_TOOBIG:
		out.Code, out.Message = sunya.InvalidArgument, "the record is too large"
	}
	return out
}

// resultCode returns SQLite's extended result code.
func resultCode(err error) (code int, ok bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code(), true
}

// endsTransaction reports whether SQLite may have rolled the transaction back
// by itself (sqlite.org/lang_transaction.html, section 3).
func endsTransaction(err error) bool {
	code, ok := resultCode(err)
	if !ok {
		return errors.Is(err, sql.ErrTxDone)
	}
	switch code & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_BUSY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CORRUPT,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return true
	}
	return false
}

// syncFailed reports whether the error is a failed fsync.
func syncFailed(err error) bool {
	code, _ := resultCode(err)
	return code == sqlite3.SQLITE_IOERR_FSYNC || code == sqlite3.SQLITE_IOERR_DIR_FSYNC
}

// noTransaction reports whether a rollback found that SQLite had rolled back
// already.
func noTransaction(err error) bool {
	return strings.Contains(err.Error(), "no transaction is active")
}

// violates reports whether err is a broken constraint of this extended code.
func violates(err error, code int) bool {
	got, ok := resultCode(err)
	return ok && got == code
}

// notFound is the error for sql.ErrNoRows; other errors are explained.
func notFound(err error, resource, kind string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return sunya.Errorf(sunya.NotFound, resource, "%s does not exist", kind)
	}
	return explain(err)
}
