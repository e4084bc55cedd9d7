package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

const (
	objectColumns = `bucket, name, generation, metageneration, size, content_type, crc32c, md5, blob, metadata,
	create_time, update_time, properties, document`
	selectLive     = `SELECT ` + objectColumns + `, 0 AS delete_time, 0 AS soft_time, 0 AS hard_time FROM objects `
	selectVersions = `SELECT ` + objectColumns + `, delete_time, soft_time, hard_time FROM object_versions `
)

func scanObject(r row) (*objects.Object, error) {
	var (
		o                         objects.Object
		metadata, properties      []byte
		created, updated          int64
		deleted, softened, hardAt int64
	)
	err := r.Scan(&o.Bucket, &o.Name, &o.Generation, &o.Metageneration, &o.Size, &o.ContentType, &o.CRC32C, &o.MD5, &o.Blob,
		&metadata, &created, &updated, &properties, &o.Document, &deleted, &softened, &hardAt)
	if err != nil {
		return nil, err
	}
	o.CreateTime, o.UpdateTime = moment(created), moment(updated)
	o.DeleteTime, o.SoftDeleteTime, o.HardDeleteTime = moment(deleted), moment(softened), moment(hardAt)
	if len(metadata) > 0 {
		if err := json.Unmarshal(metadata, &o.Metadata); err != nil {
			return nil, fmt.Errorf("read stored metadata of %s/%s: %w", o.Bucket, o.Name, err)
		}
	}
	if len(properties) > len("{}") {
		if err := json.Unmarshal(properties, &o.Properties); err != nil {
			return nil, fmt.Errorf("read stored properties of %s/%s: %w", o.Bucket, o.Name, err)
		}
	}
	return &o, nil
}

// GetObject implements objects.Store.
func (db *DB) GetObject(ctx context.Context, bucket, name string, generation int64) (*objects.Object, error) {
	if generation == 0 {
		return oneObject(ctx, db.read, selectLive+"WHERE bucket = ?1 AND name = ?2", bucket, name)
	}
	return oneObject(ctx, db.read, selectLive+"WHERE bucket = ?1 AND name = ?2 AND generation = ?3 UNION ALL "+
		selectVersions+"WHERE bucket = ?1 AND name = ?2 AND generation = ?3 LIMIT 1", bucket, name, generation)
}

func oneObject(ctx context.Context, q querier, query, bucket, name string, more ...any) (*objects.Object, error) {
	o, err := scanObject(q.QueryRowContext(ctx, query, append([]any{bucket, name}, more...)...))
	if err != nil {
		return nil, notFound(err, bucket+"/"+name, "the object")
	}
	return o, nil
}

// hop lists the live objects from ?2 on with one step over all of a prefix: ?6 is
// the delimiter, ?7 the first string behind all that begin with it, ?5 the length
// of the part of the names before which it does not count.
const hop = `WITH RECURSIVE
	step(at) AS (
		SELECT min(name) FROM objects WHERE bucket = ?1 AND name >= ?2 AND (?3 = '' OR name < ?3)
		UNION ALL
		SELECT CASE WHEN instr(substr(at, ?5 + 1), ?6) > 0
			THEN (SELECT name FROM objects WHERE bucket = ?1
				AND name >= substr(at, 1, ?5 + instr(substr(at, ?5 + 1), ?6) - 1) || ?7 AND (?3 = '' OR name < ?3) ORDER BY name LIMIT 1)
			ELSE (SELECT name FROM objects WHERE bucket = ?1 AND name > at AND (?3 = '' OR name < ?3) ORDER BY name LIMIT 1) END
		FROM step WHERE at IS NOT NULL LIMIT ?4)
	SELECT ` + objectColumns + `, 0, 0, 0 FROM step CROSS JOIN objects ON bucket = ?1 AND name = at ORDER BY name`

