-- +goose Up
-- {text} is bytewise text, {bytes} a byte string, {unlogged} a table that may be lost with a crash.
-- Times are microseconds since 1970, 0: not set.

{sequence}

CREATE TABLE organisations (
    id          {text} NOT NULL PRIMARY KEY,
    name        {text} NOT NULL,
    name_key    {text} NOT NULL UNIQUE,
    scim        BOOLEAN NOT NULL,
    created_at  BIGINT NOT NULL
);

CREATE TABLE members (
    org_id          {text} NOT NULL,
    id              {text} NOT NULL,
    user_name       {text} NOT NULL,
    user_name_key   {text} NOT NULL,
    external_id     {text} NOT NULL,
    display_name    {text} NOT NULL,
    display_key     {text} NOT NULL,
    given_key       {text} NOT NULL,
    family_key      {text} NOT NULL,
    email           {text} NOT NULL,
    email_key       {text} NOT NULL,
    attributes      {text} NOT NULL,
    status          {text} NOT NULL,
    prior_status    {text} NOT NULL,
    off_by          {text} NOT NULL,
    source          {text} NOT NULL,
    role            {text} NOT NULL,
    connection_id   {text} NOT NULL,
    user_name_by    {text} NOT NULL,
    external_id_by  {text} NOT NULL,
    version         BIGINT NOT NULL,
    seq             BIGINT NOT NULL,
    pushed_seq      BIGINT NOT NULL,
    pushed_at       BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX members_user_name ON members (org_id, user_name_key) WHERE status <> 'deleted';
CREATE INDEX members_user_name_all ON members (org_id, user_name_key);
CREATE INDEX members_external_id ON members (org_id, external_id);
CREATE INDEX members_email ON members (org_id, email_key);
CREATE INDEX members_connection ON members (org_id, connection_id, id);

CREATE TABLE teams (
    org_id          {text} NOT NULL,
    id              {text} NOT NULL,
    display_name    {text} NOT NULL,
    display_key     {text} NOT NULL,
    external_id     {text} NOT NULL,
    status          {text} NOT NULL,
    source          {text} NOT NULL,
    connection_id   {text} NOT NULL,
    external_id_by  {text} NOT NULL,
    version         BIGINT NOT NULL,
    seq             BIGINT NOT NULL,
    pushed_seq      BIGINT NOT NULL,
    pushed_at       BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX teams_external_id ON teams (org_id, external_id) WHERE status = 'active' AND external_id <> '';
CREATE INDEX teams_external_id_all ON teams (org_id, external_id);
CREATE INDEX teams_display_name ON teams (org_id, display_key);
CREATE INDEX teams_connection ON teams (org_id, connection_id, id);

CREATE TABLE memberships (
    org_id      {text} NOT NULL,
    team_id     {text} NOT NULL,
    member_id   {text} NOT NULL,
    present     BOOLEAN NOT NULL,
    version     BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    pushed_at   BIGINT NOT NULL,
    PRIMARY KEY (org_id, team_id, member_id)
);
CREATE INDEX memberships_member ON memberships (org_id, member_id, team_id);

CREATE TABLE connections (
    org_id           {text} NOT NULL,
    id               {text} NOT NULL,
    name             {text} NOT NULL,
    kind             {text} NOT NULL,
    state            {text} NOT NULL,
    detached_reason  {text} NOT NULL,
    target           {text} NOT NULL,
    pinned           {text} NOT NULL,
    settings         {text} NOT NULL,
    settled          BOOLEAN NOT NULL,
    managed          {text} NOT NULL,
    adopt_local      BOOLEAN NOT NULL,
    settle           BIGINT NOT NULL,
    fence            BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX connections_name ON connections (org_id, name);

CREATE TABLE links (
    org_id            {text} NOT NULL,
    connection_id     {text} NOT NULL,
    type              {text} NOT NULL,
    object_id         {text} NOT NULL,
    target_id         {text} NOT NULL,
    state             {text} NOT NULL,
    seen_user_name    {text} NOT NULL,
    seen_external_id  {text} NOT NULL,
    seen              {bytes},
    here              {bytes},
    rule              {text} NOT NULL,
    created_at        BIGINT NOT NULL,
    PRIMARY KEY (org_id, connection_id, type, object_id)
);
CREATE UNIQUE INDEX links_target ON links (org_id, connection_id, type, target_id);
CREATE INDEX links_by_target ON links (org_id, target_id);

CREATE TABLE tokens (
    org_id         {text} NOT NULL,
    id             {text} NOT NULL PRIMARY KEY,
    name           {text} NOT NULL,
    connection_id  {text} NOT NULL,
    hash           {bytes} NOT NULL,
    disabled       BOOLEAN NOT NULL,
    expires_at     BIGINT NOT NULL,
    last_used_at   BIGINT NOT NULL,
    created_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX tokens_name ON tokens (org_id, name);

CREATE TABLE api_keys (
    org_id      {text} NOT NULL,
    id          {text} NOT NULL PRIMARY KEY,
    name        {text} NOT NULL,
    role        {text} NOT NULL,
    hash        {bytes} NOT NULL,
    expires_at  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE INDEX api_keys_org ON api_keys (org_id, id);

CREATE TABLE runs (
    org_id         {text} NOT NULL,
    id             {text} NOT NULL PRIMARY KEY,
    connection_id  {text} NOT NULL,
    mode           {text} NOT NULL,
    state          {text} NOT NULL,
    requested_by   {text} NOT NULL,
    complete       BOOLEAN NOT NULL,
    held           {text} NOT NULL,
    totals         {text} NOT NULL,
    error          {text} NOT NULL,
    fence          BIGINT NOT NULL,
    lease_holder   {text} NOT NULL,
    lease_until    BIGINT NOT NULL,
    cancel         BOOLEAN NOT NULL,
    approval       BOOLEAN NOT NULL,
    approver       {text} NOT NULL,
    pages          BIGINT NOT NULL,
    objects        BIGINT NOT NULL,
    applied        BIGINT NOT NULL,
    phase          {text} NOT NULL,
    created_at     BIGINT NOT NULL,
    started_at     BIGINT NOT NULL,
    finished_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX runs_one_running ON runs (org_id, connection_id) WHERE state = 'running';
CREATE UNIQUE INDEX runs_one_queued ON runs (org_id, connection_id, (CASE WHEN mode = 'dry' THEN 1 ELSE 0 END)) WHERE state = 'queued';
CREATE INDEX runs_connection ON runs (org_id, connection_id, id);
CREATE INDEX runs_open ON runs (state) WHERE state IN ('queued', 'running', 'held');

CREATE TABLE run_actions (
    run_id         {text} NOT NULL,
    n              BIGINT NOT NULL,
    phase          INTEGER NOT NULL,
    kind           {text} NOT NULL,
    action         {text} NOT NULL,
    guard          {text} NOT NULL,
    type           {text} NOT NULL,
    target_id      {text} NOT NULL,
    object_id      {text} NOT NULL,
    team_object    {text} NOT NULL,
    member_object  {text} NOT NULL,
    drift          {text} NOT NULL,
    state          {text} NOT NULL,
    note           {text} NOT NULL,
    applied_at     BIGINT NOT NULL,
    approved       BOOLEAN NOT NULL,
    PRIMARY KEY (run_id, n)
);
CREATE INDEX run_actions_order ON run_actions (run_id, state, phase, n);
CREATE INDEX run_actions_object ON run_actions (run_id, type, object_id);
CREATE INDEX run_actions_held ON run_actions (run_id) WHERE state IN ('held', 'approved');

CREATE TABLE run_collections (
    run_id     {text} NOT NULL,
    kind       {text} NOT NULL,
    object_id  {text} NOT NULL,
    name       {text} NOT NULL,
    began      BIGINT NOT NULL,
    objects    BIGINT NOT NULL,
    whole      BOOLEAN NOT NULL,
    error      {text} NOT NULL,
    PRIMARY KEY (run_id, kind, object_id)
);

CREATE TABLE collection_counts (
    org_id         {text} NOT NULL,
    connection_id  {text} NOT NULL,
    kind           {text} NOT NULL,
    object_id      {text} NOT NULL,
    objects        BIGINT NOT NULL,
    PRIMARY KEY (org_id, connection_id, kind, object_id)
);

CREATE TABLE events (
    org_id        {text} NOT NULL,
    id            {text} NOT NULL,
    number        BIGINT,
    seq           BIGINT NOT NULL,
    xid           BIGINT NOT NULL DEFAULT {xid},
    time          BIGINT NOT NULL,
    type          {text} NOT NULL,
    actor_kind    {text} NOT NULL,
    actor_id      {text} NOT NULL,
    actor_name    {text} NOT NULL,
    subject_type  {text} NOT NULL,
    subject_id    {text} NOT NULL,
    subject_name  {text} NOT NULL,
    object_id     {text} NOT NULL,
    run_id        {text} NOT NULL,
    request_id    {text} NOT NULL,
    before_doc    {text} NOT NULL,
    after_doc     {text} NOT NULL,
    reason        {text} NOT NULL,
    salt          {bytes} NOT NULL,
    digest        {bytes},
    chain         {bytes},
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX events_number ON events (org_id, number) WHERE number IS NOT NULL;
CREATE INDEX events_waiting ON events (seq, id) WHERE number IS NULL;
CREATE INDEX events_subject ON events (org_id, subject_id);

CREATE TABLE event_heads (
    org_id  {text} NOT NULL PRIMARY KEY,
    number  BIGINT NOT NULL,
    chain   {bytes}
);

CREATE TABLE requests (
    org_id         {text} NOT NULL,
    id             {text} NOT NULL,
    time           BIGINT NOT NULL,
    method         {text} NOT NULL,
    path           {text} NOT NULL,
    status         INTEGER NOT NULL,
    token_id       {text} NOT NULL,
    token_name     {text} NOT NULL,
    client         {text} NOT NULL,
    user_agent     {text} NOT NULL,
    request_body   {text} NOT NULL,
    response_body  {text} NOT NULL,
    duration       BIGINT NOT NULL,
    detail         {text} NOT NULL,
    repeats        BIGINT NOT NULL,
    repeat_key     {text} NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX requests_repeats ON requests (org_id, repeat_key) WHERE repeat_key <> '';
