-- +goose Up

-- Triggers. What they make of Pub/Sub is in events.db.
CREATE TABLE triggers (
    project  TEXT NOT NULL,
    location TEXT NOT NULL,
    id       TEXT NOT NULL,
    document TEXT NOT NULL,       -- JSON of eventing.Trigger
    PRIMARY KEY (project, location, id)
) WITHOUT ROWID;

-- What the source of a trigger's events remembers.
CREATE TABLE trigger_states (
    trigger TEXT PRIMARY KEY,     -- name
    state   BLOB NOT NULL
) WITHOUT ROWID;

-- Events whose delivery has failed.
CREATE TABLE event_failures (
    trigger  TEXT NOT NULL,       -- name
    id       TEXT NOT NULL,       -- of the event
    last     INTEGER NOT NULL,    -- Unix nanoseconds of the last attempt
    size     INTEGER NOT NULL,    -- bytes of document
    document TEXT NOT NULL,       -- JSON of eventing.Failure
    PRIMARY KEY (trigger, id)
);
CREATE INDEX event_failures_by_time ON event_failures (trigger, last, size);
CREATE INDEX event_failures_last ON event_failures (last);
