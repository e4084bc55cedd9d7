package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// CreateFolder implements registry.Store.
func (db *DB) CreateFolder(ctx context.Context, f *registry.Folder) error {
	document, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("create %s: %w", f.Name(), err)
	}
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, "INSERT OR IGNORE INTO artifact_repositories (project, location, id, document) VALUES (?, ?, ?, ?)",
			f.Project, f.Location, f.ID, document))
		if err == nil && n == 0 {
			err = sunya.Errorf(sunya.AlreadyExists, f.Name(), "the repository exists already")
		}
		return err
	})
}

// GetFolder implements registry.Store.
func (db *DB) GetFolder(ctx context.Context, k registry.FolderKey) (*registry.Folder, error) {
	f, err := scanDocument[registry.Folder](db.read.QueryRowContext(ctx,
		"SELECT document FROM artifact_repositories WHERE project = ? AND location = ? AND id = ?", k.Project, k.Location, k.ID))
	if err != nil {
		return nil, notFound(err, k.Name(), "the repository")
	}
	return f, nil
}

// ListFolders implements registry.Store.
func (db *DB) ListFolders(ctx context.Context, project string) ([]registry.Folder, error) {
	return list(ctx, db.read, scanDocument[registry.Folder],
		"SELECT document FROM artifact_repositories WHERE project = ? ORDER BY location, id", project)
}

// DeleteFolder implements registry.Store.
func (db *DB) DeleteFolder(ctx context.Context, k registry.FolderKey) error {
	return db.deleteOne(ctx, k.Name(), "the repository", "DELETE FROM artifact_repositories WHERE project = ? AND location = ? AND id = ?",
		k.Project, k.Location, k.ID)
}

// ListImages implements registry.Store.
func (db *DB) ListImages(ctx context.Context, prefix, after string, limit int) ([]registry.Manifest, error) {
	repository, digest, _ := strings.Cut(after, "@")
	return list(ctx, db.read, scanManifest, selectManifest+`WHERE repository >= ?1 AND repository < ?2 AND (repository, digest) > (?3, ?4)
		ORDER BY repository, digest LIMIT ?5`, prefix, endOfPrefix(prefix), repository, digest, limitOf(limit))
}
