package entra

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"github.com/rosterd/rosterd/connectors"
)

// cursor is where a delta goes on: the delta links of users and of groups. Only a change of a selected property is told,
// and a link keeps the selection that it was begun with, so a cursor of another selection is of no use.
type cursor struct {
	Users  string `json:"users"`
	Groups string `json:"groups"`
	Select string `json:"select"`
	Rules  string `json:"rules,omitempty"` // the digest of the provisioning job's rules: under others somebody else is in scope
}

// selection names what a delta is told about, first of users, then of groups.
func (c *Connector) selection(r *rules) (ofUsers, ofGroups string) {
	return strings.Join(c.userSelect(r), ","), strings.Join([]string{"id", "displayName", "description", "mail", "mailNickname", "members"}, ",")
}

func (c *Connector) encodeCursor(r *rules, usersLink, groupsLink string) (string, error) {
	ofUsers, ofGroups := c.selection(r)
	raw, err := json.Marshal(cursor{Users: usersLink, Groups: groupsLink, Select: ofUsers + ";" + ofGroups, Rules: r.digest})
	return string(raw), err
}

// decodeCursor reads a stored cursor. Its links are followed only to the configured Graph.
func (c *Connector) decodeCursor(r *rules, raw string) (cursor, error) {
	var k cursor
	ofUsers, ofGroups := c.selection(r)
	why := ""
	switch {
	case json.Unmarshal([]byte(raw), &k) != nil:
		why = "The cursor of the last delta cannot be read"
	case c.origin.Follow(k.Users) != nil || c.origin.Follow(k.Groups) != nil:
		why = "The cursor of the last delta is not of the Graph that is configured now"
	case k.Rules != r.digest:
		why = "The provisioning job's scope has changed since the last delta"
	case k.Select != ofUsers+";"+ofGroups:
		why = "The last delta asked for other attributes than are read now"
	default:
		return k, nil
	}
	return cursor{}, &connectors.Error{Fault: connectors.LostCursor, Message: why, Fix: fullRun}
}

// Cursor asks Graph for delta links that stand for now (Graph documentation, "Use delta query to track changes in
// Microsoft Graph data": "$deltatoken=latest").
func (c *Connector) Cursor(ctx context.Context) (string, error) {
	ctx = c.budgeted(ctx)
	r, err := c.rules(ctx)
	if err != nil {
		return "", err
	}
	ofUsers, ofGroups := c.selection(r)
	var usersLink, groupsLink string
	err = connectors.Walk(ctx, connectors.Unstamped, c.usersSince(c.latest("users", ofUsers), &usersLink), discard[models.Userable])
	if err != nil {
		return "", err
	}
	err = connectors.Walk(ctx, connectors.Unstamped, c.groupsSince(c.latest("groups", ofGroups), &groupsLink), discard[models.Groupable])
	if err != nil {
		return "", err
	}
	return c.encodeCursor(r, usersLink, groupsLink)
}

func discard[T any](connectors.Stamp, []T) error { return nil }

// latest is an address that the SDK has no parameter for.
func (c *Connector) latest(of, selection string) string {
	return c.origin.base + "/" + of + "/delta()?$select=" + selection + "&$deltatoken=latest"
}

// usersSince reads what has changed in users since a link (Graph documentation, "user: delta"). The last page leaves the
// link to go on from.
func (c *Connector) usersSince(from string, next *string) connectors.Fetch[models.Userable] {
	a := ask{what: "what has changed in users", grant: "User.Read.All", cursor: true}
	return func(ctx context.Context, link string) (connectors.Page[models.Userable], error) {
		if link == "" {
			link = from
		}
		return readDelta(ctx, c.origin, a, next, func() (users.DeltaGetResponseable, error) {
			return users.NewDeltaRequestBuilder(link, c.adapter).GetAsDeltaGetResponse(ctx, nil)
		})
	}
}

// groupsSince reads what has changed in groups and their members since a link (Graph documentation, "group: delta").
func (c *Connector) groupsSince(from string, next *string) connectors.Fetch[models.Groupable] {
	a := ask{what: "what has changed in groups", grant: "GroupMember.Read.All", cursor: true}
	return func(ctx context.Context, link string) (connectors.Page[models.Groupable], error) {
		if link == "" {
			link = from
		}
		return readDelta(ctx, c.origin, a, next, func() (groups.DeltaGetResponseable, error) {
			return groups.NewDeltaRequestBuilder(link, c.adapter).GetAsDeltaGetResponse(ctx, nil)
		})
	}
}

// deltaListing is what the SDK's delta responses have in common.
type deltaListing[T any] interface {
	listing[T]
	GetOdataDeltaLink() *string
}

// readDelta runs one SDK call for a page of changes. A page that leads nowhere is no end of the round.
func readDelta[T any, L deltaListing[T]](ctx context.Context, at origin, a ask, next *string, send func() (L, error)) (connectors.Page[T], error) {
	link := ""
	p, err := readPage(ctx, at, a, func() (L, error) {
		res, err := send()
		if err == nil && any(res) != nil {
			link = text(res.GetOdataDeltaLink())
		}
		return res, err
	})
	if err != nil || p.Next != "" {
		return p, err
	}
	if link == "" {
		return connectors.Page[T]{}, a.broken("a page with neither a next page nor a delta link")
	}
	*next = link
	return p, at.Follow(link)
}
