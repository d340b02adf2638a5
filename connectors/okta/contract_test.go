package okta_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// TestContract runs the suite of all connectors against a simulated org.
func TestContract(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, startTenant)
}

// tenant is a simulated Okta org, as the suite wants it. A group that is assigned is also pushed.
type tenant struct {
	*idpsim.OktaTenant
	url string
	ids map[string]string
}

func startTenant(t *testing.T, d connectortest.Directory) connectortest.Tenant {
	t.Helper()
	s := &tenant{ids: map[string]string{}, OktaTenant: idpsim.NewOkta(idpsim.OktaConfig{
		Seed: 1, AssignedGroups: -1, Outsiders: -1, Off: -1, PageSize: connectortest.PageSize,
	})}
	for _, p := range d.People {
		u := idpsim.OktaUser{Status: idpsim.OktaActive, Profile: idpsim.OktaProfile{
			Login: p.UserName, Email: p.Email, FirstName: "Robin", LastName: "Doe",
		}}
		if p.Disabled {
			u.Status = idpsim.OktaSuspended
		}
		u, err := s.AddUser(u)
		must(t, err)
		s.ids[p.UserName] = u.ID
		if p.Assigned {
			must(t, s.AssignUser(u.ID))
		}
	}
	for _, g := range d.Groups {
		added, err := s.AddGroup(idpsim.OktaGroup{Name: g.Name})
		must(t, err)
		s.ids[g.Name] = added.ID
		for _, m := range g.Members {
			must(t, s.AddToGroup(added.ID, s.ids[m]))
		}
		if g.Assigned {
			must(t, s.AssignGroup(added.ID))
			must(t, s.PushGroup(added.ID))
		}
	}
	srv := httptest.NewServer(s.OktaTenant)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Open returns a connector. Every list of Okta's is behind a permission of its object.
func (s *tenant) Open(t *testing.T, a connectortest.Access) connectortest.Connector {
	t.Helper()
	cfg := okta.Config{OrgURL: s.url, AppID: s.AppID(), APIToken: s.APIToken()}
	if a.Secret != "" {
		cfg.APIToken = a.Secret
	}
	permissions := map[connectors.CollectionKind]idpsim.OktaPermission{
		connectors.Assignments: idpsim.OktaAppsRead,
		connectors.Users:       idpsim.OktaAppsRead,
		connectors.Members:     idpsim.OktaGroupsRead,
	}
	if p, lacks := permissions[a.Without]; lacks {
		s.Deny(p)
	}
	c, err := okta.Open(cfg, nil, nil)
	must(t, err)
	return c
}

func (s *tenant) ObjectID(name string) string { return s.ids[name] }

// Delete deletes a user, whom Okta wants to be deactivated before.
func (s *tenant) Delete(t *testing.T, userName string) {
	t.Helper()
	must(t, s.Deactivate(s.ids[userName]))
	must(t, s.DeleteUser(s.ids[userName]))
}

func (s *tenant) Fail(f connectortest.Failure) {
	fault := idpsim.Fault{Method: http.MethodGet, Skip: f.Page - 1, Count: f.Times, Status: f.Status}
	switch f.Kind {
	case connectors.Assignments, connectors.Users:
		fault.Path = "/apps/*/users"
	case connectors.Members:
		fault.Path = "/groups/" + s.ids[f.Group] + "/users"
	case connectors.Teams:
		fault.Path = "/apps/*/group-push/mappings"
	}
	if f.RetryAfter > 0 {
		fault.RetryAfter = strconv.Itoa(int(f.RetryAfter.Seconds()))
	}
	s.Inject(fault)
}

func (s *tenant) Attributes() connectortest.Attributes {
	return connectortest.Attributes{UserName: "userName", Email: "email", GroupName: "name"}
}

// Lists says that Okta's application users are both who is assigned and what they are, and that pushed groups are no
// assignments.
func (s *tenant) Lists() connectortest.Lists {
	return connectortest.Lists{OneOfPeople: true, Teams: true}
}
