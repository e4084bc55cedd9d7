-- +goose Up

CREATE TABLE topics (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    project  TEXT NOT NULL,
    name     TEXT NOT NULL UNIQUE,
    next     INTEGER NOT NULL DEFAULT 1, -- sequence number of the next message
    document TEXT NOT NULL               -- JSON of pubsub.Topic
);
CREATE INDEX topics_by_project ON topics (project, name);

-- Owners of acknowledgements: subscriptions and snapshots.
CREATE TABLE subscriptions (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    project      TEXT NOT NULL,
    name         TEXT NOT NULL,
    topic        INTEGER NOT NULL,           -- 0: it was deleted
    snapshot     INTEGER NOT NULL DEFAULT 0, -- 1: it is a snapshot
    cursor       INTEGER NOT NULL,           -- all before it is acknowledged
    pushes       INTEGER NOT NULL DEFAULT 0,
    handed       INTEGER NOT NULL DEFAULT 0,
    handed_until INTEGER NOT NULL DEFAULT 0,
    expire       INTEGER NOT NULL DEFAULT 0, -- of a snapshot
    document     TEXT NOT NULL               -- JSON of pubsub.Subscription or pubsub.Snapshot
);
CREATE UNIQUE INDEX subscriptions_by_name ON subscriptions (snapshot, name);
CREATE INDEX subscriptions_by_project ON subscriptions (snapshot, project, name);
CREATE INDEX subscriptions_by_topic ON subscriptions (topic, snapshot, name);
CREATE INDEX subscriptions_pushing ON subscriptions (number) WHERE pushes;

-- What of a topic is acknowledged behind the cursor: 4096 bits a row.
CREATE TABLE acks (
    owner INTEGER NOT NULL REFERENCES subscriptions (number) ON DELETE CASCADE,
    chunk INTEGER NOT NULL,
    bits  BLOB NOT NULL,
    PRIMARY KEY (owner, chunk)
) WITHOUT ROWID;

-- Deliveries that failed, of messages that are not acknowledged.
CREATE TABLE retries (
    subscription INTEGER NOT NULL REFERENCES subscriptions (number) ON DELETE CASCADE,
    seq          INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    due          INTEGER NOT NULL,
    PRIMARY KEY (subscription, seq)
) WITHOUT ROWID;

CREATE TABLE messages (
    number       INTEGER PRIMARY KEY, -- topic << 40 | sequence number
    time         INTEGER NOT NULL,    -- of publication, never falling within a topic
    ordering_key TEXT NOT NULL,
    attributes   TEXT,                -- JSON, or NULL for none
    data         BLOB
);
