package okta

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"
	"github.com/okta/okta-sdk-golang/v2/okta/query"

	"github.com/rosterd/rosterd/connectors"
)

const (
	appUserLimit = 500 // the largest for application users (Okta documentation, "List all application users")
	pageLimit    = 200
)

// pushMapping says that a group is pushed to the application (Okta documentation, "List all group push mappings"). The
// SDK has no type for it.
type pushMapping struct {
	SourceGroupID string     `json:"sourceGroupId"`
	Status        string     `json:"status"`
	ErrorSummary  string     `json:"errorSummary"`
	LastUpdated   *time.Time `json:"lastUpdated"`

	gone bool // Okta does not know the group
}

// The states of a push mapping.
const (
	pushOn     = "ACTIVE"
	pushOff    = "INACTIVE"
	pushFailed = "ERROR" // the last push did not go through
)

// first is a typed call of the SDK for a list's first page.
type first[T any] func(ctx context.Context) ([]*T, *sdk.Response, error)

// list reads a list: its first page by the SDK's own call, the others by its request executor. The SDK's Next would lose
// the host of the link, mix the first request's parameters into it, and take the wrong one of two links in one header.
func list[T any](c *Connector, a ask, start first[T]) connectors.Fetch[*T] {
	return func(ctx context.Context, link string) (connectors.Page[*T], error) {
		return call(ctx, a, func() (connectors.Page[*T], error) {
			send := start
			if link != "" {
				send = execute[T](c, link)
			}
			items, res, err := send(ctx)
			if err != nil {
				return connectors.Page[*T]{}, err
			}
			if items == nil || slices.Contains(items, nil) {
				return connectors.Page[*T]{}, a.broken("an answer that holds no list")
			}
			next, err := c.next(res.Header)
			return connectors.Page[*T]{Items: items, Next: next}, err
		})
	}
}

// execute asks for a path with its query through the SDK's request executor.
func execute[T any](c *Connector, path string) first[T] {
	return func(ctx context.Context) ([]*T, *sdk.Response, error) {
		executor := c.client.CloneRequestExecutor()
		req, err := executor.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			return nil, nil, err
		}
		var items []*T
		res, err := executor.Do(ctx, req, &items)
		return items, res, err
	}
}

// next finds the next page's link and returns its path and query. A header that cannot be read must not pass for the end
// of the list (Okta documentation, "Pagination").
func (c *Connector) next(h http.Header) (string, error) {
	for _, link := range splitLinks(h.Values("Link")) {
		target, parameters, found := strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if !found || !strings.HasPrefix(link, "<") {
			return "", &connectors.Error{Fault: connectors.Broken, Message: "Okta's Link header cannot be read"}
		}
		if !hasRel(parameters, "next") {
			continue
		}
		if err := c.origin.Follow(target); err != nil {
			return "", err
		}
		u, err := url.Parse(target)
		if err != nil {
			return "", fmt.Errorf("next link: %w", err)
		}
		return u.RequestURI(), nil
	}
	return "", nil
}

// splitLinks cuts headers into links: each may hold several (RFC 8288, section 3). A comma inside of <> cuts nothing.
func splitLinks(headers []string) []string {
	var links []string
	for _, h := range headers {
		inside, begin := false, 0
		for i, r := range h {
			switch {
			case r == '<':
				inside = true
			case r == '>':
				inside = false
			case r == ',' && !inside:
				links, begin = append(links, strings.TrimSpace(h[begin:i])), i+1
			}
		}
		links = append(links, strings.TrimSpace(h[begin:]))
	}
	return slices.DeleteFunc(links, func(l string) bool { return l == "" })
}

func hasRel(parameters, want string) bool {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "rel") && slices.Contains(strings.Fields(strings.Trim(value, `"`)), want) {
			return true
		}
	}
	return false
}

// one runs one SDK call for a single object, and sees to it that the answer is about the object that was asked for: a
// user is also found by login, and by "me".
func one[T any](ctx context.Context, a ask, id string, idOf func(*T) string, send func() (*T, *sdk.Response, error)) (*T, error) {
	return call(ctx, a, func() (*T, error) {
		found, _, err := send()
		if err != nil {
			return nil, err
		}
		if found == nil {
			return nil, a.broken("no answer")
		}
		if idOf(found) != id {
			return nil, &connectors.Error{Fault: connectors.NotFound, Message: fmt.Sprintf("Okta knows %s by another id", a.what)}
		}
		return found, nil
	})
}

