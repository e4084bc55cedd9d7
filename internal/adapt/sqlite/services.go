package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sunya-cloud/sunya"
)

// maxUIDRange keeps the highest uid of the highest range below 2^31, which
// every file system and tool can hold.
const maxUIDRange = 32000

const selectServices = `SELECT name, project, product, traffic, dispatch, access, ingress, scaling, uid_range, generation, create_time, update_time FROM services`

func scanService(r row) (*sunya.Service, error) {
	var (
		s                sunya.Service
		traffic          []byte
		dispatch, access []byte
		scaling          []byte
		created, updated int64
	)
	err := r.Scan(&s.Name, &s.Project, &s.Product, &traffic, &dispatch, &access, &s.Ingress, &scaling, &s.UIDRange, &s.Generation, &created, &updated)
	if err != nil {
		return nil, err
	}
	s.CreateTime, s.UpdateTime = moment(created), moment(updated)
	if err := json.Unmarshal(traffic, &s.Traffic); err != nil {
		return nil, fmt.Errorf("read stored traffic of %s: %w", s.Name, err)
	}
	if err := json.Unmarshal(dispatch, &s.Dispatch); err != nil {
		return nil, fmt.Errorf("read stored dispatch rules of %s: %w", s.Name, err)
	}
	if err := json.Unmarshal(access, &s.Access); err != nil {
		return nil, fmt.Errorf("read stored access to %s: %w", s.Name, err)
	}
	if err := json.Unmarshal(scaling, &s.Scaling); err != nil {
		return nil, fmt.Errorf("read stored scaling of %s: %w", s.Name, err)
	}
	return &s, nil
}

// columns are the parts of a service that are kept as JSON.
type columns struct{ traffic, dispatch, access, scaling []byte }

func columnsOf(s *sunya.Service) (c columns, err error) {
	for _, p := range []struct {
		dst   *[]byte
		value any
	}{{&c.traffic, s.Traffic}, {&c.dispatch, s.Dispatch}, {&c.access, s.Access}, {&c.scaling, s.Scaling}} {
		if *p.dst, err = json.Marshal(p.value); err != nil {
			return c, fmt.Errorf("put %s: %w", s.Name, err)
		}
	}
	return c, nil
}

// putService creates or replaces a service.
func putService(ctx context.Context, tx *sql.Tx, s *sunya.Service) error {
	c, err := columnsOf(s)
	if err != nil {
		return err
	}
	var project string
	err = tx.QueryRowContext(ctx, "SELECT project FROM services WHERE name = ?", s.Name).Scan(&project)
	if errors.Is(err, sql.ErrNoRows) {
		return insertService(ctx, tx, s, c)
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", s.Name, err)
	}
	if project != s.Project {
		return sunya.Errorf(sunya.AlreadyExists, s.Name, "the service belongs to project %s", project)
	}
	_, err = tx.ExecContext(ctx, `UPDATE services SET product = ?, traffic = ?, dispatch = ?, access = ?, ingress = ?, scaling = ?, generation = generation + 1, update_time = ? WHERE name = ?`,
		s.Product, c.traffic, c.dispatch, c.access, s.Ingress, c.scaling, nanos(s.UpdateTime), s.Name)
	if err != nil {
		return fmt.Errorf("put %s: %w", s.Name, err)
	}
	return nil
}

func insertService(ctx context.Context, tx *sql.Tx, s *sunya.Service, c columns) error {
	uids, err := uidRange(ctx, tx, s.Project, s.Name)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO services (name, project, product, traffic, dispatch, access, ingress, scaling, uid_range, generation, create_time, update_time)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)`,
		s.Name, s.Project, s.Product, c.traffic, c.dispatch, c.access, s.Ingress, c.scaling, uids, nanos(s.CreateTime), nanos(s.UpdateTime))
	if err != nil {
		return fmt.Errorf("put %s: %w", s.Name, err)
	}
	return nil
}

// uidRange returns the range that what has a name, a service or a job, has, had,
// or gets now.
func uidRange(ctx context.Context, tx *sql.Tx, project, name string) (int, error) {
	var n int
	err := tx.QueryRowContext(ctx, `INSERT INTO uid_ranges (project, service) VALUES (?, ?)
		ON CONFLICT (project, service) DO UPDATE SET service = service RETURNING uid_range`, project, name).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("allocate uids for %s: %w", name, err)
	}
	if n > maxUIDRange {
		return 0, sunya.Errorf(sunya.ResourceExhausted, name,
			"this server has given out all %d ranges of user ids: reuse the name of a deleted service or job", maxUIDRange)
	}
	return n, nil
}

// putRevision stores a revision, or finds the same one stored already. When it
// was first created is not part of what makes it the same.
func putRevision(ctx context.Context, tx *sql.Tx, rev *sunya.Revision) error {
	document, err := json.Marshal(rev)
	if err != nil {
		return fmt.Errorf("put %s: %w", rev.Name, err)
	}
	old, err := scanDocument[sunya.Revision](tx.QueryRowContext(ctx, "SELECT document FROM revisions WHERE name = ?", rev.Name))
	if err == nil {
		return sameRevision(old, rev)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("put %s: %w", rev.Name, err)
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO revisions (name, id, service, create_time, document) VALUES (?, ?, ?, ?, ?)",
		rev.Name, rev.ID, rev.Service, nanos(rev.CreateTime), document)
	switch {
	case missingParent(err):
		return sunya.Errorf(sunya.FailedPrecondition, rev.Name, "its service %s does not exist", rev.Service)
	case violates(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE):
		return sunya.Errorf(sunya.AlreadyExists, rev.Name, "another revision has the id %s", rev.ID)
	case err != nil:
		return fmt.Errorf("put %s: %w", rev.Name, err)
	}
	return nil
}

func sameRevision(old, rev *sunya.Revision) error {
	again := *rev
	again.CreateTime = old.CreateTime
	a, errA := json.Marshal(old)
	b, errB := json.Marshal(&again)
	if err := errors.Join(errA, errB); err != nil {
		return fmt.Errorf("put %s: %w", rev.Name, err)
	}
	if string(a) != string(b) {
		return sunya.Errorf(sunya.AlreadyExists, rev.Name, "a revision never changes: the stored one differs")
	}
	return nil
}

// missingParent reports whether a row refers to one that is not there.
func missingParent(err error) bool {
	return violates(err, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY)
}
