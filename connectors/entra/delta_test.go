package entra_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/internal/idpsim"
)

const (
	changedUsers  = "/users/delta()"
	changedGroups = "/groups/delta()"
)

// round answers one page of a delta, the last.
func round(entries ...object) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		link := fakeURL + r.URL.Path + "?$deltatoken=next"
		one(object{"value": append([]object{}, entries...), "@odata.deltaLink": link})(w, r)
	}
}

// pageOf answers a page of a delta that another follows.
func pageOf(of, token string, entries ...object) http.HandlerFunc {
	return list(fakeURL+"/v1.0"+of+"?$skiptoken="+token, entries)
}

func removed(n int, reason string) object {
	return object{"id": id(n), "@removed": object{"reason": reason}}
}

func members(group int, changes ...object) object {
	return object{"id": id(group), "members@delta": changes}
}

func came(n int) object { return object{"@odata.type": "#microsoft.graph.user", "id": id(n)} }

func left(n int) object {
	o := came(n)
	o["@removed"] = object{"reason": "deleted"}
	return o
}

// people answers a look-up of users by id from those who are there.
func people(there ...int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		found := []object{}
		for _, n := range there {
			if strings.Contains(r.URL.Query().Get("$filter"), id(n)) {
				found = append(found, user(n))
			}
		}
		page(found...)(w, r)
	}
}

// openDelta returns a connector on a fake in which nothing has changed but what the routes say, and a cursor.
func openDelta(t *testing.T, routes map[string]http.HandlerFunc) (*entra.Connector, *fakeGraph, string) {
	t.Helper()
	c, f := newFake(t, map[string]http.HandlerFunc{changedUsers: round(), changedGroups: round(), "/users": people()})
	cursor, err := c.Cursor(t.Context())
	must(t, err)
	for path, h := range routes {
		f.routes[path] = h
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = nil
	return c, f, cursor
}

func known(ids ...int) map[string]bool {
	out := map[string]bool{}
	for _, n := range ids {
		out[id(n)] = true
	}
	return out
}

// follow reads a delta that has to succeed.
func follow(t *testing.T, c *entra.Connector, r *connectortest.DeltaRecorder, since connectors.Since) *connectortest.DeltaRecorder {
	t.Helper()
	next, err := c.Delta(t.Context(), since, r)
	if err != nil || next == "" {
		t.Fatalf("Delta = %q, %v", next, err)
	}
	return r
}

// TestLastWordOfAUser: what an entry says of attributes is not believed; the last entry says whether a person is gone.
func TestLastWordOfAUser(t *testing.T) {
	t.Parallel()
	stale := object{"id": id(1), "userPrincipalName": "old@contoso.example"}
	for name, tc := range map[string]struct {
		entries []object
		there   []int
		gone    string
		found   bool
	}{
		"changed":                           {[]object{stale}, []int{1}, "", true},
		"changed, but not found":            {[]object{stale}, nil, "", false},
		"soft-deleted":                      {[]object{removed(1, "changed")}, []int{1}, "soft-deleted in the directory", true},
		"deleted":                           {[]object{removed(1, "deleted")}, []int{1}, "deleted in the directory", true},
		"deleted in an unknown way":         {[]object{{"id": id(1), "@removed": object{}}}, []int{1}, "deleted in the directory", true},
		"changed, then deleted":             {[]object{stale, removed(1, "changed")}, []int{1}, "soft-deleted in the directory", true},
		"deleted, then there again":         {[]object{removed(1, "changed"), stale}, []int{1}, "", true},
		"deleted, then again, but not here": {[]object{removed(1, "deleted"), stale}, nil, "deleted in the directory", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, rest := tc.entries[:1], tc.entries[1:]
			c, _, cursor := openDelta(t, map[string]http.HandlerFunc{
				assignedTo: page(assigned("User", 1)), "/users": people(tc.there...),
				changedUsers: pageOf(changedUsers, "a", first...), changedUsers + "#a": pageOf(changedUsers, "b"), changedUsers + "#b": round(rest...),
			})
			said := follow(t, c, &connectortest.DeltaRecorder{PeopleKnown: known(1)}, connectors.Since{Cursor: cursor})
			u, found := said.User(id(1))
			if found != tc.found || u.Gone != tc.gone {
				t.Fatalf("found %t, %+v", found, u)
			}
			if tc.gone == "" && found && (u.Attributes["userPrincipalName"] != "user1@contoso.example" || u.Scope != "assigned directly") {
				t.Errorf("%+v, want what was read of them", u)
			}
		})
	}
}

