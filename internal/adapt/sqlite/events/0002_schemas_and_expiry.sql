-- +goose Up

-- How long the server has run without anybody using the subscription.
ALTER TABLE subscriptions ADD COLUMN idle INTEGER NOT NULL DEFAULT 0;

CREATE TABLE schemas (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    project  TEXT NOT NULL,
    name     TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL -- JSON of schema.Schema
);
CREATE INDEX schemas_by_project ON schemas (project, name);

CREATE TABLE schema_revisions (
    number     INTEGER PRIMARY KEY AUTOINCREMENT, -- the newest has the highest
    schema     INTEGER NOT NULL REFERENCES schemas (number) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    created    INTEGER NOT NULL,
    definition TEXT NOT NULL,
    UNIQUE (schema, id)
);
