package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	schemas "github.com/sunya-cloud/sunya/internal/core/schema"
)

var _ schemas.Store = (*Events)(nil)

const theSchema = "the schema"

// CreateSchema implements schema.Store.
func (e *Events) CreateSchema(ctx context.Context, s schemas.Schema, first schemas.Revision) (rec schemas.Record, err error) {
	document, err := json.Marshal(s)
	if err != nil {
		return rec, err
	}
	rec = schemas.Record{Schema: s, Revisions: []schemas.Revision{first}}
	project, _ := pubsub.ParseName("name", pubsub.Schemas, s.Name)
	err = e.writer.update(ctx, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "INSERT INTO schemas (project, name, document) VALUES ($1, $2, $3) RETURNING number", project, s.Name, document).Scan(&rec.Number)
		if err != nil {
			return exists(err, s.Name, theSchema)
		}
		return addRevision(ctx, tx, rec.Number, s.Name, first)
	})
	return rec, err
}

func addRevision(ctx context.Context, tx pgx.Tx, number int64, name string, r schemas.Revision) error {
	_, err := tx.Exec(ctx, "INSERT INTO schema_revisions (schema, id, created, definition) VALUES ($1, $2, $3, $4)", number, r.ID, nanos(r.Created), []byte(r.Definition))
	return exists(err, name+"@"+r.ID, "the revision")
}

// AddRevision implements schema.Store.
func (e *Events) AddRevision(ctx context.Context, name string, r schemas.Revision) error {
	return e.writer.update(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var number int64
		if err := tx.QueryRow(ctx, "SELECT number FROM schemas WHERE name = $1", name).Scan(&number); err != nil {
			return notFound(err, name, theSchema)
		}
		return addRevision(ctx, tx, number, name, r)
	})
}

// scanRevision also reads what more a row has before the revision.
func scanRevision(r pgx.Row, more ...any) (rev schemas.Revision, err error) {
	var (
		created    int64
		definition []byte
	)
	err = r.Scan(append(more, &rev.ID, &created, &definition)...)
	rev.Created, rev.Definition = moment(created), string(definition)
	return rev, err
}

// Schema implements schema.Store.
func (e *Events) Schema(ctx context.Context, name string) (rec schemas.Record, err error) {
	var document []byte
	if err := e.read.QueryRow(ctx, "SELECT number, document FROM schemas WHERE name = $1", name).Scan(&rec.Number, &document); err != nil {
		return rec, notFound(err, name, theSchema)
	}
	if err := json.Unmarshal(document, &rec.Schema); err != nil {
		return rec, err
	}
	rec.Revisions, err = list(ctx, e.read, func(r pgx.Row) (schemas.Revision, error) { return scanRevision(r) },
		"SELECT id, created, definition FROM schema_revisions WHERE schema = $1 ORDER BY number", rec.Number)
	if err == nil && len(rec.Revisions) == 0 { // it was deleted between the two
		err = notFound(pgx.ErrNoRows, name, theSchema)
	}
	return rec, err
}

// UpdateSchema implements schema.Store.
func (e *Events) UpdateSchema(ctx context.Context, s schemas.Schema) error {
	return e.replace(ctx, s.Name, theSchema, "UPDATE schemas SET document = $2 WHERE name = $1", s)
}

// ListSchemas implements schema.Store.
func (e *Events) ListSchemas(ctx context.Context, project, after string, limit int) ([]schemas.Record, error) {
	return list(ctx, e.read, func(r pgx.Row) (rec schemas.Record, err error) {
		var document []byte
		rev, err := scanRevision(r, &rec.Number, &document)
		if err != nil {
			return rec, err
		}
		rec.Revisions = []schemas.Revision{rev}
		return rec, json.Unmarshal(document, &rec.Schema)
	}, `SELECT s.number, s.document, r.id, r.created, r.definition FROM schemas s
		JOIN schema_revisions r ON r.number = (SELECT max(number) FROM schema_revisions WHERE schema = s.number)
		WHERE s.project = $1 AND s.name > $2 ORDER BY s.name LIMIT $3`, project, after, limitOf(limit))
}

// DeleteSchema implements schema.Store.
func (e *Events) DeleteSchema(ctx context.Context, name string) error {
	return e.change(ctx, name, theSchema, "DELETE FROM schemas WHERE name = $1", name)
}

// DeleteRevision implements schema.Store.
func (e *Events) DeleteRevision(ctx context.Context, name, id string) error {
	return e.change(ctx, name+"@"+id, "the revision",
		"DELETE FROM schema_revisions WHERE id = $2 AND schema = (SELECT number FROM schemas WHERE name = $1)", name, id)
}