// TestNotFoundIsNoDeletion: someone who is asked for and not found is left out.
func TestNotFoundIsNoDeletion(t *testing.T) {
	t.Parallel()
	c, f, cursor := openDelta(t, map[string]http.HandlerFunc{assignedTo: page(assigned("User", 1))})
	said := follow(t, c, &connectortest.DeltaRecorder{}, connectors.Since{Cursor: cursor, Users: []string{id(2), "no id"}})
	for n := range 3 {
		if u, found := said.User(id(n)); found {
			t.Errorf("%+v", u)
		}
	}
	asked := f.requests("/users")
	if q := asked[len(asked)-1].URL.Query().Get("$filter"); !strings.Contains(q, id(1)) || !strings.Contains(q, id(2)) {
		t.Errorf("asked for %s", q)
	}
}

// TestLastWordOfAMember: a group may come in several entries and pages; of one member the last counts, and only people do.
func TestLastWordOfAMember(t *testing.T) {
	t.Parallel()
	nested := object{"@odata.type": "#microsoft.graph.group", "id": id(30)}
	c, f, cursor := openDelta(t, map[string]http.HandlerFunc{
		assignedTo: page(assigned("Group", 9)), "/groups/" + id(9): one(groupOf(9)), "/users": people(1, 2, 3),
		changedGroups:        pageOf(changedGroups, "a", members(9, came(1), left(2)), members(8, came(4)), object{"id": id(9)}),
		changedGroups + "#a": pageOf(changedGroups, "b", members(9, nested, left(1), came(2))),
		changedGroups + "#b": round(members(9, came(3)), object{"id": id(7), "@removed": object{"reason": "deleted"}}),
	})
	said := follow(t, c, &connectortest.DeltaRecorder{GroupsKnown: known(9)}, connectors.Since{Cursor: cursor})
	if came, went := said.MembersOf(id(9)), said.LeftOf(id(9)); !slices.Equal(came, []string{id(2), id(3)}) || !slices.Equal(went, []string{id(1)}) {
		t.Errorf("came %v, went %v", came, went)
	}
	if ids := said.GroupIDs(); !slices.Equal(ids, []string{id(9)}) || len(f.requests("/groups/"+id(9)+"/members")) > 0 {
		t.Errorf("groups %v, the members of one read: %d", ids, len(f.requests("/groups/"+id(9)+"/members")))
	}
	if u, _ := said.User(id(3)); u.Scope != "through group Group 9" {
		t.Errorf("%+v", u)
	}
	if _, found := said.User(id(1)); found {
		t.Error("who went was read, which says nothing about where they are now")
	}
}

// TestGroupsWhoseChangeDoesNotSuffice: their members are read from the first to the last.
func TestGroupsWhoseChangeDoesNotSuffice(t *testing.T) {
	t.Parallel()
	nobody := object{"id": id(1)} // neither a user nor a group
	for name, since := range map[string]connectors.Since{"asked for": {Groups: []string{id(9)}}, "a member of no type": {}, "not known": {}} {
		c, _, cursor := openDelta(t, map[string]http.HandlerFunc{
			assignedTo: page(assigned("Group", 9)), "/groups/" + id(9): one(groupOf(9)), "/users": people(1, 2),
			"/groups/" + id(9) + "/members/graph.user": page(came(1), came(2)), changedGroups: round(members(9, nobody)),
		})
		since.Cursor = cursor
		r := &connectortest.DeltaRecorder{PeopleKnown: known(1)}
		if name != "not known" {
			r.GroupsKnown = known(9)
		}
		follow(t, c, r, since)
		if l, found := r.ListOf(connectors.Members, id(9)); !found || !l.Whole || l.Count != 2 || len(r.MembersOf(id(9))) != 2 {
			t.Errorf("%s: found %t, %+v", name, found, l)
		}
		_, one := r.User(id(1))
		if _, two := r.User(id(2)); one || !two {
			t.Errorf("%s: read who is known: %t, who is not: %t", name, one, two)
		}
	}
}

// TestGroupsThatNoAttemptReads: as in a pull, their lists aren't whole; the delta goes on, or it never would.
func TestGroupsThatNoAttemptReads(t *testing.T) {
	t.Parallel()
	hidden := groupOf(9)
	hidden["visibility"] = "HiddenMembership"
	list := "/groups/" + id(9) + "/members/graph.user"
	for name, routes := range map[string]map[string]http.HandlerFunc{
		"hidden members":     {"/groups/" + id(9): one(hidden), list: page()},
		"hidden and refused": {"/groups/" + id(9): one(hidden), list: reply(http.StatusForbidden, ``)},
		"gone":               {},
		"gone in between":    {"/groups/" + id(9): one(groupOf(9))},
	} {
		routes[assignedTo] = page(assigned("Group", 9))
		c, _, cursor := openDelta(t, routes)
		said := follow(t, c, &connectortest.DeltaRecorder{}, connectors.Since{Cursor: cursor})
		l, found := said.ListOf(connectors.Members, id(9))
		all, _ := said.ListOf(connectors.Assignments, "")
		if !found || l.Whole || l.Err == "" || !all.Whole {
			t.Errorf("%s: found %t, %+v, assignments %+v", name, found, l, all)
		}
	}
	c, _, cursor := openDelta(t, map[string]http.HandlerFunc{
		assignedTo: page(assigned("Group", 9)), "/groups/" + id(9): one(groupOf(9)), list: reply(http.StatusForbidden, ``),
	})
	if next, err := c.Delta(t.Context(), connectors.Since{Cursor: cursor}, &connectortest.DeltaRecorder{}); err == nil || next != "" {
		t.Errorf("members that are refused, but not hidden: %q, %v", next, err)
	}
}

