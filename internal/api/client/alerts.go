package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Alert is something that an operator is to know of.
type Alert struct {
	ID           string          `json:"id"`
	Organisation string          `json:"organisation"`
	Kind         string          `json:"kind" doc:"run_held, run_failing, run_overdue, pull_partial, quarantine, token_expiring, token_expired, pushes_cross_limit, pushes_stopped, connection_detached, ..."`
	SubjectType  string          `json:"subject_type" doc:"connection or token"`
	Subject      string          `json:"subject" doc:"its name"`
	Severity     string          `json:"severity" enum:"warning,critical"`
	State        string          `json:"state" enum:"open,resolved"`
	Title        string          `json:"title"`
	Text         string          `json:"text" doc:"what, why, how much, and what to do"`
	Details      map[string]any  `json:"details" doc:"the figures, by kind"`
	OpenedAt     time.Time       `json:"opened_at"`
	ResolvedAt   *time.Time      `json:"resolved_at"`
	LastSeenAt   time.Time       `json:"last_seen_at" doc:"when it was last seen to hold"`
	Deliveries   []AlertDelivery `json:"deliveries"`
}

// AlertDelivery is one message of an alert to one channel.
type AlertDelivery struct {
	ID            string     `json:"id" doc:"the webhook-id, or the beginning of the Message-ID"`
	Channel       string     `json:"channel" doc:"email or webhook"`
	What          string     `json:"what" enum:"opened,reminder,resolved"`
	State         string     `json:"state" enum:"waiting,sent,given_up"`
	Attempts      int        `json:"attempts"`
	CreatedAt     time.Time  `json:"created_at"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	SentAt        *time.Time `json:"sent_at"`
	Error         string     `json:"error" doc:"of the last attempt, if it failed"`
}

// OpenAlert is an open alert in the daemon's status.
type OpenAlert struct {
	ID           string    `json:"id"`
	Organisation string    `json:"organisation"`
	Kind         string    `json:"kind"`
	Subject      string    `json:"subject"`
	Severity     string    `json:"severity" enum:"warning,critical"`
	Title        string    `json:"title"`
	OpenedAt     time.Time `json:"opened_at"`
}

// AlertTests says how the test of each channel went.
type AlertTests struct {
	OK       bool        `json:"ok"`
	Channels []AlertTest `json:"channels"`
}

// AlertTest is how the test of one channel went.
type AlertTest struct {
	Channel string `json:"channel"`
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
}

// Alerts lists open alerts, the oldest first, or (all) those that are resolved too.
func (c *Client) Alerts(ctx context.Context, all bool, o ListOptions) iter.Seq2[Alert, error] {
	query := url.Values{}
	if o.Organisation != "" {
		query.Set("org", o.Organisation)
	}
	if all {
		query.Set("all", "true")
	}
	return Pages[Alert](ctx, c, "/alerts", query, o.Limit, nil)
}

// TestAlerts sends a message on every channel.
func (c *Client) TestAlerts(ctx context.Context) (AlertTests, error) {
	return call[AlertTests](ctx, c, http.MethodPost, "/alerts/test", nil, nil)
}
