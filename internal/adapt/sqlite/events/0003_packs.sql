-- +goose Up

-- Messages that were stored together are one row: number is the first one's, data
-- is all of them (see events_pack.go). A row of one message has it in its columns.
ALTER TABLE messages ADD COLUMN count INTEGER NOT NULL DEFAULT 1;

-- Messages before it are removed, though they may be in a row with others.
ALTER TABLE topics ADD COLUMN first INTEGER NOT NULL DEFAULT 1;
