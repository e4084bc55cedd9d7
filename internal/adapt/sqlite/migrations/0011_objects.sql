-- +goose Up

-- JSON of objects.Rules: what of a bucket decides over its objects.
ALTER TABLE buckets ADD COLUMN rules TEXT NOT NULL DEFAULT '{}';
-- JSON of the IAM policy, NULL where none was ever set.
ALTER TABLE buckets ADD COLUMN policy BLOB;

-- JSON of objects.Properties.
ALTER TABLE objects ADD COLUMN properties TEXT NOT NULL DEFAULT '{}';

-- Generations that are not live: archived by versioning or deleted softly. They
-- are apart from the live ones, so that listing those reads nothing else.
CREATE TABLE object_versions (
    bucket         TEXT NOT NULL REFERENCES buckets (name),
    name           TEXT NOT NULL,
    generation     INTEGER NOT NULL,
    metageneration INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    content_type   TEXT NOT NULL,
    crc32c         INTEGER NOT NULL,
    md5            BLOB,
    blob           TEXT NOT NULL,
    metadata       TEXT,
    create_time    INTEGER NOT NULL,
    update_time    INTEGER NOT NULL,
    document       BLOB,
    properties     TEXT NOT NULL,
    delete_time    INTEGER NOT NULL,  -- when it ceased to be live
    soft_time      INTEGER NOT NULL,  -- when it was deleted softly, else 0
    hard_time      INTEGER NOT NULL,  -- when it goes for good, else 0
    PRIMARY KEY (bucket, name, generation)
);
CREATE INDEX object_versions_by_blob ON object_versions (blob);
CREATE INDEX object_versions_by_end ON object_versions (hard_time) WHERE hard_time > 0;

-- +goose StatementBegin
CREATE TRIGGER object_versions_added AFTER INSERT ON object_versions
BEGIN UPDATE object_usage SET bytes = bytes + NEW.size; END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER object_versions_removed AFTER DELETE ON object_versions
BEGIN UPDATE object_usage SET bytes = bytes - OLD.size; END;
-- +goose StatementEnd

-- Who wants to be told of changes, JSON of objects.Notification. Ids are never
-- given twice.
CREATE TABLE notifications (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket   TEXT NOT NULL REFERENCES buckets (name) ON DELETE CASCADE,
    document TEXT NOT NULL
);
CREATE INDEX notifications_by_bucket ON notifications (bucket, id);

-- What is still to be told, JSON of objects.Notice; written with the change
-- itself, removed once it is told.
CREATE TABLE object_notices (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    document TEXT NOT NULL
);
