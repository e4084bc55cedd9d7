-- +goose Up

-- The images of the registry. The bytes of blobs are files.

CREATE TABLE registry_blobs (
    repository TEXT NOT NULL,
    digest     TEXT NOT NULL,
    size       INTEGER NOT NULL,
    time       INTEGER NOT NULL,     -- when it came, or was asked for by a client that pushes
    PRIMARY KEY (repository, digest)
) WITHOUT ROWID;

CREATE INDEX registry_blobs_by_digest ON registry_blobs (digest);

CREATE TABLE registry_manifests (
    repository  TEXT NOT NULL,
    digest      TEXT NOT NULL,
    subject     TEXT NOT NULL,       -- digest of the manifest that it is about, or ''
    config_type TEXT NOT NULL,       -- media type of its configuration, or ''
    pulled      INTEGER NOT NULL,    -- 1: it came from another registry
    time        INTEGER NOT NULL,
    document    TEXT NOT NULL,       -- JSON of registry.Manifest without its body
    body        BLOB NOT NULL,
    PRIMARY KEY (repository, digest)
);

CREATE INDEX registry_manifests_by_digest ON registry_manifests (digest);
CREATE INDEX registry_manifests_by_subject ON registry_manifests (repository, subject) WHERE subject <> '';
CREATE INDEX registry_manifests_by_config ON registry_manifests (config_type);

-- What manifests name.
CREATE TABLE registry_contents (
    repository TEXT NOT NULL,
    manifest   TEXT NOT NULL,
    digest     TEXT NOT NULL,        -- of a blob or of another manifest
    PRIMARY KEY (repository, manifest, digest),
    FOREIGN KEY (repository, manifest) REFERENCES registry_manifests (repository, digest) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX registry_contents_by_digest ON registry_contents (repository, digest);

CREATE TABLE registry_tags (
    repository TEXT NOT NULL,
    tag        TEXT NOT NULL,
    digest     TEXT NOT NULL,
    time       INTEGER NOT NULL,
    PRIMARY KEY (repository, tag),
    FOREIGN KEY (repository, digest) REFERENCES registry_manifests (repository, digest) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX registry_tags_by_digest ON registry_tags (repository, digest);
