package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Prune removes operations and deployments that ended and began before a time.
// What is still going on is kept, however old.
func (db *DB) Prune(ctx context.Context, before time.Time) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, q := range []string{
			"DELETE FROM operations WHERE create_time < ? AND json_extract(document, '$.Done')",
			"DELETE FROM deployments WHERE create_time < ? AND step IN ('done', 'failed')",
		} {
			if _, err := tx.ExecContext(ctx, q, nanos(before)); err != nil {
				return fmt.Errorf("prune: %w", err)
			}
		}
		return nil
	})
}
