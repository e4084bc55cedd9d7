-- +goose Up

-- From where a service may be called: sunya.Ingress.
ALTER TABLE services ADD COLUMN ingress TEXT NOT NULL DEFAULT '';
-- How many instances there are of all revisions together: JSON of *sunya.Bounds.
ALTER TABLE services ADD COLUMN scaling TEXT NOT NULL DEFAULT 'null';

-- Functions were the only services of Cloud Run's kind, under its name.
UPDATE services SET product = 'functions' WHERE product = 'run';
UPDATE revisions SET document = json_set(document, '$.Product', 'functions')
    WHERE json_extract(document, '$.Product') = 'run';
UPDATE deployments SET document = json_set(document, '$.Revision.Product', 'functions')
    WHERE json_extract(document, '$.Revision.Product') = 'run';

CREATE TABLE run_services (
    project  TEXT NOT NULL,
    location TEXT NOT NULL,
    id       TEXT NOT NULL,
    document TEXT NOT NULL,       -- JSON of run.Service
    PRIMARY KEY (project, location, id)
);

CREATE TABLE run_revisions (
    project     TEXT NOT NULL,
    location    TEXT NOT NULL,
    service     TEXT NOT NULL,
    id          TEXT NOT NULL,
    create_time INTEGER NOT NULL, -- Unix nanoseconds
    document    TEXT NOT NULL,    -- JSON of run.Revision
    PRIMARY KEY (project, location, service, id),
    FOREIGN KEY (project, location, service) REFERENCES run_services (project, location, id) ON DELETE CASCADE
);
CREATE INDEX run_revisions_by_time ON run_revisions (project, location, service, create_time, id);
