-- +goose Up

-- Who may call a service: JSON of sunya.Access.
ALTER TABLE services ADD COLUMN access TEXT NOT NULL DEFAULT '{}';

CREATE TABLE functions (
    project  TEXT NOT NULL,
    location TEXT NOT NULL,
    id       TEXT NOT NULL,
    document TEXT NOT NULL,       -- JSON of functions.Function
    PRIMARY KEY (project, location, id)
);
