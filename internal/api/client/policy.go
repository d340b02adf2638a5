package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// Policy is what a connection's runs may do by themselves.
type Policy struct {
	Mode   string            `json:"mode" enum:"apply,dry_run" doc:"dry_run: every run only reports"`
	Drift  map[string]string `json:"drift" doc:"by kind of drift: apply, hold or report"`
	Guards map[string]Guard  `json:"guards" doc:"beyond which removals, reactivations and changes of userName wait for approval"`
}

// Guard is a limit: more than Ceiling, or more than Floor that are also more than Percent of what was there.
type Guard struct {
	Ceiling *int `json:"ceiling,omitempty" doc:"left out: it has none"`
	Floor   int  `json:"floor"`
	Percent int  `json:"percent"`
}

// Pause keeps a connection's runs from starting.
type Pause struct {
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until" doc:"null: until it is resumed"`
	Reason string     `json:"reason"`
	By     string     `json:"by"`
}

// AskPause asks for a pause. With neither Until nor For it lasts until it is resumed.
type AskPause struct {
	Until  string `json:"until,omitempty" doc:"a date, which is its beginning in UTC, or a time as in RFC 3339"`
	For    string `json:"for,omitempty" doc:"a number and m, h, d or w, such as 2h"`
	Reason string `json:"reason"`
}

// Exclusion keeps runs away from one member or team.
type Exclusion struct {
	Type       string    `json:"type" enum:"member,team"`
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Connection *string   `json:"connection" doc:"whose runs leave it alone; null: all do"`
	Until      time.Time `json:"until"`
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
	CreatedAt  time.Time `json:"created_at"`
}

// Exclude asks that runs leave a member or team as it is. One of Until and For is needed.
type Exclude struct {
	Key        string `json:"key" doc:"of a member: id, userName, email, externalId or the IdP's id; of a team the same with its name"`
	Connection string `json:"connection,omitempty" doc:"left out: runs of every connection"`
	Until      string `json:"until,omitempty" doc:"a date, which is its beginning in UTC, or a time as in RFC 3339"`
	For        string `json:"for,omitempty" doc:"a number and m, h, d or w, such as 3d"`
	Reason     string `json:"reason"`
}

// Include asks that runs look after a member or team again.
type Include struct {
	Key        string `json:"key"`
	Connection string `json:"connection,omitempty" doc:"left out: whatever excludes it"`
}

// PauseConnection keeps a connection's runs from starting.
func (c *Client) PauseConnection(ctx context.Context, org, name string, ask AskPause) (Connection, error) {
	return call[Connection](ctx, c, http.MethodPost, path("orgs", org, "connections", name, "pause"), nil, ask)
}

// ResumeConnection ends a pause.
func (c *Client) ResumeConnection(ctx context.Context, org, name string) (Connection, error) {
	return call[Connection](ctx, c, http.MethodPost, path("orgs", org, "connections", name, "resume"), nil, nil)
}

// Exclusions lists what runs leave alone now: of "members", or of "teams".
func (c *Client) Exclusions(ctx context.Context, org, of string, o ListOptions) iter.Seq2[Exclusion, error] {
	return Pages[Exclusion](ctx, c, path("orgs", org, of, "exclusions"), nil, o.Limit, nil)
}

// Exclude keeps runs away from one of "members" or "teams".
func (c *Client) Exclude(ctx context.Context, org, of string, ask Exclude) (Exclusion, error) {
	return call[Exclusion](ctx, c, http.MethodPost, path("orgs", org, of, "exclude"), nil, ask)
}

// Include ends that, and returns what was ended.
func (c *Client) Include(ctx context.Context, org, of string, ask Include) (Exclusion, error) {
	return call[Exclusion](ctx, c, http.MethodPost, path("orgs", org, of, "include"), nil, ask)
}