// appUsers lists the application's users, with the user of the org beside each (Okta documentation, "List all application
// users"). A prefix, if given, limits it to those whose userName, email or name begins so.
func (c *Connector) appUsers(prefix string, limit int64) connectors.Fetch[*sdk.AppUser] {
	q := query.NewQueryParams(query.WithExpand("user"), query.WithLimit(limit), query.WithQ(prefix))
	a := ask{what: "the application's users", grant: readApps, missing: checkApp}
	return list(c, a, func(ctx context.Context) ([]*sdk.AppUser, *sdk.Response, error) {
		return c.client.Application.ListApplicationUsers(ctx, c.cfg.AppID, q)
	})
}

// appUser reads one of the application's users (Okta documentation, "Retrieve an application user").
func (c *Connector) appUser(ctx context.Context, id string) (*sdk.AppUser, error) {
	a := ask{what: "application user " + id, grant: readApps}
	return one(ctx, a, id, func(u *sdk.AppUser) string { return u.Id }, func() (*sdk.AppUser, *sdk.Response, error) {
		return c.client.Application.GetApplicationUser(ctx, c.cfg.AppID, id, query.NewQueryParams(query.WithExpand("user")))
	})
}

// user reads one user of the org (Okta documentation, "Retrieve a user").
func (c *Connector) user(ctx context.Context, id string) (*sdk.User, error) {
	a := ask{what: "user " + id, grant: readUsers}
	return one(ctx, a, id, func(u *sdk.User) string { return u.Id }, func() (*sdk.User, *sdk.Response, error) {
		return c.client.User.GetUser(ctx, id)
	})
}

// users lists the users of the org that a search finds, deprovisioned ones too (Okta documentation, "List all users").
func (c *Connector) users(search string, limit int64) connectors.Fetch[*sdk.User] {
	q := query.NewQueryParams(query.WithSearch(search), query.WithLimit(limit))
	return list(c, ask{what: "users", grant: readUsers}, func(ctx context.Context) ([]*sdk.User, *sdk.Response, error) {
		return c.client.User.ListUsers(ctx, q)
	})
}

// pushMappings lists which groups are pushed to the application, or whether one is (Okta documentation, "List all group
// push mappings").
func (c *Connector) pushMappings(groupID string, limit int) connectors.Fetch[*pushMapping] {
	q := url.Values{"limit": {fmt.Sprint(limit)}}
	if groupID != "" {
		q.Set("sourceGroupId", groupID)
	}
	a := ask{what: "the application's push mappings", grant: readApps + " and " + readGroups, missing: checkApp}
	return list(c, a, execute[pushMapping](c, "/api/v1/apps/"+c.cfg.AppID+"/group-push/mappings?"+q.Encode()))
}

// appGroups lists the groups assigned to the application (Okta documentation, "List all application group assignments").
func (c *Connector) appGroups() connectors.Fetch[*sdk.ApplicationGroupAssignment] {
	a := ask{what: "the application's groups", grant: readApps, missing: checkApp}
	return list(c, a, func(ctx context.Context) ([]*sdk.ApplicationGroupAssignment, *sdk.Response, error) {
		return c.client.Application.ListApplicationGroupAssignments(ctx, c.cfg.AppID, query.NewQueryParams(query.WithLimit(pageLimit)))
	})
}

// appGroupsNamed is appGroups with each group's own attributes beside its assignment.
func (c *Connector) appGroupsNamed() connectors.Fetch[*sdk.ApplicationGroupAssignment] {
	a := ask{what: "the application's groups", grant: readApps, missing: checkApp}
	q := query.NewQueryParams(query.WithLimit(pageLimit), query.WithExpand("group"))
	return list(c, a, func(ctx context.Context) ([]*sdk.ApplicationGroupAssignment, *sdk.Response, error) {
		return c.client.Application.ListApplicationGroupAssignments(ctx, c.cfg.AppID, q)
	})
}

// appGroup reads one assignment of a group (Okta documentation, "Retrieve an application group assignment").
func (c *Connector) appGroup(ctx context.Context, id string) (*sdk.ApplicationGroupAssignment, error) {
	a := ask{what: "the assignment of group " + id, grant: readApps}
	idOf := func(g *sdk.ApplicationGroupAssignment) string { return g.Id }
	return one(ctx, a, id, idOf, func() (*sdk.ApplicationGroupAssignment, *sdk.Response, error) {
		return c.client.Application.GetApplicationGroupAssignment(ctx, c.cfg.AppID, id, nil)
	})
}

