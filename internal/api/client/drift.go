package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// DriftCount is what was found of drift in a span of time.
type DriftCount struct {
	Found   int `json:"found" doc:"differences with an action"`
	Applied int `json:"applied" doc:"of those found, how many were repaired"`
	Held    int `json:"held" doc:"of those found, how many wait for approval or were dropped waiting"`
	Listed  int `json:"listed" doc:"the most that one run listed without an action: conflicts, what is only reported, and all that a dry run found"`
}

// DriftBucket is what runs found that began in one span of time.
type DriftBucket struct {
	Start time.Time             `json:"start"`
	Kinds map[string]DriftCount `json:"kinds" doc:"by drift kind; what was not found is left out"`
}

// DriftOverTime is what a connection's runs found, over time.
type DriftOverTime struct {
	Organisation string                `json:"organisation"`
	Connection   string                `json:"connection"`
	Since        time.Time             `json:"since" doc:"when the first bucket begins"`
	Until        time.Time             `json:"until"`
	Bucket       string                `json:"bucket" enum:"hour,day" doc:"days are those of UTC"`
	Totals       map[string]DriftCount `json:"totals" doc:"by drift kind, of all buckets; listed is the most of any"`
	Buckets      []DriftBucket         `json:"buckets" doc:"one after the other, also those in which nothing was found"`
}

// DriftOptions says which drift is asked for.
type DriftOptions struct {
	Since  string // a time, or a length of time such as 30d; empty: 30d
	Bucket string // "hour" or "day"; empty: by the length
}

// Drift returns what a connection's runs found, over time.
func (c *Client) Drift(ctx context.Context, org, name string, o DriftOptions) (DriftOverTime, error) {
	query := url.Values{}
	for key, value := range map[string]string{"since": o.Since, "bucket": o.Bucket} {
		if value != "" {
			query.Set(key, value)
		}
	}
	return call[DriftOverTime](ctx, c, http.MethodGet, path("orgs", org, "connections", name, "drift"), query, nil)
}