// TestPeopleWhoChangedAndAreNotKnown: their own assignments say whether they are in scope, and by which groups; what the
// groups' changes say is newer.
func TestPeopleWhoChangedAndAreNotKnown(t *testing.T) {
	t.Parallel()
	through := func(group int) object { return assigned("Group", group) }
	c, _, cursor := openDelta(t, map[string]http.HandlerFunc{
		assignedTo: page(assigned("Group", 8), assigned("Group", 9)), "/users": people(1, 2, 3, 4),
		"/groups/" + id(8): one(groupOf(8)), "/groups/" + id(9): one(groupOf(9)),
		changedUsers:  round(object{"id": id(1)}, object{"id": id(2)}, object{"id": id(3)}, object{"id": id(4)}),
		changedGroups: round(members(9, left(3))),
		"/users/" + id(1) + "/appRoleAssignments": page(through(8), through(9), through(7)),
		"/users/" + id(2) + "/appRoleAssignments": page(),
		"/users/" + id(3) + "/appRoleAssignments": page(through(9)),
	})
	said := follow(t, c, &connectortest.DeltaRecorder{GroupsKnown: known(8, 9)}, connectors.Since{Cursor: cursor})
	if u, found := said.User(id(1)); !found || u.Scope != "through group Group 8" {
		t.Errorf("in scope: %t, %+v", found, u)
	}
	for n, why := range map[int]string{2: "is out of scope", 3: "has left the group", 4: "is not there any more"} {
		if u, found := said.User(id(n)); found {
			t.Errorf("somebody who %s is handed over: %+v", why, u)
		}
	}
	for _, group := range []int{8, 9} {
		if ids := said.MembersOf(id(group)); !slices.Equal(ids, []string{id(1)}) {
			t.Errorf("members of %d: %v", group, ids)
		}
	}
	if ids := said.MembersOf(id(7)); len(ids) > 0 {
		t.Errorf("members of a group that is not in the assignment list: %v", ids)
	}
}

// TestAChangeOfTheWholeTenant: where that takes fewer calls, groups are read whole instead of asking about each person.
func TestAChangeOfTheWholeTenant(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ changed, groups, asks, lists int }{
		{30, 1, 30, 0}, {31, 1, 0, 1}, {50, 3, 50, 0}, {51, 3, 0, 3}, {200, 0, 0, 0},
	} {
		sim := idpsim.New(idpsim.Config{Seed: 1, Outsiders: tc.changed, Members: 30, Groups: tc.groups, Disabled: -1})
		s := &tenant{Tenant: sim, url: serve(t, sim)}
		if tc.groups == 0 {
			for _, a := range sim.Assignments() {
				must(t, sim.Unassign(a.PrincipalID))
			}
		}
		c := s.Open(t, connectortest.Access{}).(*entra.Connector)
		cursor, err := c.Cursor(t.Context())
		must(t, err)
		for _, u := range sim.Users() {
			if len(sim.Scope(u.ObjectID)) == 0 && tc.changed > 0 {
				must(t, sim.UpdateUser(u.ObjectID, func(u *idpsim.User) { u.Department = "Moved" }))
				tc.changed--
			}
		}
		r := &connectortest.DeltaRecorder{PeopleKnown: map[string]bool{}, GroupsKnown: map[string]bool{}}
		for _, u := range sim.Desired() {
			r.PeopleKnown[u.ObjectID] = true
		}
		for _, g := range sim.DesiredTeams() {
			r.GroupsKnown[g.ObjectID] = true
		}
		sim.ResetRequests()
		follow(t, c, r, connectors.Since{Cursor: cursor})
		got := sim.Requests()
		lists := 0
		for _, g := range sim.DesiredTeams() {
			if l, _ := r.ListOf(connectors.Members, g.ObjectID); l.Whole {
				lists++
			}
		}
		if asks := got["GET /users/{id}/appRoleAssignments"]; asks != tc.asks || lists != tc.lists {
			t.Errorf("%+v: %d questions and %d lists", tc, asks, lists)
		}
	}
}

