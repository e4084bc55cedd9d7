package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

const (
	// lockKey is the advisory lock of who writes: "sunya", and what it writes.
	lockKey = 0x73756e79615f6576
	// lockWait is how long a server waits for the place of one that is ending.
	lockWait = 3 * time.Second
	lockPoll = 50 * time.Millisecond
	// connectPause is the time between attempts to reach the database.
	connectPause = 200 * time.Millisecond
	closeTimeout = 5 * time.Second
)

var (
	errClosed    = sunya.Errorf(sunya.Unavailable, "", "the events database is closed: the server is stopping, try again")
	errHeld      = sunya.Errorf(sunya.Unavailable, "", "another server is taking over: try again")
	errTaken     = &sunya.Error{Code: sunya.FailedPrecondition, Reason: sunya.ReasonEventsTaken, Message: "another server writes to this events database: stop that one, or use a database of its own"}
	errSurpassed = sunya.Errorf(sunya.FailedPrecondition, "", "another server has written to this events database while its connection was lost: restart this one, when the other has ended")
	errLost      = errors.New("the connection was lost while a change was made: it may have been stored")
)

// writer is the one connection that writes.
type writer struct {
	cfg *pgx.ConnConfig
	log *slog.Logger

	turn   chan struct{} // holds one token: whoever has it uses what follows
	conn   *pgx.Conn     // nil while there is none
	epoch  int64         // this server's
	batch  int64         // number of the last batch that is stored
	doubt  *pubsub.Batch // batch+1: it may be stored
	broken error         // no write any more
	held   bool
}

func newWriter(cfg *pgx.ConnConfig, log *slog.Logger) *writer {
	w := &writer{cfg: cfg, log: log, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	return w
}

// open takes the place of the one who writes, brings the schema up to date and
// begins an epoch.
func (w *writer) open(ctx context.Context) error {
	if err := w.lock(ctx, nil); err != nil {
		return err
	}
	err := migrate(ctx, w.cfg, w.log)
	if err == nil {
		err = w.begin(ctx)
	}
	if err != nil {
		w.drop()
	}
	return err
}

// lock connects and takes the lock, which ends with the connection. When check
// is not nil it looks at the connection first.
func (w *writer) lock(ctx context.Context, check func(ctx context.Context, conn *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, errTaken)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, w.cfg)
	if err != nil {
		return explain(err)
	}
	for err == nil && w.conn == nil {
		var got bool
		if check != nil {
			err = check(ctx, conn)
		}
		if err == nil {
			err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(lockKey)).Scan(&got)
		}
		if err == nil && got {
			w.conn = conn
			return nil
		}
		if err == nil {
			err = pause(ctx, lockPoll)
		}
	}
	closeConn(conn)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return explain(err)
}

// begin makes the epoch this server's.
func (w *writer) begin(ctx context.Context) error {
	err := w.conn.QueryRow(ctx, "UPDATE writer SET epoch = epoch + 1 RETURNING epoch, batch").Scan(&w.epoch, &w.batch)
	return explain(err)
}

// ready returns the connection, which is made again where it was lost. stored
// says that the batch in doubt was stored.
func (w *writer) ready(ctx context.Context) (stored bool, err error) {
	switch {
	case w.broken != nil:
		return false, w.broken
	case w.held:
		return false, errHeld
	case w.conn != nil && !w.conn.IsClosed():
		return false, nil
	}
	w.conn = nil
	var batch int64
	err = w.lock(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		batch, err = w.progress(ctx, conn)
		return err
	})
	if err != nil {
		return false, err
	}
	// Once more: it may have changed before the lock was taken.
	if batch, err = w.progress(ctx, w.conn); err != nil {
		w.drop()
		return false, err
	}
	w.log.Info("connected to the events database again")
	return w.doubt != nil && batch > w.batch, nil
}

// progress returns the number of the last batch, as long as the epoch is this
// server's.
func (w *writer) progress(ctx context.Context, conn *pgx.Conn) (batch int64, err error) {
	var epoch int64
	if err := conn.QueryRow(ctx, "SELECT epoch, batch FROM writer").Scan(&epoch, &batch); err != nil {
		return 0, explain(err)
	}
	if epoch != w.epoch {
		w.broken = errSurpassed
	}
	return batch, w.broken
}

