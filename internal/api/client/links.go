package client

import (
	"context"
	"net/http"
	"time"
)

// Link ties a member or team to an object of a connection's IdP.
type Link struct {
	Connection string    `json:"connection"`
	ObjectID   string    `json:"object_id" doc:"the IdP's id"`
	State      string    `json:"state" enum:"on,off,gone" doc:"as a run last saw it: in scope and enabled, off, or gone"`
	Rule       string    `json:"rule" doc:"what found it: id, externalId, userName, email, displayName, or operator; empty: here was made of the object there"`
	Since      time.Time `json:"since"`
}

// UndoneLink is a link that an operator undid: no rule makes it again.
type UndoneLink struct {
	Connection string `json:"connection"`
	ObjectID   string `json:"object_id"`
}

// Links are the ties of one member or team.
type Links struct {
	Links  []Link       `json:"links"`
	Undone []UndoneLink `json:"undone" doc:"undone by an operator: only an operator links them again"`
}

// MemberDetail is a member with its links.
type MemberDetail struct {
	Member
	Links
	OffBy string `json:"off_by,omitempty" doc:"who deactivated them: push, run or operator"`
}

// TeamDetail is a team with its links.
type TeamDetail struct {
	Team
	Links
}

// Unlink is the body of POST /orgs/{org}/members/unlink and /orgs/{org}/teams/unlink.
type Unlink struct {
	Key        string `json:"key"`
	Connection string `json:"connection"`
}

// Member returns a member by key: id, user name, email, external id or the IdP's id.
func (c *Client) Member(ctx context.Context, org, key string) (MemberDetail, error) {
	return call[MemberDetail](ctx, c, http.MethodGet, path("orgs", org, "members", key), nil, nil)
}

// UnlinkMember undoes a connection's link to a member, for good.
func (c *Client) UnlinkMember(ctx context.Context, org string, unlink Unlink) (MemberDetail, error) {
	return call[MemberDetail](ctx, c, http.MethodPost, path("orgs", org, "members", "unlink"), nil, unlink)
}

// UnlinkTeam undoes a connection's link to a team, for good.
func (c *Client) UnlinkTeam(ctx context.Context, org string, unlink Unlink) (TeamDetail, error) {
	return call[TeamDetail](ctx, c, http.MethodPost, path("orgs", org, "teams", "unlink"), nil, unlink)
}
