-- +goose Up
-- Staging is scratch: it belongs to one run and may be lost. On SQLite the same tables are made in a file of the run's
-- own, and these stay empty.

CREATE {unlogged} TABLE stage_users (
    run_id         {text} NOT NULL,
    object_id      {text} NOT NULL,
    user_name      {text} NOT NULL,
    user_name_key  {text} NOT NULL,
    email_key      {text} NOT NULL,
    external_id    {text} NOT NULL,
    enabled        BOOLEAN NOT NULL,
    scope          {text} NOT NULL,
    mapped         {text} NOT NULL,
    fingerprint    {bytes} NOT NULL,
    stamp          BIGINT NOT NULL,
    PRIMARY KEY (run_id, object_id)
);

CREATE {unlogged} TABLE stage_groups (
    run_id        {text} NOT NULL,
    object_id     {text} NOT NULL,
    display_name  {text} NOT NULL,
    display_key   {text} NOT NULL,
    external_id   {text} NOT NULL,
    fingerprint   {bytes} NOT NULL,
    stamp         BIGINT NOT NULL,
    PRIMARY KEY (run_id, object_id)
);

CREATE {unlogged} TABLE stage_members (
    run_id     {text} NOT NULL,
    group_id   {text} NOT NULL,
    object_id  {text} NOT NULL,
    stamp      BIGINT NOT NULL,
    PRIMARY KEY (run_id, group_id, object_id)
);

CREATE {unlogged} TABLE stage_links (
    run_id     {text} NOT NULL,
    type       {text} NOT NULL,
    object_id  {text} NOT NULL,
    target_id  {text} NOT NULL,
    doc        {text} NOT NULL,
    PRIMARY KEY (run_id, type, object_id)
);
CREATE INDEX stage_links_target ON stage_links (run_id, type, target_id);
