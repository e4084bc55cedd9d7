-- +goose Up

ALTER TABLE services ADD COLUMN dispatch TEXT NOT NULL DEFAULT 'null'; -- JSON of []sunya.DispatchRule