// group reads one group (Okta documentation, "Retrieve a group").
func (c *Connector) group(ctx context.Context, id string) (*sdk.Group, error) {
	a := ask{what: "group " + id, grant: readGroups}
	return one(ctx, a, id, func(g *sdk.Group) string { return g.Id }, func() (*sdk.Group, *sdk.Response, error) {
		return c.client.Group.GetGroup(ctx, id)
	})
}

// groups lists the groups that a search finds (Okta documentation, "List all groups").
func (c *Connector) groups(search string, limit int64) connectors.Fetch[*sdk.Group] {
	q := query.NewQueryParams(query.WithSearch(search), query.WithLimit(limit))
	return list(c, ask{what: "groups", grant: readGroups}, func(ctx context.Context) ([]*sdk.Group, *sdk.Response, error) {
		return c.client.Group.ListGroups(ctx, q)
	})
}

// groupsChanged lists the groups that changed after a time, or whose members did (Okta documentation, "List all groups",
// filter: eq, gt and lt are all that it takes of times).
func (c *Connector) groupsChanged(after time.Time) connectors.Fetch[*sdk.Group] {
	t := after.UTC().Format("2006-01-02T15:04:05.000Z")
	filter := fmt.Sprintf(`lastMembershipUpdated gt "%s" or lastUpdated gt "%s"`, t, t)
	q := query.NewQueryParams(query.WithFilter(filter), query.WithLimit(pageLimit))
	return list(c, ask{what: "the groups that changed", grant: readGroups}, func(ctx context.Context) ([]*sdk.Group, *sdk.Response, error) {
		return c.client.Group.ListGroups(ctx, q)
	})
}

// groupsOf lists the groups of a user (Okta documentation, "User resources", "List all groups").
func (c *Connector) groupsOf(id string) connectors.Fetch[*sdk.Group] {
	a := ask{what: "the groups of user " + id, grant: readUsers}
	return list(c, a, func(ctx context.Context) ([]*sdk.Group, *sdk.Response, error) {
		return c.client.User.ListUserGroups(ctx, id)
	})
}

// application is what the org says of the application itself (Okta documentation, "Applications").
type application struct {
	ID       string   `json:"id"`
	Label    string   `json:"label"`
	Status   string   `json:"status"`
	Features []string `json:"features"` // what is switched on under Provisioning
}

// app reads the application (Okta documentation, "Retrieve an application").
func (c *Connector) app(ctx context.Context) (*application, error) {
	a := ask{what: "the application", grant: readApps, missing: checkApp}
	return one(ctx, a, c.cfg.AppID, func(a *application) string { return a.ID }, func() (*application, *sdk.Response, error) {
		executor := c.client.CloneRequestExecutor()
		req, err := executor.NewRequest(http.MethodGet, "/api/v1/apps/"+c.cfg.AppID, nil)
		if err != nil {
			return nil, nil, err
		}
		found := new(application)
		res, err := executor.Do(ctx, req, found)
		return found, res, err
	})
}

// now reads Okta's time off the answer about the application.
func (c *Connector) now(ctx context.Context) (time.Time, error) {
	a := ask{what: "the application", grant: readApps, missing: checkApp}
	return call(ctx, a, func() (time.Time, error) {
		executor := c.client.CloneRequestExecutor()
		req, err := executor.NewRequest(http.MethodGet, "/api/v1/apps/"+c.cfg.AppID, nil)
		if err != nil {
			return time.Time{}, err
		}
		var app struct {
			ID string `json:"id"`
		}
		res, err := executor.Do(ctx, req, &app)
		if err != nil {
			return time.Time{}, err
		}
		at, err := http.ParseTime(res.Header.Get("Date"))
		if err != nil || app.ID != c.cfg.AppID {
			return time.Time{}, a.broken("an answer without a date, or about something else")
		}
		return at, nil
	})
}

// members lists a group's users (Okta documentation, "List all member users").
func (c *Connector) members(groupID string, limit int64) connectors.Fetch[*sdk.User] {
	a := ask{what: "the members of group " + groupID, grant: readGroups}
	return list(c, a, func(ctx context.Context) ([]*sdk.User, *sdk.Response, error) {
		return c.client.Group.ListGroupUsers(ctx, groupID, query.NewQueryParams(query.WithLimit(limit)))
	})
}

// equals is a comparison of Okta's search with a text (Okta documentation, "Filter results", string values are JSON's).
func equals(property, value string) string {
	return fmt.Sprintf(`%s eq "%s"`, property, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value))
}
