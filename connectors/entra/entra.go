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
	"sync"

	"github.com/google/uuid"
	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/rosterd/rosterd/connectors"
)

// DefaultGraphURL is the public cloud's Graph. The others are https://graph.microsoft.us, https://dod-graph.microsoft.us
// and https://microsoftgraph.chinacloudapi.cn (Graph documentation, "National cloud deployments").
const DefaultGraphURL = "https://graph.microsoft.com"

// DefaultMaxCalls is the limit of calls of an operation whose context carries no budget, when Config names none.
const DefaultMaxCalls = 50_000

// Config says which enterprise application to read, and how. One of ClientSecret, Certificate, FederatedTokenFile,
// ManagedIdentity and AccessToken is set.
type Config struct {
	TenantID     string // directory (tenant) id or one of its domains
	ClientID     string // application (client) id of the app registration that reads; not for a managed identity
	ClientSecret string
	Certificate  string // in PEM, with its unencrypted RSA key
	// SendCertificateChain is for a certificate that is trusted by its subject and issuer.
	SendCertificateChain bool
	FederatedTokenFile   string // where the platform keeps the token that it gives this workload
	ManagedIdentity      string // SystemAssigned, or the client id of a user-assigned one
	// AccessToken stands in for all of the above where GraphURL is plain http on a loopback address, and only there.
	AccessToken        string
	ServicePrincipalID string // object id of the enterprise application whose assignments decide
	GraphURL           string // empty: DefaultGraphURL
	// Attributes are those of users that are asked for, by Graph's names; nil: those of userFields.
	Attributes []string
	MaxCalls   int // limit of calls of an operation without a connectors.Budget; 0: DefaultMaxCalls
	// Limits is what the connections of one tenant share; nil: this one is alone.
	Limits *connectors.Limits
	// Scope is ScopeJob, which "" stands for, or ScopeAssigned. SyncAll: every user and group of the tenant is in scope; with
	// ScopeJob that counts only where the job doesn't say.
	Scope   string
	SyncAll bool
	// NestedGroups: who is in a group within an assigned one is in scope as well, and a member of its team.
	NestedGroups bool
}

// Connector reads one enterprise application's people and groups. It is safe for concurrent use.
type Connector struct {
	cfg     Config
	sp      uuid.UUID
	origin  origin
	adapter abs.RequestAdapter
	fields  []userField
	log     *slog.Logger

	mu   sync.Mutex
	last *rules // as read last, for when they can't be
}

var (
	_ connectors.Reader       = (*Connector)(nil)
	_ connectors.OneReader    = (*Connector)(nil)
	_ connectors.ManyReader   = (*Connector)(nil)
	_ connectors.GroupsReader = (*Connector)(nil)
	_ connectors.DeltaReader  = (*Connector)(nil)
	_ connectors.Tester       = (*Connector)(nil)

	_ connectors.JobReader       = (*Connector)(nil)
	_ connectors.JobSchemaReader = (*Connector)(nil)
	_ connectors.ScopeReader     = (*Connector)(nil)
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
	switch cfg.Scope {
	case "", ScopeJob, ScopeAssigned:
	default:
		return fmt.Errorf("scope %q: want %s or %s", cfg.Scope, ScopeJob, ScopeAssigned)
	}
	return cfg.checkWays(at)
}

// budgeted returns a context that carries a budget.
func (c *Connector) budgeted(ctx context.Context) context.Context {
	if connectors.BudgetFrom(ctx) != nil {
		return ctx
	}
	return connectors.WithBudget(ctx, connectors.NewBudget(c.cfg.MaxCalls))
}
