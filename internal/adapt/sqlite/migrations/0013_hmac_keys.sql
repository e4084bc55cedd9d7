-- +goose Up

-- Keys of service accounts for signatures of Storage's XML API.
CREATE TABLE hmac_keys (
    access_id TEXT PRIMARY KEY,
    project   TEXT NOT NULL,
    account   TEXT NOT NULL,
    document  BLOB NOT NULL
) WITHOUT ROWID;

CREATE INDEX hmac_keys_by_project ON hmac_keys (project, access_id);
