-- +goose Up
-- What operators keep runs from: single members and teams, until a time; and whole connections, 0 as the end of a pause
-- being that it has none.

CREATE TABLE exclusions (
    org_id         {text} NOT NULL,
    type           {text} NOT NULL,
    target_id      {text} NOT NULL,
    connection_id  {text} NOT NULL,
    until_at       BIGINT NOT NULL,
    reason         {text} NOT NULL,
    made_by        {text} NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (org_id, type, target_id, connection_id)
);

ALTER TABLE connections ADD COLUMN paused_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN paused_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN pause_reason {text} NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN paused_by {text} NOT NULL DEFAULT '';
