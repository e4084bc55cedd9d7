-- +goose Up

-- A stream is what many entries have in common: their log and their resource.
CREATE TABLE stream (
	id       INTEGER PRIMARY KEY,
	log      TEXT NOT NULL,
	resource TEXT NOT NULL,
	labels   TEXT NOT NULL, -- the resource's labels: a JSON object, keys sorted
	UNIQUE (log, resource, labels)
);

CREATE TABLE entry (
	seq      INTEGER PRIMARY KEY,
	stream   INTEGER NOT NULL,
	ts       INTEGER NOT NULL, -- nanoseconds since 1970
	id       TEXT    NOT NULL, -- insert id
	severity INTEGER NOT NULL,
	body     BLOB    NOT NULL  -- the rest: JSON, see body.go
);

-- One service's entries in order; also what makes a repeated write harmless.
CREATE UNIQUE INDEX entry_stream ON entry (stream, ts, id);
-- Everybody's entries in order.
CREATE INDEX entry_time ON entry (ts, id);

-- +goose Down
DROP TABLE entry;
DROP TABLE stream;
