-- +goose Up
-- What was last read of the IdP's own provisioning job, and of its log: how far that was read, and the newest entry of
-- each reason about each object.

CREATE TABLE connection_jobs (
    org_id         {text} NOT NULL,
    connection_id  {text} NOT NULL,
    job            {text} NOT NULL,
    position       {text} NOT NULL,
    PRIMARY KEY (org_id, connection_id)
);

CREATE TABLE causes (
    org_id         {text} NOT NULL,
    connection_id  {text} NOT NULL,
    type           {text} NOT NULL,
    object_id      {text} NOT NULL,
    reason         {text} NOT NULL,
    at             BIGINT NOT NULL,
    outcome        {text} NOT NULL,
    action         {text} NOT NULL,
    detail         {text} NOT NULL,
    PRIMARY KEY (org_id, connection_id, type, object_id, reason)
);
CREATE INDEX causes_at ON causes (org_id, connection_id, at);
