package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// CreateNotification implements objects.NotificationStore.
func (db *DB) CreateNotification(ctx context.Context, n *objects.Notification, limit int) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := getBucket(ctx, tx, n.Bucket); err != nil {
			return err
		}
		var have int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM notifications WHERE bucket = ?", n.Bucket).Scan(&have); err != nil {
			return err
		}
		if have >= limit {
			return sunya.Errorf(sunya.ResourceExhausted, n.Bucket, "the bucket has %d notifications, which is the limit: delete one first", have)
		}
		document, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("create notification: %w", err)
		}
		res, err := tx.ExecContext(ctx, "INSERT INTO notifications (bucket, document) VALUES (?, ?)", n.Bucket, document)
		if err != nil {
			return err
		}
		id, err := res.LastInsertId()
		n.ID = strconv.FormatInt(id, 10)
		return err
	})
}

// Notifications implements objects.NotificationStore.
func (db *DB) Notifications(ctx context.Context, bucket string) ([]objects.Notification, error) {
	return notifications(ctx, db.read, bucket)
}

func notifications(ctx context.Context, q querier, bucket string) ([]objects.Notification, error) {
	scan := func(r row) (*objects.Notification, error) {
		var (
			id       int64
			document []byte
		)
		if err := r.Scan(&id, &document); err != nil {
			return nil, err
		}
		n, err := decode[objects.Notification](document)
		if err == nil {
			n.ID = strconv.FormatInt(id, 10)
		}
		return n, err
	}
	return list(ctx, q, scan, "SELECT id, document FROM notifications WHERE bucket = ? ORDER BY id", bucket)
}

// DeleteNotification implements objects.NotificationStore.
func (db *DB) DeleteNotification(ctx context.Context, bucket, id string) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM notifications WHERE bucket = ? AND CAST(id AS TEXT) = ?", bucket, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return sunya.Errorf(sunya.NotFound, bucket+"/notificationConfigs/"+id, "the notification does not exist")
	})
}

// Notices implements objects.NotificationStore.
func (db *DB) Notices(ctx context.Context, after int64, limit int) ([]objects.Notice, error) {
	scan := func(r row) (*objects.Notice, error) {
		var (
			id       int64
			document []byte
		)
		if err := r.Scan(&id, &document); err != nil {
			return nil, err
		}
		n, err := decode[objects.Notice](document)
		if err == nil {
			n.ID = id
		}
		return n, err
	}
	return list(ctx, db.read, scan, "SELECT id, document FROM object_notices WHERE id > ? ORDER BY id LIMIT ?", after, limitOf(limit))
}

// DeleteNotices implements objects.NotificationStore.
func (db *DB) DeleteNotices(ctx context.Context, ids []int64) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, "DELETE FROM object_notices WHERE id = ?", id); err != nil {
				return err
			}
		}
		return nil
	})
}
