-- +goose Up

-- What revisions used, by hour. It outlives them.
CREATE TABLE usage (
    hour     INTEGER NOT NULL,    -- its beginning, seconds since 1970
    project  TEXT NOT NULL,
    product  TEXT NOT NULL,
    location TEXT NOT NULL,       -- empty: the product's services have none
    service  TEXT NOT NULL,
    revision TEXT NOT NULL,
    requests          INTEGER NOT NULL,
    starts            INTEGER NOT NULL,
    instance_millis   INTEGER NOT NULL,
    cpu_micros        INTEGER NOT NULL,
    memory_mib_millis INTEGER NOT NULL,
    cpu_used_micros   INTEGER NOT NULL,
    received_bytes    INTEGER NOT NULL,
    sent_bytes        INTEGER NOT NULL,
    PRIMARY KEY (hour, project, service, product, location, revision)
) WITHOUT ROWID;

-- How far what each server has counted is in there.
CREATE TABLE usage_writers (
    writer TEXT PRIMARY KEY,
    seq    INTEGER NOT NULL,
    hour   INTEGER NOT NULL       -- the last it added to
) WITHOUT ROWID;
