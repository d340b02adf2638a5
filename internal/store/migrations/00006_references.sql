-- +goose Up
-- What pushes said of a team's members that is no membership: values that nobody here answers to yet, and groups within
-- the group. The team counts both, so that one without any pays nothing for them. Its listings are the pushes of the whole
-- list of its members: each speaks of everybody in the team, and of everybody who isn't, without a row being written.

CREATE TABLE pending_references (
    org_id         {text} NOT NULL,
    team_id        {text} NOT NULL,
    value          {text} NOT NULL,
    since          BIGINT NOT NULL,
    connection_id  {text} NOT NULL,
    token_id       {text} NOT NULL,
    token_name     {text} NOT NULL,
    request_id     {text} NOT NULL,
    PRIMARY KEY (org_id, team_id, value)
);
CREATE INDEX pending_references_value ON pending_references (org_id, value);

CREATE TABLE team_groups (
    org_id    {text} NOT NULL,
    team_id   {text} NOT NULL,
    group_id  {text} NOT NULL,
    seq       BIGINT NOT NULL,
    PRIMARY KEY (org_id, team_id, group_id)
);
CREATE INDEX team_groups_group ON team_groups (org_id, group_id);

ALTER TABLE teams ADD COLUMN pending BIGINT NOT NULL DEFAULT 0;
ALTER TABLE teams ADD COLUMN nested BIGINT NOT NULL DEFAULT 0;
ALTER TABLE teams ADD COLUMN listings BIGINT NOT NULL DEFAULT 0;
ALTER TABLE teams ADD COLUMN listed_seq BIGINT NOT NULL DEFAULT 0;