// ListObjects implements objects.Store.
func (db *DB) ListObjects(ctx context.Context, r objects.Range) ([]objects.Object, error) {
	const inRange = `WHERE bucket = ?1 AND (name, generation) >= (?2, ?5) AND name >= ?2 AND (?3 = '' OR name < ?3) `
	start, end := r.Start, endOfPrefix(r.Prefix)
	args := []any{r.Bucket, max(start, r.Prefix), end, limitOf(r.Limit)}
	var query string
	switch {
	case r.Which == objects.LiveOnly && r.Delimiter != "":
		query = hop
		args = append(args, utf8.RuneCountInString(r.Prefix), r.Delimiter, endOfPrefix(r.Delimiter))
	case r.Which == objects.LiveOnly:
		query = selectLive + `WHERE bucket = ?1 AND name >= ?2 AND (?3 = '' OR name < ?3) ORDER BY name LIMIT ?4`
	case r.Which == objects.AllVersions:
		query = selectLive + inRange + "UNION ALL " + selectVersions + inRange + "AND hard_time = 0 ORDER BY 2, 3 LIMIT ?4"
	default:
		query = selectVersions + inRange + "AND hard_time > 0 ORDER BY name, generation LIMIT ?4"
	}
	if r.Which != objects.LiveOnly {
		generation := r.Generation
		if r.Prefix > start {
			generation = 0
		}
		args = append(args, generation)
	}
	found, err := list(ctx, db.read, scanObject, query, args...)
	if err != nil || len(found) > 0 {
		return found, err
	}
	_, err = db.GetBucket(ctx, r.Bucket)
	return nil, err
}

// EndedObjects implements objects.Store.
func (db *DB) EndedObjects(ctx context.Context, t time.Time, limit int) ([]objects.Object, error) {
	return list(ctx, db.read, scanObject, selectVersions+"WHERE hard_time > 0 AND hard_time < ? ORDER BY hard_time LIMIT ?", nanos(t), limitOf(limit))
}

// Bytes implements objects.Store.
func (db *DB) Bytes(ctx context.Context, blob string) (p []byte, err error) {
	id, _ := objects.RowID(blob)
	if err := db.read.QueryRowContext(ctx, "SELECT bytes FROM object_bytes WHERE id = ?", id).Scan(&p); err != nil {
		return nil, notFound(err, blob, "the blob")
	}
	return p, nil
}

// BlobInUse implements objects.Store.
func (db *DB) BlobInUse(ctx context.Context, blob string) (bool, error) {
	return blobInUse(ctx, db.read, blob)
}

func blobInUse(ctx context.Context, q querier, blob string) (used bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM objects WHERE blob = ?1)
		OR EXISTS (SELECT 1 FROM object_versions WHERE blob = ?1)
		OR EXISTS (SELECT 1 FROM upload_chunks WHERE blob = ?1)`, blob).Scan(&used)
	return used, explain(err)
}

// UsedBytes implements objects.Store.
func (db *DB) UsedBytes(ctx context.Context) (int64, error) {
	var n int64
	err := db.read.QueryRowContext(ctx, "SELECT bytes FROM object_usage").Scan(&n)
	return n, explain(err)
}

// writeObject stores a generation in the table that query is of.
func writeObject(ctx context.Context, q querier, query string, o *objects.Object, more ...any) error {
	var metadata []byte
	if len(o.Metadata) > 0 {
		var err error
		if metadata, err = json.Marshal(o.Metadata); err != nil {
			return fmt.Errorf("put %s/%s: %w", o.Bucket, o.Name, err)
		}
	}
	properties, err := json.Marshal(o.Properties)
	if err != nil {
		return fmt.Errorf("put %s/%s: %w", o.Bucket, o.Name, err)
	}
	_, err = q.ExecContext(ctx, query, append([]any{o.Bucket, o.Name, o.Generation, o.Metageneration, o.Size, o.ContentType, o.CRC32C, o.MD5,
		o.Blob, metadata, nanos(o.CreateTime), nanos(o.UpdateTime), string(properties), o.Document}, more...)...)
	if missingParent(err) {
		return sunya.Errorf(sunya.NotFound, o.Bucket, "the bucket does not exist")
	}
	if err != nil {
		return fmt.Errorf("put %s/%s: %w", o.Bucket, o.Name, err)
	}
	return nil
}
