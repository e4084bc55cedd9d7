-- +goose Up

CREATE TABLE schemas (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project  text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL UNIQUE,
    document text NOT NULL -- JSON of schema.Schema
);
CREATE INDEX schemas_by_project ON schemas (project, name);

CREATE TABLE schema_revisions (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the newest has the highest
    schema     bigint NOT NULL REFERENCES schemas (number) ON DELETE CASCADE,
    id         text NOT NULL,
    created    bigint NOT NULL,
    definition bytea NOT NULL, -- may hold any character
    UNIQUE (schema, id)
);
