package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
)

const (
	// maxBatch is how many writers share one transaction.
	maxBatch = 256
	// batchTimeout bounds a transaction: a disk that takes longer is broken.
	batchTimeout = 60 * time.Second
)

var errClosed = sunya.Errorf(sunya.Unavailable, "", "the state database is closed: the server is stopping, try again")

// change is a write inside a transaction. It may run together with others that
// wait, each in a savepoint of its own.
type change func(ctx context.Context, tx *sql.Tx) error

// job is one writer's change on its way through the queue.
type job struct {
	do      change
	lasting bool // it may run after another server has taken over
	err     error
	done    chan struct{} // closed by whoever ran the job, after err is set
}

// update runs do in a transaction and returns once it is durable. When it
// returns an error nothing of do is kept.
func (db *DB) update(ctx context.Context, do change) error { return db.run(ctx, &job{do: do}) }

// updateLasting is update for what a request of a server began that has left its
// place to another: it waits until that one serves. do holds of nothing in memory.
func (db *DB) updateLasting(ctx context.Context, do change) error {
	return db.run(ctx, &job{do: do, lasting: true})
}

func (db *DB) run(ctx context.Context, j *job) error {
	j.done = make(chan struct{})
	if err := db.enqueue(ctx, j); err != nil {
		return err
	}
	for {
		turn, changed := db.turnOf(j)
		select {
		case <-j.done:
			return j.err
		case <-changed:
		case <-ctx.Done():
			if db.withdraw(j) {
				return context.Cause(ctx)
			}
			<-j.done // under way, at most batchTimeout
			return j.err
		case <-turn:
			if db.waiting(j) {
				db.runBatch(context.WithoutCancel(ctx))
			}
			db.turn <- struct{}{} // never blocks: the token is ours
		}
	}
}

func (db *DB) enqueue(ctx context.Context, j *job) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.queue = append(db.queue, j)
	return nil
}

// waiting reports whether j is still in the queue.
func (db *DB) waiting(j *job) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return slices.Contains(db.queue, j)
}

// withdraw takes j out of the queue; false means that it is being run or done.
func (db *DB) withdraw(j *job) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	i := slices.Index(db.queue, j)
	if i < 0 {
		return false
	}
	db.queue = slices.Delete(db.queue, i, i+1)
	return true
}

// runBatch commits what is queued. The caller holds the turn.
func (db *DB) runBatch(ctx context.Context) {
	batch := db.take()
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	if err := db.commit(ctx, batch); err != nil {
		err = db.refuse(err)
		for _, j := range batch {
			j.err = err
		}
	}
	for _, j := range batch {
		close(j.done)
	}
	db.writes.settle()
}

func (db *DB) take() []*job {
	db.mu.Lock()
	defer db.mu.Unlock()
	var batch, waiting []*job
	for i, j := range db.queue {
		switch {
		case len(batch) == maxBatch:
			waiting = append(waiting, db.queue[i])
		case j.lasting && db.stage == held && db.broken == nil:
			waiting = append(waiting, j)
		case !j.lasting && db.stage != ours, db.stage == gone:
			j.err = errHeld
			close(j.done)
		default:
			batch = append(batch, j)
		}
	}
	db.queue = waiting
	return batch
}

// commit runs every job of a batch and makes those durable that succeeded. An
// error means that none is.
func (db *DB) commit(ctx context.Context, batch []*job) error {
	if err := db.failed(); err != nil {
		return err
	}
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	run := db.runJob
	if len(batch) == 1 { // the transaction is its own: it needs no savepoint
		run = func(ctx context.Context, tx *sql.Tx, j *job) error { return db.try(ctx, tx, j.do) }
	}
	for _, j := range batch {
		if err := run(ctx, tx, j); err != nil {
			return errors.Join(err, rollback(tx))
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", errors.Join(err, rollback(tx)))
	}
	return nil
}

// runJob runs one job in a savepoint. A job that refuses is undone alone; the
// error is not nil when the whole transaction is lost.
func (db *DB) runJob(ctx context.Context, tx *sql.Tx, j *job) error {
	if _, err := tx.ExecContext(ctx, "SAVEPOINT job"); err != nil {
		return fmt.Errorf("savepoint: %w", err)
	}
	j.err = db.try(ctx, tx, j.do)
	if j.err == nil {
		_, err := tx.ExecContext(ctx, "RELEASE job")
		return err
	}
	// A full disk or an I/O error may have ended the transaction already;
	// what follows would then be committed statement by statement.
	if endsTransaction(j.err) {
		return j.err
	}
	j.err = explain(j.err)
	_, err := tx.ExecContext(ctx, "ROLLBACK TO job; RELEASE job")
	return err
}

// try runs a change. A panic in one must not take along the writers that share
// its transaction, nor the turn.
func (db *DB) try(ctx context.Context, tx *sql.Tx, do change) (err error) {
	defer func() {
		if p := recover(); p != nil {
			db.log.Error("a write panicked", "err", p, "stack", string(debug.Stack()))
			err = sunya.Errorf(sunya.Internal, "", "internal error: see the server's log")
		}
	}()
	return do(ctx, tx)
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) && !noTransaction(err) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// refuse turns the error that ended a batch into what its writers are told,
// and stops all writing when the file can no longer be trusted.
func (db *DB) refuse(err error) error {
	if !syncFailed(err) {
		return explain(err)
	}
	// The kernel forgets pages that it could not write: a second fsync would
	// succeed without them.
	db.log.Error("sync failed, no more writes until the server restarts", "err", err)
	db.fail(&sunya.Error{
		Code:    sunya.Unavailable,
		Message: "the disk failed to store the state database: check the disk, then restart the server",
		Err:     err,
	})
	return db.failed()
}

// fail makes every later write end in err. The first error stays.
func (db *DB) fail(err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.broken == nil {
		db.broken = err
		db.restage()
	}
}

func (db *DB) failed() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.broken
}
