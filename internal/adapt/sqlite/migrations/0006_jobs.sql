-- +goose Up

CREATE TABLE jobs (
    project   TEXT NOT NULL,
    location  TEXT NOT NULL,
    id        TEXT NOT NULL,
    uid_range INTEGER NOT NULL UNIQUE REFERENCES uid_ranges (uid_range),
    preparing INTEGER NOT NULL,       -- 1: it has a Next
    document  TEXT NOT NULL,          -- JSON of jobs.Job
    PRIMARY KEY (project, location, id)
);
CREATE INDEX jobs_preparing ON jobs (project, location, id) WHERE preparing;

CREATE TABLE executions (
    project     TEXT NOT NULL,
    location    TEXT NOT NULL,
    job         TEXT NOT NULL,
    id          TEXT NOT NULL,
    create_time INTEGER NOT NULL,
    open        INTEGER NOT NULL,     -- 1: it is not done
    document    TEXT NOT NULL,        -- JSON of jobs.Execution
    PRIMARY KEY (project, location, job, id),
    FOREIGN KEY (project, location, job) REFERENCES jobs (project, location, id) ON DELETE CASCADE
);
CREATE INDEX executions_by_time ON executions (project, create_time, location, job, id);
CREATE INDEX executions_open ON executions (create_time) WHERE open;

CREATE TABLE tasks (
    project   TEXT NOT NULL,
    location  TEXT NOT NULL,
    job       TEXT NOT NULL,
    execution TEXT NOT NULL,
    task      INTEGER NOT NULL,
    open      INTEGER NOT NULL,       -- 1: it has not ended
    document  TEXT NOT NULL,          -- JSON of jobs.Task
    PRIMARY KEY (project, location, job, execution, task),
    FOREIGN KEY (project, location, job, execution) REFERENCES executions (project, location, job, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX tasks_open ON tasks (project, location, job, execution, task) WHERE open;
