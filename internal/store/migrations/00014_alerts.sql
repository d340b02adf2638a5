-- +goose Up
-- What operators are told of: alerts, what of them goes to which channel, and how often an organisation was looked at, so
-- that of two replicas that look at once only the later one's word counts. And what kind of fault ended a run.

CREATE TABLE alerts (
    org_id        {text} NOT NULL,
    id            {text} NOT NULL,
    alert_key     {text} NOT NULL,
    kind          {text} NOT NULL,
    subject_type  {text} NOT NULL,
    subject_id    {text} NOT NULL,
    subject       {text} NOT NULL,
    of_what       {text} NOT NULL,
    severity      {text} NOT NULL,
    title         {text} NOT NULL,
    body          {text} NOT NULL,
    step          {text} NOT NULL,
    details       {text} NOT NULL,
    state         {text} NOT NULL,
    opened_at     BIGINT NOT NULL,
    resolved_at   BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL,
    reminded_at   BIGINT NOT NULL,
    reopened      BIGINT NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX alerts_open ON alerts (org_id, alert_key) WHERE state = 'open';
CREATE INDEX alerts_resolved ON alerts (org_id, resolved_at);

CREATE TABLE alert_deliveries (
    org_id           {text} NOT NULL,
    id               {text} NOT NULL,
    alert_id         {text} NOT NULL,
    channel          {text} NOT NULL,
    what             {text} NOT NULL,
    done             BOOLEAN NOT NULL,
    attempts         BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    next_attempt_at  BIGINT NOT NULL,
    lease_until      BIGINT NOT NULL,
    sent_at          BIGINT NOT NULL,
    gave_up_at       BIGINT NOT NULL,
    last_error       {text} NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX alert_deliveries_alert ON alert_deliveries (org_id, alert_id, channel);
CREATE INDEX alert_deliveries_due ON alert_deliveries (next_attempt_at) WHERE done = FALSE;

CREATE TABLE alert_looks (
    org_id  {text} NOT NULL PRIMARY KEY,
    look    BIGINT NOT NULL
);

ALTER TABLE runs ADD COLUMN fault {text} NOT NULL DEFAULT '';
