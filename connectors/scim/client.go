package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

// pageSize is how many objects a page is asked to hold. Servers give fewer where they like (RFC 7644 section 3.4.2.4).
const pageSize = 200

// mediaType is what SCIM answers are (RFC 7644 section 3.1). Some servers know only the plain one.
const mediaType = "application/scim+json, application/json;q=0.9"

// gate lets a request out only to the configured origin, and gives it the token.
type gate struct {
	origin connectors.Origin
	token  string
	next   http.RoundTripper
}

// RoundTrip passes the request on, or refuses it.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if !g.origin.Holds(req.URL) {
		return nil, &connectors.Error{
			Fault:   connectors.Broken,
			Message: fmt.Sprintf("A request to %s was not sent: it is not the configured server", req.URL.Host),
		}
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+g.token)
	return g.next.RoundTrip(req)
}

// get reads one resource or list into out.
func (c *Connector) get(ctx context.Context, a ask, path string, query url.Values, out any) error {
	target := c.cfg.URL + path
	if len(query) > 0 {
		// RFC 7644 leaves it to RFC 3986, for which a + is a +.
		target += "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("ask the SCIM server for %s: %w", a.what, err)
	}
	req.Header.Set("Accept", mediaType)
	res, err := c.http.Do(req)
	if err != nil {
		return c.unsent(ctx, a, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return c.refused(a, res)
	}
	body, err := io.ReadAll(res.Body) // bounded by the transport
	if err != nil {
		return fmt.Errorf("read the SCIM server's answer: %w", err)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return a.broken("an answer that is not JSON of the documented form")
	}
	return nil
}

// listResponse is a page of a list (RFC 7644 section 3.4.2, RFC 9865 section 2).
type listResponse struct {
	TotalResults *int       `json:"totalResults"`
	NextCursor   string     `json:"nextCursor"`
	Resources    []resource `json:"Resources"`
}

// list reads a list's pages.
type list struct {
	c        *Connector
	ask      ask
	path     string
	query    url.Values
	byCursor bool

	read, total int
}

// fetch reads a page: by cursor where the server knows them (RFC 9865), else by index. A list that ends before as many
// came as it says there are is an error, and so is one that changes while it is read by index: what is missing would count
// as gone.
func (l *list) fetch(ctx context.Context, link string) (connectors.Page[resource], error) {
	q := url.Values{"count": {strconv.Itoa(pageSize)}}
	maps.Copy(q, l.query)
	if l.byCursor {
		q.Set("cursor", link)
	} else {
		q.Set("startIndex", strconv.Itoa(l.read+1))
	}
	var got listResponse
	if err := l.c.get(ctx, l.ask, l.path, q, &got); err != nil {
		return connectors.Page[resource]{}, err
	}
	if err := l.count(got.TotalResults, link == ""); err != nil {
		return connectors.Page[resource]{}, err
	}
	l.read += len(got.Resources)
	page := connectors.Page[resource]{Items: got.Resources}
	switch {
	case l.byCursor:
		page.Next = got.NextCursor
	case l.read < l.total && len(got.Resources) > 0:
		page.Next = strconv.Itoa(l.read + 1)
	}
	if page.Next == "" && l.read < l.total {
		return page, &connectors.Error{Fault: connectors.Broken, Message: fmt.Sprintf(
			"The SCIM server gave %d of %d %s and then no more", l.read, l.total, l.ask.what)}
	}
	return page, nil
}

// count notes how many the server says there are. Later pages by cursor need not say it.
func (l *list) count(total *int, first bool) error {
	switch {
	case total == nil && l.byCursor:
		return nil
	case total == nil:
		return l.ask.broken("a list that does not say how many it holds (totalResults)")
	case first:
		l.total = *total
	case l.byCursor: // what came and went meanwhile is no mistake
		l.total = min(l.total, *total)
	case *total != l.total:
		return &connectors.Error{Fault: connectors.Broken, Message: fmt.Sprintf(
			"The SCIM server's list of %s changed while it was read, from %d to %d", l.ask.what, l.total, *total)}
	}
	return nil
}

// serviceProviderConfig is what a server says about its lists (RFC 9865 section 4).
type serviceProviderConfig struct {
	Pagination struct {
		Cursor bool `json:"cursor"`
	} `json:"pagination"`
}

// cursors asks whether the server's lists can be read by cursor. One that can't say is read by index.
func (c *Connector) cursors(ctx context.Context) (bool, error) {
	var got serviceProviderConfig
	err := c.get(ctx, ask{what: "its configuration"}, "/ServiceProviderConfig", nil, &got)
	if ctx.Err() != nil || connectors.FaultOf(err) == connectors.OverBudget || connectors.FaultOf(err) == connectors.BadCredentials {
		return false, err
	}
	return err == nil && got.Pagination.Cursor, nil
}

func (c *Connector) users(filter string, byCursor bool) *list {
	return &list{c: c, ask: ask{what: "users", grant: "users", list: true}, path: "/Users", query: filtered(filter), byCursor: byCursor}
}

// groups leaves the members out: each group's are asked for on their own.
func (c *Connector) groups(filter string, byCursor bool) *list {
	q := filtered(filter)
	q.Set("excludedAttributes", "members")
	return &list{c: c, ask: ask{what: "groups", grant: "groups", list: true}, path: "/Groups", query: q, byCursor: byCursor}
}

func filtered(filter string) url.Values {
	if filter == "" {
		return url.Values{}
	}
	return url.Values{"filter": {filter}}
}

func (c *Connector) user(ctx context.Context, id string) (u resource, err error) {
	return u, c.get(ctx, ask{what: "a user", grant: "users"}, "/Users/"+url.PathEscape(id), nil, &u)
}

func (c *Connector) group(ctx context.Context, id string) (g resource, err error) {
	return g, c.get(ctx, ask{what: "a group", grant: "groups"}, "/Groups/"+url.PathEscape(id), url.Values{"excludedAttributes": {"members"}}, &g)
}

// members reads a whole group: SCIM cuts no list of members into pages.
func (c *Connector) members(ctx context.Context, id string) ([]string, error) {
	var g resource
	a := ask{what: "a group's members", grant: "groups with their members"}
	if err := c.get(ctx, a, "/Groups/"+url.PathEscape(id), url.Values{"attributes": {"members"}}, &g); err != nil {
		return nil, err
	}
	return g.people()
}

// unsent explains why a request got no answer.
func (c *Connector) unsent(ctx context.Context, a ask, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("ask the SCIM server for %s: %w", a.what, ctx.Err())
	}
	var ours *connectors.Error
	if errors.As(err, &ours) {
		return ours
	}
	var wrapped *url.Error // repeats the URL, which may hold somebody's name
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return &connectors.Error{
		Fault: connectors.Unreachable, Fix: checkNetwork,
		Message: "The SCIM server cannot be reached: " + strings.ReplaceAll(err.Error(), c.cfg.Token, "…"),
	}
}
