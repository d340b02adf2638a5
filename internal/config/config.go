// Package config reads the configuration file, puts the environment above it, and says about every problem where it
// stands and what to write instead.
package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
)

// The defaults of the settings that may be left out.
const (
	DefaultListen   = "127.0.0.1:8080"
	DefaultDataDir  = "./data"
	DefaultGraphURL = "https://graph.microsoft.com"
	DefaultSettle   = 10 * time.Minute
	DefaultTimeZone = "UTC"
	DefaultJitter   = 30 * time.Second
)

// Config is everything that the file, the environment and the flags say.
type Config struct {
	// Listen is the address of the HTTP listener, host:port; an empty host means all addresses.
	Listen string
	// PublicURL is where IdPs and browsers reach the daemon, without a trailing slash; empty: not known.
	PublicURL string
	// DataDir holds the socket, and the database unless DatabaseURL names one.
	DataDir string
	// DatabaseURL is a postgres:// URL; empty means SQLite in DataDir.
	DatabaseURL Secret
	// TrustedProxies are the addresses whose word counts on where a request comes from; nil: nobody's.
	TrustedProxies []netip.Prefix
	// MetricsListen is the address of the listener that serves metrics alone, host:port; empty: there is none.
	MetricsListen string
	RequestLog    RequestLog
	Alerts        Alerts
	History       History
	Tracing       Tracing
	// Organisations are in the order of the file: those of which something is set. Others are made by connections and
	// commands.
	Organisations []Organisation
	// Connections are in the order of the file.
	Connections []Connection
}

// Kind is the kind of a connection's IdP.
type Kind string

// The kinds of connections; kinds has what is to be known of each. KindSCIM is for push only, and KindSCIMSource pulls from a
// SCIM server.
const (
	KindEntra      Kind = "entra"
	KindOkta       Kind = "okta"
	KindSCIMSource Kind = "scim-source"
	KindSCIM       Kind = "scim"
)

// Connection is one entry of `connections`.
type Connection struct {
	Organisation string
	Name         string
	Kind         Kind
	Entra        *Entra        // set for KindEntra only
	Okta         *Okta         // set for KindOkta only
	SCIM         *SCIMSource   // set for KindSCIMSource only
	Mapping      []MappingLine // on top of the kind's own
	Teams        []MappingLine // likewise, of teams
	Scope        string        // "= " and who of those in scope there is in scope here; "": all of them
	Match        []string      // which of MatchRules are used, in their order; nil: all
	Schedule     *Schedule     // nil: runs are on demand
	Policy       Policy
	// Line is where the entry starts in the file, for messages about it.
	Line int
}

// Entra is how a connection of that kind reads Microsoft Graph. GUIDs are in lower case.
type Entra struct {
	TenantID string
	ClientID string // may be empty beside AccessToken, and is so beside ManagedIdentity
	// One of ClientSecret, Certificate, FederatedTokenFile, ManagedIdentity and AccessToken is set.
	ClientSecret         Secret
	Certificate          Secret // in PEM, with its private key
	SendCertificateChain bool
	FederatedTokenFile   string
	ManagedIdentity      string // ManagedIdentitySystem, or the client id of one assigned by the user
	ServicePrincipalID   string
	GraphURL             string // without a trailing slash
	Cloud                string // as written; GraphURL is that cloud's then
	// Scope says what decides who is in scope, Sync whether assignments count where nothing else says so; "": the first of
	// their values.
	Scope, Sync  string
	NestedGroups bool // who is in a group within an assigned one is in scope too
	// AccessToken stands in for the other ways to sign in, and for ClientID, where GraphURL is plain http on a loopback address.
	AccessToken Secret
}

// ManagedIdentitySystem is the value of Entra.ManagedIdentity for the identity that the machine has of itself.
const ManagedIdentitySystem = "system"

// The values of Entra.Scope and Entra.Sync.
const (
	ScopeJob      = "job" // the rules of Entra's own provisioning job
	ScopeAssigned = "assigned"
	SyncAssigned  = "assigned"
	SyncAll       = "all"
)

