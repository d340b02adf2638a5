-- +goose Up
-- Schedules, and from where a connection's next delta goes on. One row of cursors stands for a pull whose last batch was
-- applied; groups is the list of those whose members it covers.

CREATE TABLE schedules (
    org_id         {text} NOT NULL,
    connection_id  {text} NOT NULL,
    mode           {text} NOT NULL,
    cron           {text} NOT NULL,
    time_zone      {text} NOT NULL,
    jitter         BIGINT NOT NULL,
    next_due       BIGINT NOT NULL,
    skip_run       {text} NOT NULL,
    skip_for       {text} NOT NULL,
    skips          BIGINT NOT NULL,
    PRIMARY KEY (org_id, connection_id, mode)
);
CREATE INDEX schedules_due ON schedules (next_due);

CREATE TABLE cursors (
    org_id         {text} NOT NULL,
    connection_id  {text} NOT NULL,
    position       {text} NOT NULL,
    settings       {text} NOT NULL,
    groups         {text} NOT NULL,
    run_id         {text} NOT NULL,
    taken_at       BIGINT NOT NULL,
    PRIMARY KEY (org_id, connection_id)
);

CREATE TABLE parked (
    org_id         {text} NOT NULL,
    connection_id  {text} NOT NULL,
    type           {text} NOT NULL,
    object_id      {text} NOT NULL,
    reason         {text} NOT NULL,
    run_id         {text} NOT NULL,
    since          BIGINT NOT NULL,
    PRIMARY KEY (org_id, connection_id, type, object_id)
);

ALTER TABLE runs ADD COLUMN note {text} NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN said {text} NOT NULL DEFAULT '';
