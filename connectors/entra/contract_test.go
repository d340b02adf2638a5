package entra_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// TestContract runs the suite of all connectors against a simulated tenant.
func TestContract(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, startTenant)
}

// tenant is a simulated Entra tenant, as the suite wants it.
type tenant struct {
	*idpsim.Tenant
	url     string
	ids     map[string]string
	repeats bool
}

var _ connectortest.Changing = (*tenant)(nil)

func startTenant(t *testing.T, d connectortest.Directory) connectortest.Tenant {
	t.Helper()
	return startRepeating(t, d, 0)
}

// startRepeating starts a tenant whose deltas say the last changes before their cursor again.
func startRepeating(t *testing.T, d connectortest.Directory, replays int) *tenant {
	t.Helper()
	s := &tenant{repeats: replays > 0, ids: map[string]string{}, Tenant: idpsim.New(idpsim.Config{
		Seed: 1, Outsiders: -1, Disabled: -1, PageSize: connectortest.PageSize, DeltaReplays: replays,
	})}
	for _, p := range d.People {
		s.addPerson(t, p)
	}
	for _, g := range d.Groups {
		s.addGroup(t, g)
	}
	s.url = serve(t, s.Tenant)
	return s
}

func (s *tenant) addPerson(t *testing.T, p connectortest.Person) {
	t.Helper()
	u, err := s.AddUser(idpsim.User{UserPrincipalName: p.UserName, Mail: p.Email, Disabled: p.Disabled})
	must(t, err)
	s.ids[p.UserName] = u.ObjectID
	if p.Assigned {
		must(t, s.Assign(u.ObjectID))
	}
}

func (s *tenant) addGroup(t *testing.T, g connectortest.Group) {
	t.Helper()
	added, err := s.AddGroup(idpsim.Group{DisplayName: g.Name})
	must(t, err)
	s.ids[g.Name] = added.ObjectID
	for _, m := range g.Members {
		must(t, s.AddToGroup(added.ObjectID, s.ids[m]))
	}
	if g.Assigned {
		must(t, s.Assign(added.ObjectID))
	}
}

// serve gives the handler an address for the time of the test.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Open returns a connector that asks for pages of the suite's size.
func (s *tenant) Open(t *testing.T, a connectortest.Access) connectortest.Connector {
	t.Helper()
	cfg := entra.Config{GraphURL: s.url, AccessToken: s.AccessToken(), ServicePrincipalID: s.ServicePrincipalID()}
	if a.Secret != "" {
		cfg.AccessToken = a.Secret
	}
	permissions := map[connectors.CollectionKind]idpsim.Permission{
		connectors.Assignments: idpsim.ApplicationReadAll,
		connectors.Members:     idpsim.GroupMemberReadAll,
		connectors.Users:       idpsim.UserReadAll,
	}
	if p, lacks := permissions[a.Without]; lacks {
		s.Deny(p)
	}
	c, err := entra.Open(cfg, &http.Client{Transport: smallPages{}}, nil)
	must(t, err)
	return c
}

func (s *tenant) ObjectID(name string) string { return s.ids[name] }

func (s *tenant) Delete(t *testing.T, userName string) {
	t.Helper()
	must(t, s.DeleteUser(s.ids[userName]))
}

func (s *tenant) Fail(f connectortest.Failure) {
	switch f.Kind {
	case connectors.Teams: // are among the assignments
	case connectors.Assignments:
		s.fail("/servicePrincipals/*/appRoleAssignedTo", f)
	case connectors.Members:
		s.fail("/groups/"+s.ids[f.Group]+"/members", f)
	case connectors.Users:
		s.fail("/users", f)
	}
}

// fail makes requests for a path fail.
func (s *tenant) fail(path string, f connectortest.Failure) {
	fault := idpsim.Fault{Method: http.MethodGet, Path: path, Skip: f.Page - 1, Count: f.Times, Status: f.Status}
	if f.RetryAfter > 0 {
		fault.RetryAfter = strconv.FormatFloat(f.RetryAfter.Seconds(), 'f', -1, 64)
	}
	s.Inject(fault)
}

func (s *tenant) Attributes() connectortest.Attributes {
	return connectortest.Attributes{UserName: "userPrincipalName", Email: "mail", GroupName: "displayName"}
}

// Lists says that a group is assigned as a person is, and that attributes are read apart.
func (s *tenant) Lists() connectortest.Lists { return connectortest.Lists{Repeats: s.repeats} }

// smallPages is a transport that lowers $top to the suite's page size, as Graph may.
type smallPages struct{}

func (smallPages) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	if top, err := strconv.Atoi(q.Get("$top")); err == nil && top > connectortest.PageSize {
		q.Set("$top", strconv.Itoa(connectortest.PageSize))
		req.URL.RawQuery = q.Encode()
	}
	return http.DefaultTransport.RoundTrip(req)
}