// drop closes the connection, and so gives up the lock.
func (w *writer) drop() {
	if w.conn != nil {
		closeConn(w.conn)
		w.conn = nil
	}
}

func closeConn(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = c.Close(ctx) // it is over either way
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// take waits for the turn; the caller gives it back.
func (w *writer) take(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.turn:
		return nil
	}
}

func (w *writer) give() { w.turn <- struct{}{} }

func (w *writer) close() error {
	<-w.turn
	defer w.give()
	w.drop()
	w.broken = errClosed
	return nil
}

func (w *writer) hold(yes bool) {
	<-w.turn
	defer w.give()
	if w.held == yes {
		return
	}
	w.held = yes
	if yes {
		w.drop()
		return
	}
	// The other one did not come to serve: nothing of what is in memory here
	// has changed.
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	err := w.lock(ctx, nil)
	if err == nil {
		err = w.begin(ctx)
	}
	if err != nil {
		w.drop()
		w.log.Error("take the events database back", "err", err)
		w.broken = err
	}
}

// commit stores a batch. When the connection is lost meanwhile it finds out what
// became of it, and tries again until ctx ends.
func (w *writer) commit(ctx context.Context, b *pubsub.Batch) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.give()
	if err := w.settle(ctx); err != nil {
		return err
	}
	for {
		err := w.attempt(ctx, b)
		if err == nil {
			w.batch++
			w.doubt = nil
			return nil
		}
		if w.broken != nil || w.held || w.conn != nil && !w.conn.IsClosed() || errors.Is(err, errTaken) {
			return err // it was refused
		}
		w.log.Warn("the events database was lost", "err", err)
		if pause(ctx, connectPause) != nil {
			return away(fmt.Errorf("%w: %w", errLost, err))
		}
	}
}

// attempt stores a batch unless an earlier attempt did.
func (w *writer) attempt(ctx context.Context, b *pubsub.Batch) error {
	stored, err := w.ready(ctx)
	if err != nil || stored {
		return err
	}
	w.doubt = b
	err = send(ctx, w.conn, w.batch+1, b)
	if err != nil && !w.conn.IsClosed() {
		w.doubt = nil // it was refused as a whole
	}
	return explain(err)
}

// settle undoes a batch whose publishers were told that it was not stored, if it
// was: its numbers are given again.
func (w *writer) settle(ctx context.Context) error {
	if w.doubt == nil {
		return nil
	}
	stored, err := w.ready(ctx)
	if err != nil {
		return err
	}
	if stored {
		if err := undo(ctx, w.conn, w.doubt); err != nil {
			return explain(err)
		}
		w.batch++
	}
	w.doubt = nil
	return nil
}

// update runs do in a transaction and returns once that is durable. When it
// returns an error nothing of do is kept, or it says that the connection was
// lost.
func (w *writer) update(ctx context.Context, do func(ctx context.Context, tx pgx.Tx) error) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.give()
	if err := w.settle(ctx); err != nil {
		return err
	}
	for again := true; ; again = false {
		if _, err := w.ready(ctx); err != nil {
			return err
		}
		ended, err := transact(ctx, w.conn, do)
		if err == nil || ended || !again || !w.conn.IsClosed() || ctx.Err() != nil {
			return explain(err)
		}
		// It was lost before anything was stored, most likely long ago.
	}
}

// transact runs do in a transaction; ended says that it came to the commit.
func transact(ctx context.Context, conn *pgx.Conn, do func(ctx context.Context, tx pgx.Tx) error) (ended bool, err error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return false, err
	}
	if err := do(ctx, tx); err != nil {
		_ = tx.Rollback(context.WithoutCancel(ctx)) // or the connection is gone
		return false, err
	}
	err = tx.Commit(ctx)
	if err != nil && conn.IsClosed() {
		err = away(fmt.Errorf("%w: %w", errLost, err))
	}
	return true, err
}
