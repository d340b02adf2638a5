-- +goose Up
-- Links that an operator undid: the IdP's object and our member or team are not the same, and no rule links them again.

CREATE TABLE link_refusals (
    org_id         {text} NOT NULL,
    connection_id  {text} NOT NULL,
    type           {text} NOT NULL,
    object_id      {text} NOT NULL,
    target_id      {text} NOT NULL,
    refused_at     BIGINT NOT NULL,
    PRIMARY KEY (org_id, connection_id, type, object_id, target_id)
);
CREATE INDEX link_refusals_target ON link_refusals (org_id, target_id);
