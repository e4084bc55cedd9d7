-- +goose Up

-- One row per service that ever existed. A name that is used again gets its
-- range again; nobody else ever does, since files of that owner may remain.
CREATE TABLE uid_ranges (
    uid_range INTEGER PRIMARY KEY AUTOINCREMENT,
    project   TEXT NOT NULL,
    service   TEXT NOT NULL,
    UNIQUE (project, service)
);
-- Ranges below 16 belong to builds (sunya.BuildRanges).
INSERT INTO sqlite_sequence (name, seq) VALUES ('uid_ranges', 15);

CREATE TABLE services (
    name        TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    product     TEXT NOT NULL,
    traffic     TEXT NOT NULL,    -- JSON of sunya.Traffic
    uid_range   INTEGER NOT NULL UNIQUE REFERENCES uid_ranges (uid_range),
    generation  INTEGER NOT NULL,
    create_time INTEGER NOT NULL, -- Unix nanoseconds, 0 is none; likewise below
    update_time INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE revisions (
    name        TEXT PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    service     TEXT NOT NULL REFERENCES services (name) ON DELETE CASCADE,
    create_time INTEGER NOT NULL,
    document    TEXT NOT NULL     -- JSON of sunya.Revision
);
CREATE INDEX revisions_by_service ON revisions (service);

CREATE TABLE hosts (
    label    TEXT PRIMARY KEY,
    service  TEXT NOT NULL REFERENCES services (name) ON DELETE CASCADE,
    revision TEXT REFERENCES revisions (name) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX hosts_by_service ON hosts (service);
CREATE INDEX hosts_by_revision ON hosts (revision);

CREATE TABLE operations (
    name        TEXT PRIMARY KEY,
    create_time INTEGER NOT NULL,
    document    TEXT NOT NULL     -- JSON of sunya.Operation
);
CREATE INDEX operations_by_time ON operations (create_time, name);

CREATE TABLE deployments (
    id          TEXT PRIMARY KEY,
    step        TEXT NOT NULL,
    create_time INTEGER NOT NULL,
    document    TEXT NOT NULL     -- JSON of sunya.Deployment
);
CREATE INDEX deployments_pending ON deployments (create_time)
    WHERE step NOT IN ('done', 'failed');

CREATE TABLE app_applications (
    project  TEXT PRIMARY KEY,
    document TEXT NOT NULL        -- JSON of appengine.Application
) WITHOUT ROWID;

CREATE TABLE app_versions (
    project  TEXT NOT NULL,
    service  TEXT NOT NULL,
    id       TEXT NOT NULL,
    document TEXT NOT NULL,       -- JSON of appengine.Version
    PRIMARY KEY (project, service, id)
);

CREATE TABLE buckets (
    name           TEXT PRIMARY KEY,
    project        TEXT NOT NULL,
    location       TEXT NOT NULL,
    metageneration INTEGER NOT NULL,
    create_time    INTEGER NOT NULL,
    update_time    INTEGER NOT NULL,
    document       BLOB
) WITHOUT ROWID;
CREATE INDEX buckets_by_project ON buckets (project, name);

CREATE TABLE objects (
    bucket         TEXT NOT NULL REFERENCES buckets (name),
    name           TEXT NOT NULL,
    generation     INTEGER NOT NULL,
    metageneration INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    content_type   TEXT NOT NULL,
    crc32c         INTEGER NOT NULL,
    md5            BLOB,
    blob           TEXT NOT NULL,
    metadata       TEXT,          -- JSON object of strings
    create_time    INTEGER NOT NULL,
    update_time    INTEGER NOT NULL,
    document       BLOB,
    PRIMARY KEY (bucket, name)
);
CREATE INDEX objects_by_blob ON objects (blob);

-- Resumable uploads: the session and the chunks that arrived, each a blob.
CREATE TABLE uploads (
    id          TEXT PRIMARY KEY,
    create_time INTEGER NOT NULL,
    generation  INTEGER NOT NULL, -- of the finished object, else 0
    document    TEXT NOT NULL     -- JSON of objects.Upload without its chunks
);
CREATE INDEX uploads_by_time ON uploads (create_time);

CREATE TABLE upload_chunks (
    upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    start  INTEGER NOT NULL,      -- offset of the first byte
    size   INTEGER NOT NULL,
    blob   TEXT NOT NULL,
    crc32c INTEGER NOT NULL,
    md5    BLOB,
    PRIMARY KEY (upload, start)
);
CREATE INDEX upload_chunks_by_blob ON upload_chunks (blob);

-- How many bytes objects and unfinished uploads hold, so that a quota costs no
-- scan.
CREATE TABLE object_usage (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    bytes INTEGER NOT NULL
);
INSERT INTO object_usage (one, bytes) VALUES (1, 0);

-- +goose StatementBegin
CREATE TRIGGER objects_added AFTER INSERT ON objects
BEGIN UPDATE object_usage SET bytes = bytes + NEW.size; END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER objects_changed AFTER UPDATE OF size ON objects
BEGIN UPDATE object_usage SET bytes = bytes + NEW.size - OLD.size; END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER objects_removed AFTER DELETE ON objects
BEGIN UPDATE object_usage SET bytes = bytes - OLD.size; END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER upload_chunks_added AFTER INSERT ON upload_chunks
BEGIN UPDATE object_usage SET bytes = bytes + NEW.size; END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER upload_chunks_removed AFTER DELETE ON upload_chunks
BEGIN UPDATE object_usage SET bytes = bytes - OLD.size; END;
-- +goose StatementEnd
