-- +goose Up

-- One row: who writes, and how far it has come.
CREATE TABLE writer (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch        bigint NOT NULL DEFAULT 0, -- raised by each server that begins to write
    batch        bigint NOT NULL DEFAULT 0, -- number of the last batch
    topics       bigint NOT NULL DEFAULT 0, -- the highest numbers given
    owners       bigint NOT NULL DEFAULT 0
);
INSERT INTO writer DEFAULT VALUES;

CREATE TABLE topics (
    number   bigint PRIMARY KEY,
    project  text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL UNIQUE,
    next     bigint NOT NULL DEFAULT 1, -- sequence number of the next message
    document text NOT NULL              -- JSON of pubsub.Topic
);
CREATE INDEX topics_by_project ON topics (project, name);

-- Owners of acknowledgements: subscriptions and snapshots.
CREATE TABLE subscriptions (
    number       bigint PRIMARY KEY,
    project      text COLLATE "C" NOT NULL,
    name         text COLLATE "C" NOT NULL,
    topic        bigint NOT NULL,                -- 0: it was deleted
    snapshot     boolean NOT NULL DEFAULT false, -- it is a snapshot
    cursor       bigint NOT NULL,                -- all before it is acknowledged
    pushes       boolean NOT NULL DEFAULT false,
    handed       bigint NOT NULL DEFAULT 0,
    handed_until bigint NOT NULL DEFAULT 0,
    expire       bigint NOT NULL DEFAULT 0,      -- of a snapshot
    idle         bigint NOT NULL DEFAULT 0,      -- how long the server has run without anybody using it
    document     text NOT NULL                   -- JSON of pubsub.Subscription or pubsub.Snapshot
);
CREATE UNIQUE INDEX subscriptions_by_name ON subscriptions (snapshot, name);
CREATE INDEX subscriptions_by_project ON subscriptions (snapshot, project, name);
CREATE INDEX subscriptions_by_topic ON subscriptions (topic, snapshot, name);
CREATE INDEX subscriptions_pushing ON subscriptions (number) WHERE pushes;

-- What of a topic is acknowledged behind the cursor: 4096 bits a row.
CREATE TABLE acks (
    owner bigint NOT NULL REFERENCES subscriptions (number) ON DELETE CASCADE,
    chunk bigint NOT NULL,
    bits  bytea NOT NULL,
    PRIMARY KEY (owner, chunk)
);

-- Deliveries that failed, of messages that are not acknowledged.
CREATE TABLE retries (
    subscription bigint NOT NULL REFERENCES subscriptions (number) ON DELETE CASCADE,
    seq          bigint NOT NULL,
    attempts     bigint NOT NULL,
    due          bigint NOT NULL,
    PRIMARY KEY (subscription, seq)
);

CREATE TABLE messages (
    number       bigint PRIMARY KEY, -- topic << 40 | sequence number
    time         bigint NOT NULL,    -- of publication, never falling within a topic
    ordering_key bytea NOT NULL,     -- may hold any character
    attributes   text,               -- JSON, or NULL for none
    data         bytea
);
-- Whoever publishes much compresses it first.
ALTER TABLE messages ALTER COLUMN data SET STORAGE EXTERNAL;
