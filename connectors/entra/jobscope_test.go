package entra_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// filterOf is one scoping filter of one clause.
func filterOf(attribute, operator string, values ...string) []idpsim.ScopeGroup {
	return []idpsim.ScopeGroup{{Name: "the filter", Clauses: []idpsim.ScopeClause{{Attribute: attribute, Operator: operator, Values: values}}}}
}

// scoped opens a connector on a tenant, and says how its job scopes users.
func scoped(t *testing.T, s *idpsim.Tenant, change func(*entra.Config)) *entra.Connector {
	t.Helper()
	cfg := entra.Config{GraphURL: serve(t, s), AccessToken: s.AccessToken(), ServicePrincipalID: s.ServicePrincipalID()}
	if change != nil {
		change(&cfg)
	}
	c, err := entra.Open(cfg, nil, nil)
	must(t, err)
	return c
}

func pulled(t *testing.T, c *entra.Connector) *connectortest.Recorder {
	t.Helper()
	r := &connectortest.Recorder{}
	must(t, c.Pull(t.Context(), r))
	return r
}

// standing is what a read says of somebody: in, out, kept as they are, off, or nothing.
func standing(u connectors.User, found bool) string {
	switch {
	case !found:
		return "nothing"
	case u.Gone != "" && u.OutOfScope:
		return "out"
	case u.Gone != "":
		return "gone"
	case u.Keep:
		return "kept"
	case u.Enabled:
		return "in"
	}
	return "off"
}

// Each operator follows Entra's page "Scoping users or groups to be provisioned with scoping filters": case counts, an empty
// value fulfils nothing but IS NULL, and what can't be judged neither adds nor removes.
func TestAClauseOfAScopingFilter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		department, attribute, operator, value, want string
	}{
		{"Sales", "department", "EQUALS", "Sales", "in"},
		{"Sales", "department", "EQUALS", "sales", "out"},
		{"", "department", "EQUALS", "Sales", "out"},
		{"Sales", "department", "NOT EQUALS", "Legal", "in"},
		{"Sales", "department", "NOT EQUALS", "Sales", "out"},
		{"", "department", "NOT EQUALS", "Sales", "out"},
		{"", "department", "IS NULL", "", "in"},
		{"Sales", "department", "IS NULL", "", "out"},
		{"Sales", "department", "IS NOT NULL", "", "in"},
		{"", "department", "IS NOT NULL", "", "out"},
		{"Sales", "accountEnabled", "IS TRUE", "", "in"},
		{"Sales", "accountEnabled", "IS FALSE", "", "out"},
		{"Sales", "isSoftDeleted", "IS FALSE", "", "in"},
		{"Sales EMEA", "department", "REGEX MATCH", "^Sales", "in"},
		{"Presales", "department", "REGEX MATCH", "^Sales", "out"},
		{"Presales", "department", "NOT REGEX MATCH", "^Sales", "in"},
		{"", "department", "NOT REGEX MATCH", "^Sales", "out"},
		{"Sales", "userPrincipalName", "REGEX MATCH", `.*\@contoso\.example`, "in"},
		{"Sales", "originalUserPrincipalName", "ENDS_WITH", "contoso.example", "in"},
		{"Sales", "userPrincipalName", "ENDS WITH", "Contoso.example", "kept"},
		{"Sales", "userPrincipalName", "ENDS_WITH", "fabrikam.example", "out"},
		{"Sales EMEA", "department", "INCLUDES", "EMEA", "in"},
		{"Sales EMEA", "department", "Includes", "emea", "out"},
		{"1200", "department", "Greater_Than", "999", "in"},
		{"999", "department", "GREATER_THAN", "999", "out"},
		{"999", "department", "GREATER_THAN_OR_EQUALS", "999", "in"},
		{"Sales", "department", "GREATER_THAN", "999", "kept"},
		{"Sales", "department", "&", "Sales", "kept"},
		{"Sales", "department", "IsMemberOf", "Sales", "kept"},
		{"Sales", "department", "REGEX MATCH", "(?!Legal).*", "kept"},
		{"Sales", "manager", "IS NOT NULL", "", "kept"},
		{"Sales", "otherMails", "EQUALS", "x", "kept"},
	} {
		t.Run(fmt.Sprintf("%q %s %s %q", c.department, c.attribute, c.operator, c.value), func(t *testing.T) {
			t.Parallel()
			s := idpsim.New(idpsim.Config{Seed: 1})
			u, err := s.AddUser(idpsim.User{UserPrincipalName: "ada@contoso.example", Department: c.department})
			must(t, err)
			must(t, s.Assign(u.ObjectID))
			values := []string{c.value}
			if strings.HasPrefix(c.operator, "IS ") {
				values = nil
			}
			s.EditSchema(func(m *idpsim.Schema) { m.Users.Scope = filterOf(c.attribute, c.operator, values...) })
			conn := scoped(t, s, nil)
			found, ok := pulled(t, conn).User(u.ObjectID)
			if got := standing(found, ok); got != c.want {
				t.Errorf("a pull says %s, want %s: %+v", got, c.want, found)
			}
			if c.want == "out" && !strings.Contains(found.Gone, c.attribute+" "+c.operator) {
				t.Errorf("the words do not name the clause: %s", found.Gone)
			}
			p, err := conn.Person(t.Context(), u.ObjectID)
			must(t, err)
			if in := c.want != "out"; p.InScope != in || p.User == nil || p.User.Keep != (c.want == "kept") || (p.Why == "") != in {
				t.Errorf("a look says %+v, %+v", p, p.User)
			}
			is, err := conn.Scope(t.Context())
			must(t, err)
			if doubtful := c.want == "kept" && c.operator != "ENDS WITH" && c.operator != "GREATER_THAN"; (len(is.Notes) > 0) != doubtful {
				t.Errorf("notes %q", is.Notes)
			}
		})
	}
}

