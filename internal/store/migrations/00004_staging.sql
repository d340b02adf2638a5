-- +goose Up
-- What a delta says beyond a full pull, and what Okta says beyond Entra.

ALTER TABLE stage_users ADD COLUMN keep BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE stage_users ADD COLUMN gone {text} NOT NULL DEFAULT '';
ALTER TABLE stage_users ADD COLUMN member_id {text} NOT NULL DEFAULT '';
ALTER TABLE stage_members ADD COLUMN gone BOOLEAN NOT NULL DEFAULT FALSE;

CREATE {unlogged} TABLE stage_scope (
    run_id     {text} NOT NULL,
    type       {text} NOT NULL,
    object_id  {text} NOT NULL,
    PRIMARY KEY (run_id, type, object_id)
);
