package entra_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/internal/idpsim"
)

func pull(t *testing.T, c connectors.Reader) *connectortest.Recorder {
	t.Helper()
	got := &connectortest.Recorder{}
	must(t, c.Pull(t.Context(), got))
	return got
}

// TestErrorBodies: whatever an error's body is, the status decides, and nothing panics.
func TestErrorBodies(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]connectors.Fault{
		400: connectors.Broken, 401: connectors.BadCredentials, 403: connectors.MissingPermission, 404: connectors.NotFound,
		410: connectors.Broken, 500: connectors.Unreachable,
	} {
		for _, body := range []string{
			`{"error":{"code":"C","message":"M"}}`, `{"message":"no error member"}`, `{"error":null}`, `{"error":{}}`,
			`{"error":"text"}`, `{"error":{"code":1,"message":2}}`, `null`, `[]`, ``, `<html>Bad gateway</html>`, `{"error":`,
		} {
			c, _ := newFake(t, map[string]http.HandlerFunc{assignedTo: reply(status, body)})
			err := c.Pull(t.Context(), &connectortest.Recorder{})
			var e *connectors.Error
			if !errors.As(err, &e) || e.Fault != want || e.Status != status || e.Error() == "" {
				t.Errorf("%d with body %q gave %v, want %s", status, body, err, want)
			}
		}
	}
}

// TestFixes: the error says what to grant, or which setting is wrong.
func TestFixes(t *testing.T) {
	t.Parallel()
	denied := reply(http.StatusForbidden, `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges."}}`)
	roles := "/users/" + id(1) + "/appRoleAssignments"
	for path, want := range map[string]string{
		assignedTo: "Application.Read.All", "/users": "User.Read.All", "/groups": "GroupMember.Read.All",
		"/groups/" + id(9) + "/members/graph.user": "GroupMember.Read.All", roles: "Directory.Read.All",
	} {
		routes := map[string]http.HandlerFunc{
			"/users": page(user(1)), roles: page(), "/groups": page(groupOf(9)), "/groups/" + id(9) + "/members/graph.user": page(),
		}
		routes[path] = denied
		c, _ := newFake(t, routes)
		if err := c.Test(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Test without the permission for %s = %v, want it to name %s", path, err, want)
		}
	}
	c, _ := newFake(t, map[string]http.HandlerFunc{assignedTo: denied, "/users": denied, "/groups": page()})
	if err := c.Test(t.Context()); err == nil || !strings.Contains(err.Error(), "Application.Read.All") || !strings.Contains(err.Error(), "User.Read.All") {
		t.Errorf("Test without two permissions = %v, want both named", err)
	}
	c, _ = newFake(t, map[string]http.HandlerFunc{assignedTo: reply(http.StatusNotFound, `{}`)})
	if err := c.Test(t.Context()); err == nil || !strings.Contains(err.Error(), "service_principal_id") {
		t.Errorf("Test with a wrong application = %v, want service_principal_id named", err)
	}
}

// TestAnswersThatMakeNoSense: none of them passes for an empty list.
func TestAnswersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"no body":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
		"no content":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"no value":           reply(http.StatusOK, `{"@odata.context":"x"}`),
		"value null":         reply(http.StatusOK, `{"value":null}`),
		"value no list":      reply(http.StatusOK, `{"value":{}}`),
		"null":               reply(http.StatusOK, `null`),
		"cut off":            reply(http.StatusOK, `{"value":[{"id":"`+id(1)+`"`),
		"entry null":         reply(http.StatusOK, `{"value":[null]}`),
		"entry without id":   reply(http.StatusOK, `{"value":[{"displayName":"x"}]}`),
		"id no GUID":         reply(http.StatusOK, `{"value":[{"id":"x"}]}`),
		"next link empty":    reply(http.StatusOK, `{"value":[],"@odata.nextLink":""}`),
		"next link relative": reply(http.StatusOK, `{"value":[],"@odata.nextLink":"/v1.0/groups"}`),
		"a page to sign in": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>Sign in</html>"))
		},
		"redirect": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://login.example/")
			w.WriteHeader(http.StatusFound)
		},
		"challenge that the SDK trips over": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", "Bearer claims=none")
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := newFake(t, map[string]http.HandlerFunc{
				assignedTo:         page(assigned("Group", 9)),
				"/groups/" + id(9): one(groupOf(9)), "/groups/" + id(9) + "/members/graph.user": answer,
			})
			got := pull(t, c)
			if l, found := got.ListOf(connectors.Members, id(9)); !found || l.Whole || l.Err == "" {
				t.Errorf("list of members: found %t, %+v", found, l)
			}
			if ids, err := c.GroupMembers(t.Context(), id(9)); err == nil || len(ids) > 0 {
				t.Errorf("GroupMembers = %v, %v, want an error", ids, err)
			}
		})
	}
}

