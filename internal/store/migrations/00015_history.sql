-- +goose Up
-- How long the phases of a run took, as JSON; whether its plan is dropped: 0 no, 1 being dropped, 2 yes. And what runs
-- found of each kind of drift, which is kept for longer than runs are: one row for each run and kind, and of what is long
-- ago one for each day (run_id is empty then).

ALTER TABLE runs ADD COLUMN timings {text} NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN dropped SMALLINT NOT NULL DEFAULT 0;
CREATE INDEX runs_with_plan ON runs (org_id, connection_id, id) WHERE dropped < 2;

CREATE TABLE drift (
    org_id         {text} NOT NULL,
    connection_id  {text} NOT NULL,
    at             BIGINT NOT NULL,
    kind           {text} NOT NULL,
    run_id         {text} NOT NULL,
    found          BIGINT NOT NULL,
    applied        BIGINT NOT NULL,
    held           BIGINT NOT NULL,
    listed         BIGINT NOT NULL,
    PRIMARY KEY (org_id, connection_id, at, kind, run_id)
);
