package client

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// Connections lists connections. Search and Status are matched here.
func (c *Client) Connections(ctx context.Context, org string, o ListOptions) iter.Seq2[Connection, error] {
	keep := containing(o.Search, func(k Connection) []string { return []string{k.Name, k.Kind, k.Target} })
	if o.Status != "" {
		named := keep
		keep = func(k Connection) bool { return k.State == o.Status && (named == nil || named(k)) }
	}
	return Pages(ctx, c, path("orgs", org, "connections"), nil, o.Limit, keep)
}

// TestConnection asks the IdP whether the connection's settings work.
func (c *Client) TestConnection(ctx context.Context, org, name string) (ConnectionTest, error) {
	return call[ConnectionTest](ctx, c, http.MethodPost, path("orgs", org, "connections", name, "test"), nil, nil)
}

// Connection shows one connection.
func (c *Client) Connection(ctx context.Context, org, name string) (Connection, error) {
	return call[Connection](ctx, c, http.MethodGet, path("orgs", org, "connections", name), nil, nil)
}

// DiagnoseConnection checks a connection against its IdP.
func (c *Client) DiagnoseConnection(ctx context.Context, org, name string) (Diagnosis, error) {
	return call[Diagnosis](ctx, c, http.MethodPost, path("orgs", org, "connections", name, "diagnose"), nil, nil)
}

// Provision has the IdP's own job send one person now.
func (c *Client) Provision(ctx context.Context, org, name string, p Provision) (Provisioned, error) {
	return call[Provisioned](ctx, c, http.MethodPost, path("orgs", org, "connections", name, "provision"), nil, p)
}

// RebindConnection accepts a connection's new target.
func (c *Client) RebindConnection(ctx context.Context, org, name string) (Connection, error) {
	return call[Connection](ctx, c, http.MethodPost, path("orgs", org, "connections", name, "rebind"), nil, nil)
}

// ReleaseConnection makes a detached connection's objects unclaimed.
func (c *Client) ReleaseConnection(ctx context.Context, org, name string) (Connection, error) {
	return call[Connection](ctx, c, http.MethodPost, path("orgs", org, "connections", name, "release"), nil, nil)
}

// RenameConnection gives the file's entry of the new name everything of the old one.
func (c *Client) RenameConnection(ctx context.Context, org string, names RenameConnection) (Connection, error) {
	return call[Connection](ctx, c, http.MethodPost, path("orgs", org, "connections", "rename"), nil, names)
}

// Diff asks for a dry run.
func (c *Client) Diff(ctx context.Context, org string, ask AskDiff) (Run, error) {
	return call[Run](ctx, c, http.MethodPost, path("orgs", org, "diff"), nil, ask)
}

// Resync asks for a run of one connection or of each.
func (c *Client) Resync(ctx context.Context, org string, ask AskResync) (Runs, error) {
	return call[Runs](ctx, c, http.MethodPost, path("orgs", org, "resync"), nil, ask)
}

// Runs lists runs, of one organisation where that is set. Search is matched here.
func (c *Client) Runs(ctx context.Context, o ListOptions) iter.Seq2[Run, error] {
	keep := containing(o.Search, func(r Run) []string {
		return []string{r.Run, r.Organisation, r.Connection, r.Mode, r.State, r.RequestedBy, r.Error}
	})
	o.Search = ""
	return Pages(ctx, c, "/runs", o.query(), o.Limit, keep)
}

// Run returns a run, with its actions if asked. A plan that is too large for one answer is read page by page.
func (c *Client) Run(ctx context.Context, id string, actions bool) (Run, error) {
	r, err := call[Run](ctx, c, http.MethodGet, path("runs", id), url.Values{"actions": {strconv.FormatBool(actions)}}, nil)
	var refused *Error
	if !actions || !errors.As(err, &refused) || refused.Status != http.StatusRequestEntityTooLarge {
		return r, err
	}
	if r, err = call[Run](ctx, c, http.MethodGet, path("runs", id), nil, nil); err != nil {
		return r, err
	}
	r.Actions, err = Collect(Pages[Action](ctx, c, path("runs", id, "actions"), nil, 0, nil))
	return r, err
}

// ApproveRun approves a run's held plan, or the part of it that has those kinds.
func (c *Client) ApproveRun(ctx context.Context, id string, only []string) (Run, error) {
	return call[Run](ctx, c, http.MethodPost, path("runs", id, "approve"), nil, Approve{only})
}

// CancelRun stops a run, or drops its held plan.
func (c *Client) CancelRun(ctx context.Context, id string) (Run, error) {
	return call[Run](ctx, c, http.MethodPost, path("runs", id, "cancel"), nil, nil)
}
