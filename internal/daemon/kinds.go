package daemon

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/connectors/scim"
	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/syncer"
)

// opened is what an entry of the configuration turns into.
type opened struct {
	source *syncer.Source // its reader, and what is particular to its kind; nil: it pulls from nothing
	target string         // what it is tied to, which is pinned by the first run
	scope  string         // what decides on who and what is in scope; a run after a change of it is guarded as a first one
}

// way is how what a connection asks goes out.
type way struct {
	*http.Client
	limits *connectors.Limits // what connections to one tenant share
}

// opener opens a connection of one kind.
type opener func(e *config.Connection, m mapping.Mapping, out way, log *slog.Logger) (opened, error)

// openers is the one place that knows which kind of connection is made of what.
func openers() map[roster.ConnectionKind]opener {
	return map[roster.ConnectionKind]opener{
		roster.KindEntra:      openEntra,
		roster.KindOkta:       openOkta,
		roster.KindSCIMSource: openSCIMSource,
		roster.KindSCIM:       openPushOnly,
	}
}

func openEntra(e *config.Connection, m mapping.Mapping, out way, log *slog.Logger) (opened, error) {
	reader, err := entra.Open(entra.Config{
		TenantID: e.Entra.TenantID, ClientID: e.Entra.ClientID, ClientSecret: e.Entra.ClientSecret.Reveal(),
		Certificate: e.Entra.Certificate.Reveal(), SendCertificateChain: e.Entra.SendCertificateChain,
		FederatedTokenFile: e.Entra.FederatedTokenFile, ManagedIdentity: e.Entra.ManagedIdentity,
		AccessToken: e.Entra.AccessToken.Reveal(), ServicePrincipalID: e.Entra.ServicePrincipalID, GraphURL: e.Entra.GraphURL,
		Attributes: m.Sources(), Limits: out.limits, Scope: e.Entra.Scope, SyncAll: e.Entra.Sync == config.SyncAll,
		NestedGroups: e.Entra.NestedGroups,
	}, out.Client, log)
	if err != nil {
		return opened{}, err
	}
	return opened{
		source: &syncer.Source{Reader: reader, Evidence: "graph", RestartJob: e.Policy.RestartQuarantinedJob},
		target: "tenant " + e.Entra.TenantID + ", service principal " + e.Entra.ServicePrincipalID,
		scope:  scopeOfEntra(e.Entra),
	}, nil
}

// scopeOfEntra is what the entry says of who is in scope, beside what the provisioning job says; "": nothing unusual.
func scopeOfEntra(e *config.Entra) string {
	scope := ""
	if e.Scope == config.ScopeAssigned {
		scope += " scope=" + e.Scope
	}
	if e.Sync == config.SyncAll {
		scope += " sync=" + e.Sync
	}
	if e.NestedGroups {
		scope += " nested_groups"
	}
	return scope
}

func openOkta(e *config.Connection, _ mapping.Mapping, out way, log *slog.Logger) (opened, error) {
	reader, err := okta.Open(okta.Config{
		OrgURL: e.Okta.OrgURL, AppID: e.Okta.AppID, APIToken: e.Okta.APIToken.Reveal(), Teams: e.Okta.Teams, Suspended: e.Okta.Suspended,
		ClientID: e.Okta.ClientID, PrivateKey: e.Okta.PrivateKey.Reveal(), KeyID: e.Okta.KeyID, Scopes: e.Okta.Scopes,
		Limits: out.limits,
	}, out.Client, log)
	if err != nil {
		return opened{}, err
	}
	return opened{
		source: &syncer.Source{Reader: reader, Evidence: "okta"},
		target: "org " + e.Okta.OrgURL + ", application " + e.Okta.AppID,
		// Who counts as in scope, and as a team, hangs on these two as on the mapping.
		scope: " teams=" + e.Okta.Teams + " suspended=" + e.Okta.Suspended,
	}, nil
}

// openSCIMSource makes the filters a part of the target: they are what an enterprise application is elsewhere, and two
// connections may read different people of one server.
func openSCIMSource(e *config.Connection, _ mapping.Mapping, out way, log *slog.Logger) (opened, error) {
	reader, err := scim.Open(scim.Config{
		URL: e.SCIM.URL, Token: e.SCIM.Token.Reveal(), UsersFilter: e.SCIM.UsersFilter, GroupsFilter: e.SCIM.GroupsFilter,
		Limits: out.limits,
	}, out.Client, log)
	if err != nil {
		return opened{}, err
	}
	return opened{
		source: &syncer.Source{Reader: reader, Evidence: "scim"},
		target: "server " + e.SCIM.URL + ", " + those("users", e.SCIM.UsersFilter) + ", " + those("groups", e.SCIM.GroupsFilter),
		scope:  fmt.Sprintf(" users_filter=%q groups_filter=%q", e.SCIM.UsersFilter, e.SCIM.GroupsFilter),
	}, nil
}

// those says in words which objects a filter finds.
func those(what, filter string) string {
	if filter == "" {
		return "all " + what
	}
	return what + " where " + filter
}

func openPushOnly(*config.Connection, mapping.Mapping, way, *slog.Logger) (opened, error) {
	return opened{target: "push only"}, nil
}