// TestNextLinkElsewhere: a link to another place is not followed, and nothing is sent there.
func TestNextLinkElsewhere(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was sent there with Authorization %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	sim := idpsim.New(idpsim.Config{Seed: 1, Members: 40, Groups: 3})
	for _, link := range []string{other.URL + "/v1.0/users?$skiptoken=x", "https://evil.example/v1.0/users", "//evil.example/", "ftp://127.0.0.1/"} {
		remove := sim.Inject(idpsim.Fault{Path: "/users", NextLink: link})
		got := pull(t, (&tenant{Tenant: sim, url: serve(t, sim)}).Open(t, connectortest.Access{}))
		l, found := got.ListOf(connectors.Users, "")
		if !found || l.Whole || !strings.Contains(l.Err, "link") {
			t.Errorf("with a link to %s: found %t, %+v", link, found, l)
		}
		remove()
	}
}

func TestNextLinkToItself(t *testing.T) {
	t.Parallel()
	self := fakeURL + "/v1.0" + assignedTo + "?$skiptoken=a"
	c, f := newFake(t, map[string]http.HandlerFunc{assignedTo: list(self, nil), assignedTo + "#a": list(self, nil)})
	if l, _ := pull(t, c).ListOf(connectors.Assignments, ""); l.Whole || len(f.requests(assignedTo)) != 2 {
		t.Errorf("%+v after %d requests", l, len(f.requests(assignedTo)))
	}
}

// TestEmptyPages: they are legal anywhere; only a missing link ends a list.
func TestEmptyPages(t *testing.T) {
	t.Parallel()
	next := func(token string) string { return fakeURL + "/v1.0" + assignedTo + "?$skiptoken=" + token }
	c, _ := newFake(t, map[string]http.HandlerFunc{
		assignedTo: list(next("a"), nil), assignedTo + "#a": list(next("b"), []object{assigned("User", 1), assigned("ServicePrincipal", 3)}),
		assignedTo + "#b": list(next("c"), nil), assignedTo + "#c": page(assigned("User", 2), assigned("User", 1)),
		"/users": page(user(1), user(2)),
	})
	got := pull(t, c)
	l, _ := got.ListOf(connectors.Assignments, "")
	_, first := got.User(id(1))
	_, second := got.User(id(2))
	if !l.Whole || l.Count != 2 || !first || !second {
		t.Errorf("%+v, users %t %t", l, first, second)
	}
}

// TestAssignedGroupThatIsGone: it isn't handed on, and nobody is taken for out of scope because of it.
func TestAssignedGroupThatIsGone(t *testing.T) {
	t.Parallel()
	c, _ := newFake(t, map[string]http.HandlerFunc{
		assignedTo:         page(assigned("Group", 8), assigned("Group", 9)),
		"/groups/" + id(9): one(groupOf(9)), "/groups/" + id(9) + "/members/graph.user": page(user(1)), "/users": page(user(1)),
	})
	got := pull(t, c)
	if ids := got.GroupIDs(); !slices.Equal(ids, []string{id(9)}) {
		t.Errorf("groups %v", ids)
	}
	gone, _ := got.ListOf(connectors.Members, id(8))
	there, _ := got.ListOf(connectors.Members, id(9))
	all, _ := got.ListOf(connectors.Assignments, "")
	if gone.Whole || !there.Whole || !all.Whole {
		t.Errorf("gone %+v, there %+v, assignments %+v", gone, there, all)
	}
}

