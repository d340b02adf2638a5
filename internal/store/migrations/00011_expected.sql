-- +goose Up
-- How many objects a run's pull is going to read, for its progress; 0: that isn't known. An estimate goes by the last run.

ALTER TABLE runs ADD COLUMN expected BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN expected_estimate BOOLEAN NOT NULL DEFAULT FALSE;
