-- +goose Up

-- Bytes of small objects, whose blob is row-ID (objects.RowBlob). A reader may
-- come with an id whose row is gone, so none is given twice.
CREATE TABLE object_bytes (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    bytes BLOB NOT NULL
);