// TestAssignedGroupThatCannotBeRead: the assignments are not whole, as a group in them was not handed on.
func TestAssignedGroupThatCannotBeRead(t *testing.T) {
	t.Parallel()
	c, _ := newFake(t, map[string]http.HandlerFunc{
		assignedTo: page(assigned("Group", 9)), "/groups/" + id(9): reply(http.StatusInternalServerError, ``),
	})
	got := pull(t, c)
	members, _ := got.ListOf(connectors.Members, id(9))
	all, _ := got.ListOf(connectors.Assignments, "")
	if members.Whole || all.Whole || all.Count != 1 {
		t.Errorf("members %+v, assignments %+v", members, all)
	}
}

// TestHiddenMembership: Graph gives an empty list where Member.Read.Hidden is missing.
func TestHiddenMembership(t *testing.T) {
	t.Parallel()
	hidden := groupOf(9)
	hidden["visibility"] = "HiddenMembership"
	c, _ := newFake(t, map[string]http.HandlerFunc{
		assignedTo: page(assigned("Group", 9)), "/groups/" + id(9): one(hidden), "/groups/" + id(9) + "/members/graph.user": page(),
	})
	if l, _ := pull(t, c).ListOf(connectors.Members, id(9)); l.Whole || !strings.Contains(l.Err, "Member.Read.Hidden") {
		t.Errorf("%+v", l)
	}
	if _, err := c.GroupMembers(t.Context(), id(9)); connectors.FaultOf(err) != connectors.MissingPermission {
		t.Errorf("GroupMembers = %v", err)
	}
}

// TestUserWithoutAccountEnabled: nobody is taken for disabled because a property is missing.
func TestUserWithoutAccountEnabled(t *testing.T) {
	t.Parallel()
	silent := object{"id": id(1), "userPrincipalName": "user1@contoso.example"}
	c, _ := newFake(t, map[string]http.HandlerFunc{
		assignedTo: page(assigned("User", 1)), "/users": page(silent), "/users/" + id(1): one(silent),
	})
	got := pull(t, c)
	if l, _ := got.ListOf(connectors.Users, ""); l.Whole || !strings.Contains(l.Err, "User.Read.All") {
		t.Errorf("%+v", l)
	}
	if _, found := got.User(id(1)); found {
		t.Error("the user was handed over")
	}
	if _, err := c.Person(t.Context(), id(1)); connectors.FaultOf(err) != connectors.MissingPermission {
		t.Errorf("Person = %v", err)
	}
}

// TestFewPeopleAreAskedForByID, in calls of 15 at most; more are picked from the whole list.
func TestFewPeopleAreAskedForByID(t *testing.T) {
	t.Parallel()
	for people, filters := range map[int][]int{0: {}, 1: {1}, 15: {15}, 16: {15, 1}, 20: {15, 5}, 21: {0}} {
		var rows []object
		for n := range people {
			rows = append(rows, assigned("User", n))
		}
		c, f := newFake(t, map[string]http.HandlerFunc{assignedTo: page(rows...), "/users": page()})
		if l, _ := pull(t, c).ListOf(connectors.Users, ""); !l.Whole {
			t.Errorf("%d people: %+v", people, l)
		}
		got := []int{}
		for _, r := range f.requests("/users") {
			got = append(got, strings.Count(r.URL.Query().Get("$filter"), "'")/2)
		}
		if !slices.Equal(got, filters) {
			t.Errorf("%d people were asked for by %v ids, want %v", people, got, filters)
		}
	}
}