// Clauses of a filter all have to hold; of several filters one has to.
func TestScopingFiltersAreJoined(t *testing.T) {
	t.Parallel()
	s := idpsim.New(idpsim.Config{Seed: 1})
	s.EditSchema(func(m *idpsim.Schema) {
		m.Users.Scope = []idpsim.ScopeGroup{
			{Name: "sellers", Clauses: append(filterOf("department", "EQUALS", "Sales")[0].Clauses, filterOf("jobTitle", "IS NOT NULL")[0].Clauses...)},
			{Name: "lawyers", Clauses: filterOf("department", "EQUALS", "Legal")[0].Clauses},
		}
	})
	want := map[string]string{}
	for i, u := range []idpsim.User{{Department: "Sales", JobTitle: "Seller"}, {Department: "Sales"}, {Department: "Legal"}, {JobTitle: "Cook"}} {
		u.UserPrincipalName = fmt.Sprintf("u%d@contoso.example", i)
		added, err := s.AddUser(u)
		must(t, err)
		must(t, s.Assign(added.ObjectID))
		want[added.ObjectID] = []string{"in", "out", "in", "out"}[i]
	}
	r := pulled(t, scoped(t, s, nil))
	for id, w := range want {
		if u, ok := r.User(id); standing(u, ok) != w {
			t.Errorf("%s, want %s: %+v", standing(u, ok), w, u)
		}
	}
}

// company has people in two departments, assigned directly, through a group, not at all, and switched off.
func company(t *testing.T) (s *idpsim.Tenant, ids map[string]string) {
	t.Helper()
	s, ids = idpsim.New(idpsim.Config{Seed: 3, PageSize: 3}), map[string]string{}
	for _, department := range []string{"Sales", "Legal"} {
		for _, kind := range []string{"direct", "member", "outsider", "off"} {
			u, err := s.AddUser(idpsim.User{UserPrincipalName: fmt.Sprintf("%s.%s@contoso.example", kind, department), Department: department,
				Disabled: kind == "off"})
			must(t, err)
			ids[kind+" "+department] = u.ObjectID
		}
		g, err := s.AddGroup(idpsim.Group{DisplayName: "Team " + department})
		must(t, err)
		ids["team "+department] = g.ObjectID
		must(t, s.AddToGroup(g.ObjectID, ids["member "+department]))
		must(t, s.AddToGroup(g.ObjectID, ids["off "+department]))
		must(t, s.Assign(ids["direct "+department], g.ObjectID))
	}
	return s, ids
}

