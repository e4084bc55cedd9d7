-- +goose Up

-- A pack is many entries of one stream in a compact form.
CREATE TABLE pack (
	seq      INTEGER PRIMARY KEY,
	stream   INTEGER NOT NULL,
	first    INTEGER NOT NULL, -- nanoseconds since 1970; the entries' timestamps are
	last     INTEGER NOT NULL, -- within, and logs.PackSpan apart at most
	entries  INTEGER NOT NULL,
	severity INTEGER NOT NULL, -- the highest
	body     BLOB    NOT NULL  -- see core/requestlog
);

CREATE INDEX pack_stream ON pack (stream, first);
CREATE INDEX pack_time ON pack (first);

-- +goose Down
DROP TABLE pack;
