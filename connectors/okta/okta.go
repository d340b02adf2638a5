// Package okta reads an Okta org: who is a user of one application, which groups are pushed to it, and those groups'
// members.
//
// The SDK, okta-sdk-golang/v2, is left its request executor and its types. What it does not do well is in one
// http.RoundTripper chain under it: gate, answers, retries with budget, base transport. Its pages are followed by our own
// reading of the Link header.
package okta

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rosterd/rosterd/connectors"
)

// DefaultMaxCalls is the limit of calls of an operation whose context carries no budget, when Config names none.
const DefaultMaxCalls = 50_000

// What decides which groups become teams where Okta refuses the list of push mappings. Nowhere does silence about a team
// count then.
const (
	TeamsPush     = "push"     // nothing does: without the list no group is read, and Test fails
	TeamsAssigned = "assigned" // the groups assigned to the application
	TeamsLinked   = "linked"   // no group is read: teams stay as they are
)

// What a suspended person is.
const (
	SuspendedOff  = "off"  // off, like a deactivated one
	SuspendedKeep = "keep" // what they are here: Okta itself sends nothing when it suspends somebody
)

// Config says which application of an org to read, and how.
type Config struct {
	OrgURL   string // https://example.okta.com
	AppID    string // the application's id, 0oa…
	APIToken string // of an administrator who may read users, groups and applications
	// In place of APIToken: a service application that signs in with its private key (RFC 7523).
	ClientID   string
	PrivateKey string   // in PEM: PKCS #8, PKCS #1 or SEC 1; RSA, or on P-256
	KeyID      string   // as Okta shows it; empty: the application has one key
	Scopes     []string // what access tokens are asked for; empty: DefaultScopes
	Teams      string   // TeamsPush, TeamsAssigned or TeamsLinked; empty: TeamsPush
	Suspended  string   // SuspendedOff or SuspendedKeep; empty: SuspendedOff
	MaxCalls   int      // limit of calls of an operation without a connectors.Budget; 0: DefaultMaxCalls
	// Limits is what the connections of one org share; nil: this one is alone.
	Limits *connectors.Limits
}

// Connector reads one application's people and pushed groups. It is safe for concurrent use.
type Connector struct {
	cfg    Config
	origin connectors.Origin
	client *sdk.Client
	signed *service // nil: an API token does
	log    *slog.Logger

	userPages  atomic.Int64 // how many requests the list of application users last took; 0: not known
	logRefused atomic.Bool  // that the system log is refused was told
}

var (
	_ connectors.Reader       = (*Connector)(nil)
	_ connectors.CauseReader  = (*Connector)(nil)
	_ connectors.DeltaReader  = (*Connector)(nil)
	_ connectors.OneReader    = (*Connector)(nil)
	_ connectors.GroupsReader = (*Connector)(nil)
	_ connectors.Tester       = (*Connector)(nil)
)

