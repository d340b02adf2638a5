package client

import (
	"context"
	"iter"
	"net/http"
)

// Status returns the daemon's account of itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/status", nil, nil)
}

// Version returns the daemon's version.
func (c *Client) Version(ctx context.Context) (Version, error) {
	return call[Version](ctx, c, http.MethodGet, "/version", nil, nil)
}

// Organisations lists organisations.
func (c *Client) Organisations(ctx context.Context, o ListOptions) iter.Seq2[Organisation, error] {
	keep := containing(o.Search, func(org Organisation) []string { return []string{org.ID, org.Name} })
	return Pages(ctx, c, "/orgs", nil, o.Limit, keep)
}

// CreateOrganisation makes an organisation.
func (c *Client) CreateOrganisation(ctx context.Context, name string) (Organisation, error) {
	return call[Organisation](ctx, c, http.MethodPost, "/orgs", nil, NewOrganisation{name})
}

// SCIM says whether an organisation takes pushes, and where.
func (c *Client) SCIM(ctx context.Context, org string) (SCIMStatus, error) {
	return call[SCIMStatus](ctx, c, http.MethodGet, path("orgs", org, "scim"), nil, nil)
}

// SetSCIM switches pushes on or off.
func (c *Client) SetSCIM(ctx context.Context, org string, enabled bool) (SCIMStatus, error) {
	return call[SCIMStatus](ctx, c, http.MethodPut, path("orgs", org, "scim"), nil, SCIMSwitch{enabled})
}

// Tokens lists SCIM tokens. Search and Connection are matched here.
func (c *Client) Tokens(ctx context.Context, org string, o ListOptions) iter.Seq2[Token, error] {
	keep := containing(o.Search, func(t Token) []string { return []string{t.ID, t.Name} })
	if o.Connection != "" {
		named := keep
		keep = func(t Token) bool {
			return t.Connection != nil && *t.Connection == o.Connection && (named == nil || named(t))
		}
	}
	return Pages(ctx, c, path("orgs", org, "tokens"), nil, o.Limit, keep)
}

// CreateToken makes a SCIM token; the answer alone holds the token itself.
func (c *Client) CreateToken(ctx context.Context, org string, token NewToken) (Token, error) {
	return call[Token](ctx, c, http.MethodPost, path("orgs", org, "tokens"), nil, token)
}

// EnableToken switches a token, by id or name, on again.
func (c *Client) EnableToken(ctx context.Context, org, token string) (Token, error) {
	return call[Token](ctx, c, http.MethodPost, path("orgs", org, "tokens", token, "enable"), nil, nil)
}

// DisableToken switches a token, by id or name, off.
func (c *Client) DisableToken(ctx context.Context, org, token string) (Token, error) {
	return call[Token](ctx, c, http.MethodPost, path("orgs", org, "tokens", token, "disable"), nil, nil)
}

// LimitToken changes what a token, by id or name, is limited to.
func (c *Client) LimitToken(ctx context.Context, org, token string, limits TokenLimits) (Token, error) {
	return call[Token](ctx, c, http.MethodPost, path("orgs", org, "tokens", token, "limit"), nil, limits)
}

// CheckToken asks what is wrong with a token itself, which the daemon neither keeps nor logs.
func (c *Client) CheckToken(ctx context.Context, org, token string) (TokenCheck, error) {
	return call[TokenCheck](ctx, c, http.MethodPost, path("orgs", org, "tokens", "check"), nil, CheckToken{token})
}

// DeleteToken deletes a token by id or name.
func (c *Client) DeleteToken(ctx context.Context, org, token string) error {
	return c.do(ctx, http.MethodDelete, path("orgs", org, "tokens", token), nil, nil, nil)
}

// APIKeys lists the keys of the management API. Search is matched here.
func (c *Client) APIKeys(ctx context.Context, org string, o ListOptions) iter.Seq2[APIKey, error] {
	keep := containing(o.Search, func(k APIKey) []string { return []string{k.ID, k.Name, k.Role} })
	return Pages(ctx, c, path("orgs", org, "apikeys"), nil, o.Limit, keep)
}

// CreateAPIKey makes a key; the answer alone holds the key itself.
func (c *Client) CreateAPIKey(ctx context.Context, org string, key NewAPIKey) (APIKey, error) {
	return call[APIKey](ctx, c, http.MethodPost, path("orgs", org, "apikeys"), nil, key)
}

// DeleteAPIKey deletes a key by id or name.
func (c *Client) DeleteAPIKey(ctx context.Context, org, key string) error {
	return c.do(ctx, http.MethodDelete, path("orgs", org, "apikeys", key), nil, nil, nil)
}
