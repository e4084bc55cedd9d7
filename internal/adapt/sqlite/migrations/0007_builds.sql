-- +goose Up

CREATE TABLE builds (
    project     TEXT NOT NULL,
    id          TEXT NOT NULL,
    location    TEXT NOT NULL,
    create_time INTEGER NOT NULL,   -- Unix nanoseconds
    done        INTEGER NOT NULL,   -- 1: nothing changes any more
    document    TEXT NOT NULL,      -- JSON of cloudbuild.Build
    PRIMARY KEY (project, id)
);

CREATE INDEX builds_by_time ON builds (project, create_time DESC, id DESC);
CREATE INDEX builds_unfinished ON builds (create_time) WHERE done = 0;