// Open returns a connector. It checks the configuration and sends nothing. Requests go through hc's transport (nil: a
// copy of Go's default); hc's timeout is not used, as each attempt has its own.
func Open(cfg Config, hc *http.Client, log *slog.Logger) (*Connector, error) {
	if cfg.Teams == "" {
		cfg.Teams = TeamsPush
	}
	if cfg.Suspended == "" {
		cfg.Suspended = SuspendedOff
	}
	if cfg.MaxCalls == 0 {
		cfg.MaxCalls = DefaultMaxCalls
	}
	if len(cfg.Scopes) == 0 {
		cfg.Scopes = DefaultScopes()
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	cfg.OrgURL = strings.TrimSuffix(cfg.OrgURL, "/")
	at, err := connectors.ParseOrigin("org_url", cfg.OrgURL, "https://example.okta.com")
	if err != nil {
		return nil, err
	}
	if err := cfg.check(at); err != nil {
		return nil, err
	}
	client, signed, err := newClient(cfg, at, connectors.BaseTransport(hc), log)
	if err != nil {
		return nil, err
	}
	return &Connector{cfg: cfg, origin: at, client: client, signed: signed, log: log}, nil
}

func (cfg Config) check(at connectors.Origin) error {
	if i := strings.Index(cfg.OrgURL, "://"); strings.Contains(cfg.OrgURL[i+len("://"):], "/") {
		return fmt.Errorf("org_url %s: want no path", cfg.OrgURL)
	}
	if first, _, _ := strings.Cut(at.Host, "."); strings.HasSuffix(first, "-admin") {
		return fmt.Errorf("org_url %s is that of the admin console: leave out -admin", cfg.OrgURL)
	}
	if !validID(cfg.AppID) {
		return fmt.Errorf("app_id %q: want the application's id, such as 0oa1gjh63g214q0Hq0g4", cfg.AppID)
	}
	if err := cfg.checkCredentials(); err != nil {
		return err
	}
	if teams := []string{TeamsPush, TeamsAssigned, TeamsLinked}; !slices.Contains(teams, cfg.Teams) {
		return fmt.Errorf("teams %q: want one of %s", cfg.Teams, strings.Join(teams, ", "))
	}
	if suspended := []string{SuspendedOff, SuspendedKeep}; !slices.Contains(suspended, cfg.Suspended) {
		return fmt.Errorf("suspended %q: want one of %s", cfg.Suspended, strings.Join(suspended, ", "))
	}
	if cfg.MaxCalls < 0 {
		return fmt.Errorf("limit of calls %d: want 0 or more", cfg.MaxCalls)
	}
	return nil
}

// byToken reports whether an API token is what requests are signed with.
func (cfg Config) byToken() bool { return cfg.ClientID == "" && cfg.PrivateKey == "" }

// checkCredentials demands one of the two ways, whole.
func (cfg Config) checkCredentials() error {
	unfit := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case cfg.APIToken == "" && cfg.byToken():
		return fmt.Errorf("api_token is missing, or client_id and private_key in its place")
	case strings.ContainsFunc(cfg.APIToken, unfit):
		return fmt.Errorf("api_token holds a character that no token has, such as a space or line break")
	case cfg.byToken():
		return nil
	case cfg.APIToken != "":
		return fmt.Errorf("api_token and client_id with private_key are two ways to sign in: keep one")
	case cfg.ClientID == "":
		return fmt.Errorf("client_id is missing beside private_key")
	case cfg.PrivateKey == "":
		return fmt.Errorf("private_key is missing beside client_id")
	case !validID(cfg.ClientID):
		return fmt.Errorf("client_id %q: want that of the service application, such as 0oa1gjh63g214q0Hq0g4", cfg.ClientID)
	case strings.ContainsFunc(cfg.KeyID, unfit):
		return fmt.Errorf("key_id holds a space or line break: want the key's id (kid) as Okta shows it")
	}
	for _, s := range cfg.Scopes {
		if !strings.HasPrefix(s, "okta.") || strings.ContainsFunc(s, unfit) {
			return fmt.Errorf("scopes: %q is no scope of Okta's API, such as %s", s, readUsers)
		}
	}
	return nil
}

// DefaultScopes are the least that runs need: the application's users and push mappings, groups and their members, and who
// is looked up without being an application user.
func DefaultScopes() []string { return []string{readUsers, readGroups, readApps} }

// budgeted returns a context that carries a budget.
func (c *Connector) budgeted(ctx context.Context) context.Context {
	if connectors.BudgetFrom(ctx) != nil {
		return ctx
	}
	return connectors.WithBudget(ctx, connectors.NewBudget(c.cfg.MaxCalls))
}

// validID reports whether an id can stand in a request's path, where the SDK puts it as it is.
func validID(id string) bool {
	other := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	}
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, other)
}

func checkID(id string) error {
	if !validID(id) {
		return &connectors.Error{Fault: connectors.Broken, Message: fmt.Sprintf("%q is not an object id of Okta", id)}
	}
	return nil
}
