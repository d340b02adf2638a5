-- +goose Up
-- What a token is limited to and what was said of its expiry; with which quirks of its client a request was taken; and when
-- a membership was last written, so that a tombstone is dropped in time.

ALTER TABLE tokens ADD COLUMN sources {text} NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN rate BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN warned BIGINT NOT NULL DEFAULT 0;

ALTER TABLE requests ADD COLUMN quirk {text} NOT NULL DEFAULT '';

ALTER TABLE memberships ADD COLUMN written_at BIGINT NOT NULL DEFAULT 0;
UPDATE memberships SET written_at = {now} WHERE present = FALSE;
CREATE INDEX memberships_tombstones ON memberships (org_id, written_at) WHERE present = FALSE;