// TestSecondLook: the person's own assignments are read over all pages, each with ConsistencyLevel, and only those to
// this application count.
func TestSecondLook(t *testing.T) {
	t.Parallel()
	roles := "/users/" + id(1) + "/appRoleAssignments"
	elsewhere := assigned("User", 1)
	elsewhere["resourceId"] = id(5)
	c, f := newFake(t, map[string]http.HandlerFunc{
		"/users/" + id(1): one(user(1)),
		roles:             list(fakeURL+"/v1.0"+roles+"?$skiptoken=a", []object{elsewhere}),
		roles + "#a":      page(assigned("Group", 9)),
	})
	got, err := c.Person(t.Context(), id(1))
	if err != nil || !got.InScope || got.User.Scope != "through group Group 9" {
		t.Errorf("Person = %+v, %v", got, err)
	}
	for _, r := range f.requests(roles) {
		if r.Header.Get("ConsistencyLevel") != "eventual" {
			t.Errorf("%s without ConsistencyLevel", r.URL)
		}
	}
	if q := f.requests(roles)[0].URL.Query(); q.Get("$filter") != "resourceId eq "+appID || q.Get("$count") != "true" {
		t.Errorf("first request with %v", q)
	}
	f.routes[roles] = page(assigned("Group", 9), assigned("User", 1))
	if got, err = c.Person(t.Context(), id(1)); err != nil || got.User.Scope != "assigned directly" {
		t.Errorf("Person = %+v, %v", got, err)
	}
	f.routes[roles] = page(elsewhere)
	if got, err = c.Person(t.Context(), id(1)); err != nil || got.InScope || got.User.Scope != "" {
		t.Errorf("Person = %+v, %v", got, err)
	}
}

// TestIDsThatAreNone never reach a path: Graph would take one for a userPrincipalName, or an empty one for the list.
func TestIDsThatAreNone(t *testing.T) {
	t.Parallel()
	c, f := newFake(t, nil)
	for _, bad := range []string{"", "user1@contoso.example", "../users", "{" + id(1) + "}", "urn:uuid:" + id(1)} {
		_, person := c.Person(t.Context(), bad)
		_, team := c.Team(t.Context(), bad)
		_, members := c.GroupMembers(t.Context(), bad)
		if person == nil || team == nil || members == nil {
			t.Errorf("id %q: %v, %v, %v", bad, person, team, members)
		}
	}
	if sent := f.requests(""); len(sent) > 0 {
		t.Errorf("%d requests were sent", len(sent))
	}
}

// TestNestedGroups: only direct members count, as in Entra's own provisioning.
func TestNestedGroups(t *testing.T) {
	t.Parallel()
	d := connectortest.Directory{
		People: []connectortest.Person{{UserName: "direct@contoso.example"}, {UserName: "nested@contoso.example"}},
		Groups: []connectortest.Group{
			{Name: "Outer", Assigned: true, Members: []string{"direct@contoso.example"}},
			{Name: "Inner", Members: []string{"nested@contoso.example"}},
		},
	}
	sim, _ := startTenant(t, d).(*tenant)
	must(t, sim.AddToGroup(sim.ids["Outer"], sim.ids["Inner"]))
	got := pull(t, sim.Open(t, connectortest.Access{}))
	_, direct := got.User(sim.ids["direct@contoso.example"])
	_, nested := got.User(sim.ids["nested@contoso.example"])
	if !direct || nested || len(got.MembersOf(sim.ids["Outer"])) != 1 {
		t.Errorf("direct %t, nested %t, members %v", direct, nested, got.MembersOf(sim.ids["Outer"]))
	}
}

// TestGivesUp: once Graph is out of reach for three lists in a row, the rest is reported without being asked for.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	var rows []object
	routes := map[string]http.HandlerFunc{}
	for n := range 30 {
		rows = append(rows, assigned("Group", n))
		routes["/groups/"+id(n)] = reply(http.StatusInternalServerError, ``)
	}
	routes[assignedTo] = page(rows...)
	c, f := newFake(t, routes)
	got := pull(t, c)
	if sent := len(f.requests("/groups")); sent != 3 {
		t.Errorf("%d requests for groups, want 3", sent)
	}
	for n := range 30 {
		if l, found := got.ListOf(connectors.Members, id(n)); !found || l.Whole {
			t.Errorf("group %d: found %t, %+v", n, found, l)
		}
	}
	if l, found := got.ListOf(connectors.Users, ""); !found || l.Whole {
		t.Errorf("users: found %t, %+v", found, l)
	}
}
