// Package scim reads people and groups from any SCIM 2.0 server (RFC 7643, RFC 7644): an HR system, a directory bridge,
// another rosterd. Everybody whom the server lists is in scope, and every group becomes a team, unless the configuration
// narrows either with a filter.
//
// It asks for nothing that is optional in the RFC, except a filter where one is configured or somebody is looked up.
package scim

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

// DefaultMaxCalls is the limit of calls of an operation whose context carries no budget, when Config names none.
const DefaultMaxCalls = 50_000

// Config says which server to read, and how.
type Config struct {
	URL          string // the SCIM base URL, to which /Users and /Groups are appended
	Token        string // sent as "Authorization: Bearer"
	UsersFilter  string // a SCIM filter that says who is in scope; empty: everybody
	GroupsFilter string // a SCIM filter that says which groups become teams; empty: all
	MaxCalls     int    // limit of calls of an operation without a connectors.Budget; 0: DefaultMaxCalls
	// Limits is what the connections of one server share; nil: this one is alone.
	Limits *connectors.Limits
}

// Connector reads one server. It is safe for concurrent use.
type Connector struct {
	cfg  Config
	http *http.Client
	log  *slog.Logger
}

var (
	_ connectors.Reader       = (*Connector)(nil)
	_ connectors.OneReader    = (*Connector)(nil)
	_ connectors.GroupsReader = (*Connector)(nil)
	_ connectors.Tester       = (*Connector)(nil)
)

// Open returns a connector. It checks the configuration and sends nothing. Requests go through hc's transport (nil: a
// copy of Go's default); hc's timeout is not used, as each attempt has its own.
func Open(cfg Config, hc *http.Client, log *slog.Logger) (*Connector, error) {
	if cfg.MaxCalls == 0 {
		cfg.MaxCalls = DefaultMaxCalls
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	cfg.URL = strings.TrimRight(cfg.URL, "/")
	at, err := connectors.ParseOrigin("url", cfg.URL, "https://scim.example.com/v2")
	if err != nil {
		return nil, err
	}
	if cfg.Token == "" {
		return nil, fmt.Errorf("token is missing")
	}
	if strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("token holds a character that no token has, such as a space or line break")
	}
	if cfg.MaxCalls < 0 {
		return nil, fmt.Errorf("limit of calls %d: want 0 or more", cfg.MaxCalls)
	}
	retry := &connectors.Retry{
		Next: connectors.BaseTransport(hc), Log: log, IdP: "the SCIM server", Tries500: 2,
		Wait:    func(res *http.Response) time.Duration { return connectors.RetryAfter(res.Header) },
		Reserve: func(res *http.Response) time.Duration { return connectors.RateLimitReserve(res.Header) },
		Tenant:  cfg.Limits.Tenant(fmt.Sprintf("%s://%s:%s", at.Scheme, at.Host, at.Port), "The SCIM server"),
	}
	client := &http.Client{
		Transport: &gate{origin: at, token: cfg.Token, next: retry},
		// A redirect would take the token along, and no SCIM server needs one for a read.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Connector{cfg: cfg, http: client, log: log}, nil
}

// budgeted returns a context that carries a budget.
func (c *Connector) budgeted(ctx context.Context) context.Context {
	if connectors.BudgetFrom(ctx) != nil {
		return ctx
	}
	return connectors.WithBudget(ctx, connectors.NewBudget(c.cfg.MaxCalls))
}