// agrees holds that a pull hands over whom the tenant wants there, and second looks say the same.
func agrees(t *testing.T, what string, s *idpsim.Tenant, c *entra.Connector, r *connectortest.Recorder) {
	t.Helper()
	desired := map[string]bool{}
	for _, p := range s.Desired() {
		desired[p.ObjectID] = true
	}
	for _, u := range s.Users() {
		got, ok := r.User(u.ObjectID)
		if in := standing(got, ok) == "in"; in != desired[u.ObjectID] {
			t.Errorf("%s: of %s a pull says %s (%s), the tenant %t", what, u.UserPrincipalName, standing(got, ok), got.Gone, desired[u.ObjectID])
		}
		p, err := c.Person(t.Context(), u.ObjectID)
		must(t, err)
		if in := p.InScope && p.User.Enabled; in != desired[u.ObjectID] {
			t.Errorf("%s: of %s a look says %t, the tenant %t", what, u.UserPrincipalName, in, desired[u.ObjectID])
		}
	}
	var teams []string
	for _, team := range s.DesiredTeams() {
		teams = append(teams, team.ObjectID)
	}
	if got := r.GroupIDs(); !slices.Equal(got, teams) {
		t.Errorf("%s: groups %v, want %v", what, got, teams)
	}
	for _, g := range s.Groups() {
		team, err := c.Team(t.Context(), g.ObjectID)
		must(t, err)
		if team.InScope != slices.Contains(teams, g.ObjectID) {
			t.Errorf("%s: a look says of the group %s that it is in scope: %t", what, g.DisplayName, team.InScope)
		}
	}
}

// However the job is set, a full pull and second looks reach whom the service itself would have there.
func TestAPullFollowsTheJobsRules(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(s *idpsim.Tenant){
		"as it comes": func(*idpsim.Tenant) {},
		"a filter of users": func(s *idpsim.Tenant) {
			s.EditSchema(func(m *idpsim.Schema) { m.Users.Scope = filterOf("department", "EQUALS", "Sales") })
		},
		"a filter of groups": func(s *idpsim.Tenant) {
			s.EditSchema(func(m *idpsim.Schema) { m.Groups.Scope = filterOf("displayName", "EQUALS", "Team Sales") })
		},
		"everybody": func(s *idpsim.Tenant) { s.SyncAll(true) },
		"everybody, filtered": func(s *idpsim.Tenant) {
			s.SyncAll(true)
			s.EditSchema(func(m *idpsim.Schema) {
				m.Users.Scope, m.Groups.Scope = filterOf("department", "EQUALS", "Legal"), filterOf("displayName", "Includes", "Legal")
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ids := company(t)
			must(t, s.Unassign(ids["team Legal"]))
			set(s)
			c := scoped(t, s, nil)
			r := pulled(t, c)
			agrees(t, name, s, c, r)
			for _, kind := range []connectors.CollectionKind{connectors.Assignments, connectors.Users} {
				if l, ok := r.ListOf(kind, ""); !ok || !l.Whole {
					t.Errorf("the list of %s is %+v", kind, l)
				}
			}
			for _, g := range r.GroupIDs() {
				if l, ok := r.ListOf(connectors.Members, g); !ok || !l.Whole || len(r.MembersOf(g)) != 2 {
					t.Errorf("the members of %s: %+v, %v", g, l, r.MembersOf(g))
				}
			}
		})
	}
}

// What a delta tells of somebody follows the same rules.
func TestADeltaFollowsTheJobsRules(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		s, ids := company(t)
		s.SyncAll(all)
		s.EditSchema(func(m *idpsim.Schema) { m.Users.Scope = filterOf("department", "EQUALS", "Sales") })
		c := scoped(t, s, nil)
		cursor, err := c.Cursor(t.Context())
		must(t, err)
		moves := func(who, to string) {
			must(t, s.UpdateUser(ids[who], func(u *idpsim.User) { u.Department = to }))
		}
		moves("direct Sales", "Legal")
		moves("member Legal", "Sales")
		moves("outsider Legal", "Sales")
		r := &connectortest.DeltaRecorder{PeopleKnown: map[string]bool{ids["direct Sales"]: true, ids["member Sales"]: true},
			GroupsKnown: map[string]bool{ids["team Sales"]: true, ids["team Legal"]: true}}
		next := follow(t, c, r, connectors.Since{Cursor: cursor})
		want := map[string]string{"direct Sales": "out", "member Legal": "in", "outsider Legal": "nothing", "member Sales": "nothing"}
		if all {
			want["outsider Legal"] = "in"
		}
		for who, w := range want {
			if u, ok := next.User(ids[who]); standing(u, ok) != w || w == "in" && u.Scope == "" {
				t.Errorf("all %t: of %s it says %s, want %s: %+v", all, who, standing(u, ok), w, u)
			}
		}
		if l, _ := next.ListOf(connectors.Assignments, ""); !l.Whole {
			t.Errorf("all %t: %+v", all, l)
		}
		// Another filter is for a full read to follow.
		s.EditSchema(func(m *idpsim.Schema) { m.Users.Scope = filterOf("department", "EQUALS", "Legal") })
		if _, err := c.Delta(t.Context(), connectors.Since{Cursor: cursor}, &connectortest.DeltaRecorder{}); connectors.FaultOf(err) != connectors.LostCursor {
			t.Errorf("all %t: with another filter: %v", all, err)
		}
	}
}

