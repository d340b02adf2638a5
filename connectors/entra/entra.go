// Package entra reads Microsoft Entra ID through Microsoft Graph: who is assigned to an enterprise application,
// directly or as a direct member of an assigned group, and which groups those are.
//
// Only sub-packages of msgraph-sdk-go are imported, with the core request adapter; the root package would pull in some
// eighty more. Everything else the SDK leaves to its default client (retries, limits, the check that a request carries a
// token) is in one http.RoundTripper chain under it: SDK headers, gate, OData errors, retries with budget, base transport.
package entra

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/google/uuid"
	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/rosterd/rosterd/connectors"
)

// DefaultGraphURL is the public cloud's Graph. The others are https://graph.microsoft.us, https://dod-graph.microsoft.us
// and https://microsoftgraph.chinacloudapi.cn (Graph documentation, "National cloud deployments").
const DefaultGraphURL = "https://graph.microsoft.com"

// DefaultMaxCalls is the limit of calls of an operation whose context carries no budget, when Config names none.
const DefaultMaxCalls = 50_000

// Config says which enterprise application to read, and how. Either the client secret or the access token is set.
type Config struct {
	TenantID     string // directory (tenant) id or one of its domains
	ClientID     string // application (client) id of the app registration that reads
	ClientSecret string
	// AccessToken stands in for the three above where GraphURL is plain http on a loopback address, and only there.
	AccessToken        string
	ServicePrincipalID string // object id of the enterprise application whose assignments decide
	GraphURL           string // empty: DefaultGraphURL
	// Attributes are those of users that are asked for, by Graph's names; nil: those of userFields.
	Attributes []string
	MaxCalls   int // limit of calls of an operation without a connectors.Budget; 0: DefaultMaxCalls
}

// Connector reads one enterprise application's people and groups. It is safe for concurrent use.
type Connector struct {
	cfg     Config
	sp      uuid.UUID
	origin  origin
	adapter abs.RequestAdapter
	fields  []userField
	log     *slog.Logger
}

var (
	_ connectors.Reader       = (*Connector)(nil)
	_ connectors.OneReader    = (*Connector)(nil)
	_ connectors.GroupsReader = (*Connector)(nil)
	_ connectors.DeltaReader  = (*Connector)(nil)
	_ connectors.Tester       = (*Connector)(nil)

	_ connectors.JobReader       = (*Connector)(nil)
	_ connectors.JobSchemaReader = (*Connector)(nil)
	_ connectors.JobController   = (*Connector)(nil)
	_ connectors.CauseReader     = (*Connector)(nil)
)

// Open returns a connector. It checks the configuration and sends nothing. Requests go through hc's transport (nil: a
// copy of Go's default); hc's timeout is not used, as each attempt has its own.
func Open(cfg Config, hc *http.Client, log *slog.Logger) (*Connector, error) {
	if cfg.GraphURL == "" {
		cfg.GraphURL = DefaultGraphURL
	}
	if cfg.MaxCalls == 0 {
		cfg.MaxCalls = DefaultMaxCalls
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	at, err := parseGraphURL(cfg.GraphURL)
	if err != nil {
		return nil, err
	}
	if err := cfg.check(at); err != nil {
		return nil, err
	}
	sp, err := uuid.Parse(cfg.ServicePrincipalID)
	if err != nil {
		return nil, fmt.Errorf("service_principal_id %q: want the enterprise application's object id, a GUID", cfg.ServicePrincipalID)
	}
	fields, err := selected(cfg.Attributes)
	if err != nil {
		return nil, err
	}
	adapter, err := newAdapter(cfg, at, connectors.BaseTransport(hc), log)
	if err != nil {
		return nil, err
	}
	return &Connector{cfg: cfg, sp: sp, origin: at, adapter: adapter, fields: fields, log: log}, nil
}

// check holds the credentials against where they would be sent.
func (cfg Config) check(at origin) error {
	if cfg.MaxCalls < 0 {
		return fmt.Errorf("limit of calls %d: want 0 or more", cfg.MaxCalls)
	}
	if at.Plain() {
		if cfg.AccessToken == "" {
			return fmt.Errorf("graph_url %s is plain http, where Entra's credentials cannot be used: set access_token", cfg.GraphURL)
		}
		if cfg.ClientSecret != "" {
			return fmt.Errorf("client_secret and access_token are both set: with graph_url %s only access_token is used", cfg.GraphURL)
		}
		return nil
	}
	if cfg.AccessToken != "" {
		return fmt.Errorf("access_token is allowed only where graph_url is plain http on a loopback address, not with %s", cfg.GraphURL)
	}
	for _, f := range []struct{ name, value string }{
		{"tenant_id", cfg.TenantID}, {"client_id", cfg.ClientID}, {"client_secret", cfg.ClientSecret},
	} {
		if f.value == "" {
			return fmt.Errorf("%s is missing", f.name)
		}
	}
	return nil
}

// budgeted returns a context that carries a budget.
func (c *Connector) budgeted(ctx context.Context) context.Context {
	if connectors.BudgetFrom(ctx) != nil {
		return ctx
	}
	return connectors.WithBudget(ctx, connectors.NewBudget(c.cfg.MaxCalls))
}
