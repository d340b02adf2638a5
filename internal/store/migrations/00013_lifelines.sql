-- +goose Up
-- When a connection's runs take the place of its pushes: in which times they have, and why; and what is watched of the
-- pushes, for the connections of which there is something to watch. And the windows in which no run of a schedule starts.

CREATE TABLE connection_lifelines (
    org_id         {text} NOT NULL,
    id             {text} NOT NULL,
    connection_id  {text} NOT NULL,
    since          BIGINT NOT NULL,
    until_at       BIGINT NOT NULL,
    cause          {text} NOT NULL,
    reason         {text} NOT NULL,
    ended          {text} NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX connection_lifelines_open ON connection_lifelines (org_id, connection_id) WHERE until_at = 0;
CREATE INDEX connection_lifelines_connection ON connection_lifelines (org_id, connection_id, id);

CREATE TABLE push_watches (
    org_id          {text} NOT NULL,
    connection_id   {text} NOT NULL,
    missed_at       BIGINT NOT NULL,
    missed          BIGINT NOT NULL,
    quarantined_at  BIGINT NOT NULL,
    clean           BIGINT NOT NULL,
    PRIMARY KEY (org_id, connection_id)
);

ALTER TABLE schedules ADD COLUMN blackout {text} NOT NULL DEFAULT '';