// A delta puts the members of a group in scope that a filter keeps from becoming a team.
func TestADeltaReadsGroupsThatAFilterKeepsOut(t *testing.T) {
	t.Parallel()
	s, ids := company(t)
	s.EditSchema(func(m *idpsim.Schema) { m.Groups.Scope = filterOf("displayName", "EQUALS", "Team Sales") })
	c := scoped(t, s, nil)
	cursor, err := c.Cursor(t.Context())
	must(t, err)
	must(t, s.AddToGroup(ids["team Legal"], ids["outsider Legal"]))
	r := follow(t, c, &connectortest.DeltaRecorder{GroupsKnown: map[string]bool{ids["team Sales"]: true, ids["team Legal"]: true}}, connectors.Since{Cursor: cursor})
	if u, ok := r.User(ids["outsider Legal"]); standing(u, ok) != "in" || u.Scope == "" {
		t.Errorf("of the new member it says %s: %+v", standing(u, ok), u)
	}
	if got := r.GroupIDs(); !slices.Equal(got, []string{ids["team Sales"]}) {
		t.Errorf("groups %v", got)
	}
}

// Where the IdP does not let the job be read, assignments decide, or what the configuration says; and it is said.
func TestAJobThatCannotBeReadLeavesAssignments(t *testing.T) {
	t.Parallel()
	for _, syncAll := range []bool{false, true} {
		s, ids := company(t)
		s.EditSchema(func(m *idpsim.Schema) { m.Users.Scope = filterOf("department", "EQUALS", "Sales") })
		s.Deny(idpsim.SynchronizationReadAll)
		c := scoped(t, s, func(cfg *entra.Config) { cfg.SyncAll = syncAll })
		r := pulled(t, c)
		for who, w := range map[string]bool{"direct Legal": true, "member Legal": true, "outsider Legal": syncAll, "off Legal": false} {
			if u, ok := r.User(ids[who]); (standing(u, ok) == "in") != w {
				t.Errorf("all %t: %s is %s", syncAll, who, standing(u, ok))
			}
		}
		is, err := c.Scope(t.Context())
		must(t, err)
		if len(is.Notes) != 1 || !strings.Contains(is.Notes[0], "Synchronization.Read.All") || (is.Rules == "") == syncAll {
			t.Errorf("%+v", is)
		}
	}
	s, ids := company(t)
	s.SyncAll(true)
	c := scoped(t, s, func(cfg *entra.Config) { cfg.Scope = entra.ScopeAssigned })
	if u, ok := pulled(t, c).User(ids["outsider Legal"]); ok {
		t.Errorf("scope: assigned, and yet %+v", u)
	}
	if n := s.Requests()["GET /servicePrincipals/{id}/synchronization/jobs"]; n != 0 {
		t.Errorf("scope: assigned, and yet %d requests for the job", n)
	}
	s.ForgetSetting("SyncAll") // nobody has set it: the configuration says
	if u, ok := pulled(t, scoped(t, s, func(cfg *entra.Config) { cfg.SyncAll = true })).User(ids["outsider Legal"]); standing(u, ok) != "in" {
		t.Errorf("sync: all, and yet %s", standing(u, ok))
	}
}

// While Graph has trouble with the job, the rules as read last stand; where they were never read nobody is added or removed.
func TestAJobThatIsOutOfReachAddsAndRemovesNobody(t *testing.T) {
	t.Parallel()
	s, ids := company(t)
	s.EditSchema(func(m *idpsim.Schema) { m.Users.Scope = filterOf("department", "EQUALS", "Sales") })
	knows, blind := scoped(t, s, nil), scoped(t, s, nil)
	pulled(t, knows)
	s.Inject(idpsim.Fault{Path: "/servicePrincipals/*/synchronization/jobs/*/schema", Status: http.StatusInternalServerError})
	r := pulled(t, knows)
	if u, ok := r.User(ids["direct Legal"]); standing(u, ok) != "out" {
		t.Errorf("the rules as read last: %s", standing(u, ok))
	}
	r = pulled(t, blind)
	for _, who := range []string{"direct Legal", "direct Sales", "member Sales"} {
		if u, ok := r.User(ids[who]); standing(u, ok) != "kept" {
			t.Errorf("no rules: %s is %s", who, standing(u, ok))
		}
	}
	if l, _ := r.ListOf(connectors.Assignments, ""); l.Whole || l.Err == "" {
		t.Errorf("no rules, and silence counts: %+v", l)
	}
	if p, err := blind.Person(t.Context(), ids["outsider Sales"]); err != nil || !p.InScope || !p.User.Keep {
		t.Errorf("no rules, and a look says %+v, %v", p, err)
	}
	if _, err := blind.Delta(t.Context(), connectors.Since{Cursor: "{}"}, &connectortest.DeltaRecorder{}); err == nil || connectors.FaultOf(err) == connectors.LostCursor {
		t.Errorf("no rules, and a delta goes on: %v", err)
	}
}

