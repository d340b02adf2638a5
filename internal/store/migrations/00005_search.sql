-- +goose Up
-- What SCIM filters and sorts by. search holds the attributes with their keys (roster.Attributes.SearchDocument); email_key
-- is the first of a member's emails, email2_key the second, and more_emails says that there are others. Members without
-- search are given theirs when the database is opened.

ALTER TABLE members ADD COLUMN search {json};
ALTER TABLE members ADD COLUMN email2_key {text} NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN more_emails BOOLEAN NOT NULL DEFAULT FALSE;

CREATE INDEX members_unsearchable ON members (org_id, id) WHERE search IS NULL;
CREATE INDEX members_email2 ON members (org_id, email2_key) WHERE email2_key <> '';
CREATE INDEX members_more_emails ON members (org_id, more_emails) WHERE more_emails = TRUE;
CREATE INDEX members_display_name ON members (org_id, display_key);

-- A list counts all that a token sees, for each page. This index has what that takes.
CREATE INDEX members_listed ON members (org_id, id, connection_id) WHERE source = 'scim' AND status <> 'deleted';
