package client

import (
	"context"
	"iter"
	"net/http"
)

// Members lists people; deleted ones only where Status is "deleted".
func (c *Client) Members(ctx context.Context, org string, o ListOptions) iter.Seq2[Member, error] {
	return Pages[Member](ctx, c, path("orgs", org, "members"), o.query(), o.Limit, nil)
}

// InviteMember makes a local member, pending.
func (c *Client) InviteMember(ctx context.Context, org string, member NewMember) (Member, error) {
	return call[Member](ctx, c, http.MethodPost, path("orgs", org, "members"), nil, member)
}

// DeactivateMember deactivates a member by key: id, user name or email.
func (c *Client) DeactivateMember(ctx context.Context, org, key string) (Member, error) {
	return call[Member](ctx, c, http.MethodPost, path("orgs", org, "members", key, "deactivate"), nil, nil)
}

// ReactivateMember takes a deactivation back.
func (c *Client) ReactivateMember(ctx context.Context, org, key string) (Member, error) {
	return call[Member](ctx, c, http.MethodPost, path("orgs", org, "members", key, "reactivate"), nil, nil)
}

// AdoptMembers hands local members to a connection.
func (c *Client) AdoptMembers(ctx context.Context, org string, adopt Adopt) (Adopted, error) {
	return call[Adopted](ctx, c, http.MethodPost, path("orgs", org, "members", "adopt"), nil, adopt)
}

// LinkMember adds a connection's link to a member.
func (c *Client) LinkMember(ctx context.Context, org string, link LinkMember) (Member, error) {
	return call[Member](ctx, c, http.MethodPost, path("orgs", org, "members", "link"), nil, link)
}

// Teams lists teams; deleted ones only where Status is "deleted".
func (c *Client) Teams(ctx context.Context, org string, o ListOptions) iter.Seq2[Team, error] {
	return Pages[Team](ctx, c, path("orgs", org, "teams"), o.query(), o.Limit, nil)
}

// Team returns a team by key: id, display name, external id or the IdP's id.
func (c *Client) Team(ctx context.Context, org, key string) (TeamDetail, error) {
	return call[TeamDetail](ctx, c, http.MethodGet, path("orgs", org, "teams", key), nil, nil)
}

// Awaited lists whom pushes named as members of a team and who are not here yet.
func (c *Client) Awaited(ctx context.Context, org, team string, o ListOptions) iter.Seq2[Awaited, error] {
	return Pages[Awaited](ctx, c, path("orgs", org, "teams", team, "awaited"), nil, o.Limit, nil)
}

// Events lists change events; those not yet numbered come last.
func (c *Client) Events(ctx context.Context, org string, o ListOptions) iter.Seq2[Event, error] {
	return Pages[Event](ctx, c, path("orgs", org, "events"), o.query(), o.Limit, nil)
}

// Requests lists the SCIM request log.
func (c *Client) Requests(ctx context.Context, org string, o ListOptions) iter.Seq2[Request, error] {
	return Pages[Request](ctx, c, path("orgs", org, "requests"), o.query(), o.Limit, nil)
}