// The job's rules are read once for a run, whatever it reads besides.
func TestTheRulesAreReadOncePerRun(t *testing.T) {
	t.Parallel()
	s, ids := company(t)
	c := scoped(t, s, nil)
	ctx := connectors.WithBudget(t.Context(), connectors.NewBudget(1000))
	_, err := c.Job(ctx)
	must(t, err)
	must(t, c.Pull(ctx, &connectortest.Recorder{}))
	for _, id := range []string{ids["direct Legal"], ids["member Sales"]} {
		_, err := c.Person(ctx, id)
		must(t, err)
	}
	for path, n := range s.Requests() {
		if strings.Contains(path, "synchronization") && n != 1 {
			t.Errorf("%s: %d requests", path, n)
		}
	}
}

// SkipOutOfScopeDeletions: who merely left is told from who is off or deleted, without a look at each.
func TestWhoLeftAndKeepsTheirAccountIsTold(t *testing.T) {
	t.Parallel()
	s, ids := company(t)
	s.SkipOutOfScopeDeletions(true)
	must(t, s.DeleteUser(ids["outsider Legal"]))
	must(t, s.DisableUser(ids["outsider Sales"]))
	must(t, s.Unassign(ids["direct Sales"]))
	c := scoped(t, s, nil)
	r := pulled(t, c)
	for who, w := range map[string]string{"direct Sales": "out", "outsider Sales": "gone", "outsider Legal": "nothing", "direct Legal": "in"} {
		if u, ok := r.User(ids[who]); standing(u, ok) != w {
			t.Errorf("%s is %s, want %s: %+v", who, standing(u, ok), w, u)
		}
	}
	is, err := c.Scope(t.Context())
	must(t, err)
	if is.KeepOutOfScope == "" || is.Rules == "" {
		t.Errorf("%+v", is)
	}
	// A group that can't be read says nothing of who is in it: nobody is out of scope for its sake.
	s.Inject(idpsim.Fault{Path: "/groups/" + ids["team Legal"] + "/members", Status: http.StatusBadRequest})
	if u, ok := pulled(t, c).User(ids["member Legal"]); standing(u, ok) != "nothing" {
		t.Errorf("with a list that broke off: %s", standing(u, ok))
	}
}

// A look tells who was soft-deleted, and until when they can be restored, from who is gone for good.
func TestALookTellsWhatBecameOfSomebody(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	s := idpsim.New(idpsim.Config{Seed: 1, Members: 3, Now: func() time.Time { return at }})
	people := s.Desired()
	must(t, s.DeleteUser(people[0].ObjectID))
	must(t, s.DeleteUser(people[1].ObjectID))
	must(t, s.PurgeUser(people[1].ObjectID))
	c := scoped(t, s, nil)
	for i, want := range []string{"soft-deleted in Entra since 2026-11-01T08:00:00Z, restorable until 2026-12-01T08:00:00Z", "for good"} {
		p, err := c.Person(t.Context(), people[i].ObjectID)
		if err != nil || p.User != nil || p.InScope || !strings.Contains(p.Why, want) {
			t.Errorf("%+v, %v, want %s", p, err, want)
		}
		many, err := c.People(t.Context(), []string{people[i].ObjectID, people[2].ObjectID})
		if err != nil || !strings.Contains(many[people[i].ObjectID].Why, want) || !many[people[2].ObjectID].InScope {
			t.Errorf("together with others: %+v, %v", many, err)
		}
	}
	must(t, s.RestoreUser(people[0].ObjectID))
	if p, err := c.Person(t.Context(), people[0].ObjectID); err != nil || !p.InScope || p.Why != "" {
		t.Errorf("restored: %+v, %v", p, err)
	}
	// That Graph does not find somebody is no deletion while it can't be asked for the deleted.
	must(t, s.DeleteUser(people[0].ObjectID))
	s.Inject(idpsim.Fault{Path: "/directory/deletedItems/*", Status: http.StatusInternalServerError})
	if p, err := c.Person(t.Context(), people[0].ObjectID); err == nil {
		t.Errorf("a bare 404 said %+v", p)
	}
}
