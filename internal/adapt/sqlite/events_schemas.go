package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/schema"
)

var _ schema.Store = (*Events)(nil)

const theSchema = "the schema"

// CreateSchema implements schema.Store.
func (e *Events) CreateSchema(ctx context.Context, s schema.Schema, first schema.Revision) (rec schema.Record, err error) {
	document, err := json.Marshal(s)
	if err != nil {
		return rec, err
	}
	rec = schema.Record{Schema: s, Revisions: []schema.Revision{first}}
	project, _ := pubsub.ParseName("name", pubsub.Schemas, s.Name)
	return rec, e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "INSERT INTO schemas (project, name, document) VALUES (?, ?, ?)", project, s.Name, document)
		if err != nil {
			return exists(err, s.Name, theSchema)
		}
		if rec.Number, err = res.LastInsertId(); err != nil {
			return err
		}
		return addRevision(ctx, tx, s.Name, first)
	})
}

func addRevision(ctx context.Context, tx *sql.Tx, name string, r schema.Revision) error {
	var number int64
	if err := tx.QueryRowContext(ctx, "SELECT number FROM schemas WHERE name = ?", name).Scan(&number); err != nil {
		return notFound(err, name, theSchema)
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO schema_revisions (schema, id, created, definition) VALUES (?, ?, ?, ?)", number, r.ID, nanos(r.Created), r.Definition)
	if err != nil {
		return exists(err, name+"@"+r.ID, "the revision")
	}
	return nil
}

// AddRevision implements schema.Store.
func (e *Events) AddRevision(ctx context.Context, name string, r schema.Revision) error {
	return e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error { return addRevision(ctx, tx, name, r) })
}

// Schema implements schema.Store.
func (e *Events) Schema(ctx context.Context, name string) (rec schema.Record, err error) {
	var document []byte
	err = e.db.read.QueryRowContext(ctx, "SELECT number, document FROM schemas WHERE name = ?", name).Scan(&rec.Number, &document)
	if err != nil {
		return rec, notFound(err, name, theSchema)
	}
	s, err := decode[schema.Schema](document)
	if err != nil {
		return rec, err
	}
	rec.Schema = *s
	rec.Revisions, err = list(ctx, e.db.read, func(r row) (*schema.Revision, error) {
		var (
			rev     schema.Revision
			created int64
		)
		err := r.Scan(&rev.ID, &created, &rev.Definition)
		rev.Created = moment(created)
		return &rev, err
	}, "SELECT id, created, definition FROM schema_revisions WHERE schema = ? ORDER BY number", rec.Number)
	if err == nil && len(rec.Revisions) == 0 { // it was deleted between the two
		err = notFound(sql.ErrNoRows, name, theSchema)
	}
	return rec, err
}

// UpdateSchema implements schema.Store.
func (e *Events) UpdateSchema(ctx context.Context, s schema.Schema) error {
	return e.replace(ctx, s.Name, theSchema, "UPDATE schemas SET document = ?2 WHERE name = ?1", s)
}

// ListSchemas implements schema.Store.
func (e *Events) ListSchemas(ctx context.Context, project, after string, limit int) ([]schema.Record, error) {
	return list(ctx, e.db.read, func(r row) (*schema.Record, error) {
		var (
			rec      schema.Record
			rev      schema.Revision
			document []byte
			created  int64
		)
		if err := r.Scan(&rec.Number, &document, &rev.ID, &created, &rev.Definition); err != nil {
			return nil, err
		}
		s, err := decode[schema.Schema](document)
		if err != nil {
			return nil, err
		}
		rev.Created = moment(created)
		rec.Schema, rec.Revisions = *s, []schema.Revision{rev}
		return &rec, nil
	}, `SELECT s.number, s.document, r.id, r.created, r.definition FROM schemas s
		JOIN schema_revisions r ON r.number = (SELECT max(number) FROM schema_revisions WHERE schema = s.number)
		WHERE s.project = ? AND s.name > ? ORDER BY s.name LIMIT ?`, project, after, limitOf(limit))
}

// DeleteSchema implements schema.Store.
func (e *Events) DeleteSchema(ctx context.Context, name string) error {
	return e.change(ctx, name, theSchema, "DELETE FROM schemas WHERE name = ?", name)
}

// DeleteRevision implements schema.Store.
func (e *Events) DeleteRevision(ctx context.Context, name, id string) error {
	return e.change(ctx, name+"@"+id, "the revision",
		"DELETE FROM schema_revisions WHERE id = ?2 AND schema = (SELECT number FROM schemas WHERE name = ?1)", name, id)
}
