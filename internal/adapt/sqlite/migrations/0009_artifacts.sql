-- +goose Up

-- Repositories of Artifact Registry that somebody has made by hand.
CREATE TABLE artifact_repositories (
    project  TEXT NOT NULL,
    location TEXT NOT NULL,
    id       TEXT NOT NULL,
    document TEXT NOT NULL,       -- JSON of registry.Folder
    PRIMARY KEY (project, location, id)
);
