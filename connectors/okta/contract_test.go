package okta_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// TestContract runs the suite of all connectors against a simulated org, whose log may not be read: deltas list everybody.
func TestContract(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, startTenant)
}

// TestContractByTheLog runs the suite's deltas where the log says whom to read.
func TestContractByTheLog(t *testing.T) {
	t.Parallel()
	connectortest.RunDeltas(t, func(t *testing.T, d connectortest.Directory) connectortest.Tenant {
		t.Helper()
		s, _ := startTenant(t, d).(*tenant)
		s.Grant(idpsim.OktaLogsRead)
		s.byLog = true
		return s
	})
}

var _ connectortest.Changing = (*tenant)(nil)

// tenant is a simulated Okta org, as the suite wants it. A group that is assigned is also pushed.
type tenant struct {
	*idpsim.OktaTenant
	url  string
	ids  map[string]string
	skew time.Duration
	// byLog: the log is to be read. What is to break the list of people breaks the log first, which it stands in for.
	byLog bool
}

func startTenant(t *testing.T, d connectortest.Directory) connectortest.Tenant {
	t.Helper()
	s := &tenant{ids: map[string]string{}, OktaTenant: idpsim.NewOkta(idpsim.OktaConfig{
		Seed: 1, AssignedGroups: -1, Outsiders: -1, Off: -1, PageSize: connectortest.PageSize,
	})}
	s.skew = -24 * time.Hour
	s.SetSkew(s.skew)
	for _, p := range d.People {
		s.addPerson(t, p)
	}
	for _, g := range d.Groups {
		s.addGroup(t, g)
	}
	s.pass()
	s.Deny(idpsim.OktaLogsRead)
	srv := httptest.NewServer(s.OktaTenant)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *tenant) addPerson(t *testing.T, p connectortest.Person) {
	t.Helper()
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

func (s *tenant) addGroup(t *testing.T, g connectortest.Group) {
	t.Helper()
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
	s.pass()
	must(t, s.Deactivate(s.ids[userName]))
	must(t, s.DeleteUser(s.ids[userName]))
	s.pass()
}

func (s *tenant) Fail(f connectortest.Failure) {
	var fault idpsim.Fault
	switch f.Kind {
	case connectors.Assignments, connectors.Users:
		fault.Path = "/apps/*/users"
		if s.byLog {
			s.fail(f, idpsim.Fault{Path: "/logs"})
		}
	case connectors.Members:
		fault.Path = "/groups/" + s.ids[f.Group] + "/users"
	case connectors.Teams:
		fault.Path = "/apps/*/group-push/mappings"
	}
	s.fail(f, fault)
}

func (s *tenant) fail(f connectortest.Failure, fault idpsim.Fault) {
	fault.Method, fault.Skip, fault.Count, fault.Status = http.MethodGet, f.Page-1, f.Times, f.Status
	if f.Status == http.StatusInternalServerError {
		fault.Count *= 2 // it is asked for once more
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

// Changes are those of an administrator of the org, each some time after what was before it and before what comes next:
// what a cursor's overlap repeats is another test. Nobody is restored, and no cursor expires.
func (s *tenant) Changes() connectortest.Changes {
	change := func(t *testing.T, do func() error) {
		t.Helper()
		s.pass()
		must(t, do())
		s.pass()
	}
	one := func(do func(...string) error) func(*testing.T, string) {
		return func(t *testing.T, name string) {
			t.Helper()
			change(t, func() error { return do(s.ids[name]) })
		}
	}
	two := func(do func(string, ...string) error) func(*testing.T, string, string) {
		return func(t *testing.T, group, userName string) {
			t.Helper()
			change(t, func() error { return do(s.ids[group], s.ids[userName]) })
		}
	}
	status := func(status idpsim.OktaStatus) func(*testing.T, string) {
		return one(func(ids ...string) error { return s.SetStatus(ids[0], status) })
	}
	return connectortest.Changes{
		AddPerson: func(t *testing.T, p connectortest.Person) {
			t.Helper()
			change(t, func() error { s.addPerson(t, p); return nil })
		},
		SetEmail: func(t *testing.T, userName, email string) { // the application's profile follows
			t.Helper()
			change(t, func() error {
				return s.UpdateProfile(s.ids[userName], func(p *idpsim.OktaProfile) { p.Email = email })
			})
		},
		Disable: status(idpsim.OktaSuspended), Enable: status(idpsim.OktaActive),
		Assign: one(s.AssignUser), Unassign: one(s.UnassignUser),
		AddGroup: func(t *testing.T, g connectortest.Group) {
			t.Helper()
			change(t, func() error { s.addGroup(t, g); return nil })
		},
		AssignGroup:   one(func(ids ...string) error { return errors.Join(s.AssignGroup(ids...), s.PushGroup(ids...)) }),
		UnassignGroup: one(func(ids ...string) error { return errors.Join(s.UnassignGroup(ids...), s.UnpushGroup(ids...)) }),
		AddMember:     two(s.AddToGroup), RemoveMember: two(s.RemoveFromGroup),
		RenameGroup: func(t *testing.T, name, newName string) {
			t.Helper()
			change(t, func() error { return s.RenameGroup(s.ids[name], newName) })
			s.ids[newName] = s.ids[name]
		},
		DeleteGroup: one(func(ids ...string) error { return s.DeleteGroup(ids[0]) }),
		FailChanged: s.failChanged,
	}
}

func (s *tenant) pass() {
	s.skew += 10 * time.Minute
	s.SetSkew(s.skew)
}

// failChanged fails the filter that finds the groups that changed. People who changed are found in the list of them all.
func (s *tenant) failChanged(f connectortest.Failure) {
	if f.Kind == connectors.Users {
		s.Fail(f)
		return
	}
	s.fail(f, idpsim.Fault{Path: "/groups", Query: "filter="})
}