// The values of Entra.Cloud.
const (
	CloudPublic   = "public"
	CloudUSGov    = "usgov"
	CloudUSGovDoD = "usgov-dod"
	CloudChina    = "china"
)

// Okta is how a connection of that kind reads Okta.
type Okta struct {
	OrgURL string // without a trailing slash
	AppID  string
	// APIToken is set, or ClientID and PrivateKey are.
	APIToken   Secret
	ClientID   string // of the API service application
	PrivateKey Secret // in PEM
	KeyID      string
	Scopes     []string // nil: the least that runs need
	// Teams says which groups become teams where Okta refuses the list of push mappings, Suspended what a suspended person
	// is; see the constants.
	Teams     string
	Suspended string
}

// The values of Okta.Teams: no other way; the assigned groups; the teams that are linked already.
const (
	TeamsPush     = "push"
	TeamsAssigned = "assigned"
	TeamsLinked   = "linked"
)

// The values of Okta.Suspended: like a deactivated one; left as they are here.
const (
	SuspendedOff  = "off"
	SuspendedKeep = "keep"
)

// SCIMSource is how a connection of that kind reads a SCIM server.
type SCIMSource struct {
	URL   string // the SCIM base URL, without a trailing slash
	Token Secret
	// UsersFilter says who is in scope, GroupsFilter which groups become teams; empty: all.
	UsersFilter  string
	GroupsFilter string
}

// Default returns the configuration that holds when nothing is set.
func Default() *Config {
	return &Config{
		Listen: DefaultListen, DataDir: DefaultDataDir, Organisations: []Organisation{}, Connections: []Connection{},
		RequestLog: RequestLog{Keep: DefaultKeep, MaxRows: DefaultMaxRows, Reads: true}, History: defaultHistory(), Tracing: Tracing{Sample: 1},
		Alerts: Alerts{Remind: DefaultRemind},
	}
}

// Load reads the file at path (none if path is empty) and puts the environment's ROSTERD_* variables above it. Where
// anything is wrong the error is an errors.Join of all problems, each of one line that begins with its place.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	c := Default()
	var problems []error
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the configuration file: %w", err)
		}
		problems = parse(path, text, env, c)
	}
	c.Tracing.readEnvironment(env)
	if err := c.applyEnvironment(env); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return c, nil
}

// parse reads the text of the file named path into c.
func parse(path string, text []byte, env func(string) (string, bool), c *Config) []error {
	doc := &document{file: path, env: env}
	if root := doc.parse(text); root != nil {
		c.read(doc.section(root, "the file", "listen", "public_url", "data_dir", "database_url", "trusted_proxies",
			"metrics_listen", "request_log", "history", "tracing", "alerts", "organisations", "connections"))
	}
	return doc.errors()
}

func (c *Config) read(s *section) {
	if s == nil {
		return
	}
	s.checked("listen", &c.Listen, checkListen)
	s.checked("public_url", &c.PublicURL, checkPublicURL)
	s.checked("data_dir", &c.DataDir, checkDataDir)
	s.databaseURL("database_url", &c.DatabaseURL)
	c.TrustedProxies = readProxies(s)
	s.checked("metrics_listen", &c.MetricsListen, checkMetricsListen)
	if v, ok := s.get("alerts"); ok {
		c.Alerts.read(s.doc.section(v.node, "alerts", "email", "webhook", "remind"))
	}
	if v, ok := s.get("request_log"); ok {
		c.RequestLog.read(s.doc.section(v.node, "request_log", "keep", "max_rows", "reads"))
	}
	if v, ok := s.get("history"); ok {
		c.History.read(s.doc.section(v.node, "history", "runs", "actions", "min_runs"))
	}
	if v, ok := s.get("tracing"); ok {
		c.Tracing.read(s.doc.section(v.node, "tracing", "endpoint", "headers", "sample"))
	}
	c.Organisations = readOrganisations(s)
	c.Connections = readConnections(s)
}