// TestDeltaCosts: where nothing changed, it costs the assignment list, one request for users and for groups, and three for the
// rules of the provisioning job.
func TestDeltaCosts(t *testing.T) {
	t.Parallel()
	sim := idpsim.New(idpsim.Config{Seed: 1, Members: 400, Groups: 30})
	c, err := entra.Open(entra.Config{GraphURL: serve(t, sim), AccessToken: sim.AccessToken(), ServicePrincipalID: sim.ServicePrincipalID()}, nil, nil)
	must(t, err)
	cursor, err := c.Cursor(t.Context())
	must(t, err)
	r := &connectortest.DeltaRecorder{PeopleKnown: map[string]bool{}, GroupsKnown: map[string]bool{}}
	for _, u := range sim.Users() {
		r.PeopleKnown[u.ObjectID] = true
	}
	for _, g := range sim.Groups() {
		r.GroupsKnown[g.ObjectID] = true
	}
	budget := connectors.NewBudget(100)
	if _, err := c.Delta(connectors.WithBudget(t.Context(), budget), connectors.Since{Cursor: cursor}, r); err != nil || budget.Spent() != 6 {
		t.Errorf("%v after %d calls", err, budget.Spent())
	}
}

// TestAGroupOfVeryManyIsAssigned: they are read from the tenant's list, not each of them by id.
func TestAGroupOfVeryManyIsAssigned(t *testing.T) {
	t.Parallel()
	const many = 10_001
	everyone := func(top string) []object {
		var out []object
		for n := range many {
			out = append(out, object{"id": fmt.Sprintf("33333333-3333-4333-8333-%012d", n), "accountEnabled": true, "userPrincipalName": top})
		}
		return out
	}
	c, f, cursor := openDelta(t, map[string]http.HandlerFunc{
		assignedTo: page(assigned("Group", 9)), "/groups/" + id(9): one(groupOf(9)),
		"/groups/" + id(9) + "/members/graph.user": page(everyone("")...), "/users": page(append(everyone("x"), user(1))...),
	})
	said := follow(t, c, &connectortest.DeltaRecorder{}, connectors.Since{Cursor: cursor})
	if _, outside := said.User(id(1)); outside || len(said.MembersOf(id(9))) != many {
		t.Errorf("someone outside: %t, %d members", outside, len(said.MembersOf(id(9))))
	}
	reads := 0
	for _, r := range f.requests("/users") {
		if r.URL.Path == "/v1.0/users" {
			reads++
		}
	}
	if u, found := said.User("33333333-3333-4333-8333-000000000000"); reads != 1 || !found || u.Scope == "" {
		t.Errorf("%d reads of users; one of them: %t, %+v", reads, found, u)
	}
}

// TestGroupsOf: only groups that are assigned to this application, and each once.
func TestGroupsOf(t *testing.T) {
	t.Parallel()
	elsewhere := assigned("Group", 7)
	elsewhere["resourceId"] = id(99)
	c, _, _ := openDelta(t, map[string]http.HandlerFunc{
		"/users/" + id(1) + "/appRoleAssignments": page(assigned("User", 1), assigned("Group", 9), elsewhere, assigned("Group", 8), assigned("Group", 9)),
	})
	if ids, err := c.GroupsOf(t.Context(), id(1)); err != nil || !slices.Equal(ids, []string{id(8), id(9)}) {
		t.Errorf("GroupsOf = %v, %v", ids, err)
	}
	for _, nobody := range []string{id(2), "", "me", "../groups"} {
		if ids, err := c.GroupsOf(t.Context(), nobody); err == nil {
			t.Errorf("GroupsOf(%q) = %v, want an error", nobody, ids)
		}
	}
}

// TestWhoIsGoneIsNotLookedFor: nor do they count as members, whatever a group's change says.
func TestWhoIsGoneIsNotLookedFor(t *testing.T) {
	t.Parallel()
	c, f, cursor := openDelta(t, map[string]http.HandlerFunc{
		assignedTo: page(assigned("Group", 9)), "/groups/" + id(9): one(groupOf(9)), "/users": people(1),
		changedUsers: round(removed(1, "changed")), changedGroups: round(members(9, came(1))),
	})
	said := follow(t, c, &connectortest.DeltaRecorder{GroupsKnown: known(9)}, connectors.Since{Cursor: cursor, Users: []string{id(1)}})
	u, _ := said.User(id(1))
	if u.Gone == "" || len(said.MembersOf(id(9))) > 0 || len(f.requests("/users")) != 1 {
		t.Errorf("%+v, members %v, %d requests for users", u, said.MembersOf(id(9)), len(f.requests("/users")))
	}
}
