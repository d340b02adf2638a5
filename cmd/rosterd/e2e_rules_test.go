package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// Where push and pull meet: an organisation with two connections to two tenants, seen from outside alone.

// pair is an organisation with the connections one and two, a token bound to each, and one that is bound to none.
type pair struct {
	*machine
	a, b           *directory
	ta, tb, nobody *pushing
}

func (m *machine) pair() *pair {
	m.t.Helper()
	p := &pair{machine: m, a: m.directory(idpsim.Config{Seed: 1}), b: m.directory(idpsim.Config{Seed: 2})}
	m.configure(m.calm(p.a, "one"), m.calm(p.b, "two"))
	m.again()
	p.ta, p.tb, p.nobody = m.bound("one"), m.bound("two"), m.pushing(m.token("default", "nobody"))
	return p
}

// calm is the entry of a connection that trusts the IdP at once after a push.
func (m *machine) calm(d *directory, name string) string {
	return d.entry("default", name) + "    policy: { settle: 1ms }\n"
}

func (m *machine) bound(connection string) *pushing {
	m.t.Helper()
	line := "token create --org default --expires never --name " + connection + " --connection " + connection
	return m.pushing(asked[client.Token](m, exitDone, line).Token)
}

// joins adds people to a tenant, assigned, and returns the IdP's ids.
func (m *machine) joins(d *directory, names ...string) []string {
	m.t.Helper()
	ids := make([]string, 0, len(names))
	for _, name := range names {
		u, err := d.AddUser(idpsim.User{UserPrincipalName: name})
		m.ok(err, d.Assign(u.ObjectID))
		ids = append(ids, u.ObjectID)
	}
	return ids
}

// repair makes a run of one connection and holds how it ended and everything that it lists, as "kind action name".
func (m *machine) repair(connection, state string, want ...string) client.Run {
	m.t.Helper()
	got := m.rosterd("resync --org default --wait --json --connection " + connection)
	var runs client.Runs
	if err := json.Unmarshal([]byte(got.out), &runs); err != nil || len(runs.Runs) != 1 {
		m.t.Fatalf("resync %s: %v %+v", connection, err, got)
	}
	all := []string{}
	for _, a := range runs.Runs[0].Actions {
		all = append(all, fmt.Sprintf("%s %s %s", a.Kind, a.Action, a.Subject.Name))
	}
	m.same("run of "+connection, all, want...)
	if r := runs.Runs[0]; r.State != state || !r.Complete {
		m.t.Errorf("run of %s: %s, complete %t, %s", connection, r.State, r.Complete, r.Error)
	}
	return runs.Runs[0]
}

func (m *machine) same(what string, got []string, want ...string) {
	m.t.Helper()
	got = slices.Sorted(slices.Values(got))
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		m.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// is holds somebody's status, owner and teams, and returns their id.
func (m *machine) is(name, status, connection string, teams ...string) string {
	m.t.Helper()
	for _, x := range m.members("default") {
		if x.UserName != name {
			continue
		}
		owner := "nobody"
		if x.Connection != nil {
			owner = *x.Connection
		}
		if x.Status != status || owner != connection {
			m.t.Errorf("%s is %s and belongs to %s, want %s, %s", name, x.Status, owner, status, connection)
		}
		m.same("teams of "+name, x.Teams, teams...)
		return x.ID
	}
	m.t.Fatalf("no member %s", name)
	return ""
}

// told holds that the latest event of a type is about somebody.
func (m *machine) told(kind, name string) {
	m.t.Helper()
	for _, e := range slices.Backward(m.events("default")) {
		if e.Type == kind {
			if e.Subject.Name != name {
				m.t.Errorf("the latest %s is about %s, want %s", kind, e.Subject.Name, name)
			}
			return
		}
	}
	m.t.Errorf("no event %s", kind)
}

// sees holds which users a token is shown, in the list and by a filter.
func (m *machine) sees(p *pushing, names ...string) {
	m.t.Helper()
	for _, query := range []string{"", "?filter=" + url.QueryEscape(`userName co "@"`)} {
		var got []string
		list := p.must(m.t, http.StatusOK, "GET", "/Users"+query, nil)
		resources, _ := list["Resources"].([]any)
		for _, r := range resources {
			user, _ := r.(map[string]any)
			got = append(got, object(user).text("userName"))
		}
		m.same("users"+query, got, names...)
	}
}

func (o object) with(key string, value any) object {
	o[key] = value
	return o
}

func TestE2EOwnership(t *testing.T) {
	eachMachine(t, func(m *machine) {
		p := m.pair()
		p.ta.must(m.t, http.StatusCreated, "POST", "/Users", user("ann@x.example", "Ann"))
		bob := p.tb.must(m.t, http.StatusCreated, "POST", "/Users", user("bob@x.example", "Bob")).text("id")
		cy := p.nobody.must(m.t, http.StatusCreated, "POST", "/Users", user("cy@x.example", "Cy")).text("id")
		m.sees(p.ta, "ann@x.example", "cy@x.example")
		m.sees(p.tb, "bob@x.example", "cy@x.example")
		m.sees(p.nobody, "ann@x.example", "bob@x.example", "cy@x.example")
		for _, method := range []string{"GET", "DELETE"} {
			p.ta.must(m.t, http.StatusNotFound, method, "/Users/"+bob, nil)
		}
		p.tb.must(m.t, http.StatusConflict, "POST", "/Users", user("ANN@x.example", "Ann"))
		clash := asked[[]client.Request](m, exitDone, "requests list --org default --status 409")
		if len(clash) != 1 || !strings.Contains(clash[0].Detail, "owned by connection one") {
			m.t.Errorf("the clash in the request log: %+v", clash)
		}
		p.nobody.must(m.t, http.StatusOK, "PATCH", "/Users/"+bob, patch(replace("displayName", "Bobby")))
		m.is("bob@x.example", "pending", "two")
		team := p.nobody.must(m.t, http.StatusCreated, "POST", "/Groups", group("Eng", cy)).text("id")
		m.is("cy@x.example", "pending", "nobody", "Eng")
		p.ta.must(m.t, http.StatusOK, "PATCH", "/Users/"+cy, patch(replace("displayName", "Cyrus")))
		m.is("cy@x.example", "pending", "one", "Eng")
		m.told("member.claimed", "cy@x.example")
		p.tb.must(m.t, http.StatusNoContent, "PATCH", "/Groups/"+team, patch(replace("displayName", "Engineers")))
		m.told("team.claimed", "Engineers")
		p.ta.must(m.t, http.StatusNotFound, "GET", "/Groups/"+team, nil)
	})
}

func TestE2ETwoLinks(t *testing.T) {
	eachMachine(t, func(m *machine) {
		p := m.pair()
		shared := []string{"s1@x.example", "s2@x.example", "s3@x.example", "s4@x.example"}
		ids := m.joins(p.a, shared...)
		m.joins(p.b, shared...)
		m.repair("one", "done", prefixed("missing_member create ", shared)...)
		m.repair("two", "done", prefixed("conflict none ", shared)...)
		here := make([]string, 0, len(shared))
		for _, name := range shared {
			m.want(exitDone, "members link "+name+" --connection two --org default")
			here = append(here, m.is(name, "pending", "one"))
		}
		m.repair("two", "done")
		stored := p.tb.must(m.t, http.StatusOK, "PATCH", "/Users/"+here[0], patch(replace("displayName", "X"), replace("active", false)))
		if stored["active"] != true || stored.text("displayName") == "X" {
			m.t.Errorf("the second connection wrote %v", stored)
		}
		p.tb.must(m.t, http.StatusCreated, "POST", "/Groups", group("Two", here[1]))
		p.ta.must(m.t, http.StatusOK, "PATCH", "/Users/"+here[0], patch(replace("active", false)))
		m.is(shared[0], "deactivated", "one") // off there as well
		p.ta.must(m.t, http.StatusOK, "PATCH", "/Users/"+here[1], patch(replace("active", false)))
		m.is(shared[1], "pending", "two", "Two")
		m.told("member.passed", shared[1])
		p.ta.must(m.t, http.StatusNoContent, "DELETE", "/Users/"+here[2], nil)
		m.is(shared[2], "pending", "two")
		m.ok(p.a.DisableUser(ids[0]), p.a.DisableUser(ids[3]))
		m.repair("one", "done", "orphaned_member none "+shared[3])
		m.is(shared[3], "pending", "two")
		m.repair("one", "done")
	})
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, prefix+n)
	}
	return out
}

func TestE2ELocalMembers(t *testing.T) {
	eachMachine(t, func(m *machine) {
		p := m.pair()
		m.want(exitDone, "members invite loc@x.example --org default")
		m.want(exitDone, "members invite boss@x.example --org default --role owner")
		loc, boss := m.is("loc@x.example", "pending", "nobody"), m.is("boss@x.example", "pending", "nobody")
		m.sees(p.nobody)
		p.nobody.must(m.t, http.StatusNotFound, "GET", "/Users/"+loc, nil)
		refusal := p.ta.must(m.t, http.StatusConflict, "POST", "/Users", user("LOC@x.example", "L"))
		if !strings.Contains(refusal.text("detail"), "members adopt") {
			m.t.Errorf("the refusal names no way out: %v", refusal)
		}
		ids := m.joins(p.a, "loc@x.example", "boss@x.example", "new@x.example")
		r := m.repair("one", "done", "conflict none loc@x.example", "conflict none boss@x.example", "missing_member create new@x.example")
		for _, a := range r.Actions {
			if a.Kind == "conflict" && !strings.Contains(a.Reason, "members adopt") {
				m.t.Errorf("the conflict names no way out: %s", a.Reason)
			}
		}
		m.want(exitNotFinished, "members adopt --all-matching --connection one --org default")
		if m.is("loc@x.example", "pending", "one") != loc || m.is("boss@x.example", "pending", "nobody") != boss {
			m.t.Error("adoption made somebody new")
		}
		m.want(exitDone, "members adopt boss@x.example --connection one --org default")
		p.ta.must(m.t, http.StatusForbidden, "PATCH", "/Users/"+boss, patch(replace("active", false)))
		p.ta.must(m.t, http.StatusForbidden, "DELETE", "/Users/"+boss, nil)
		m.refused("members deactivate boss@x.example --org default", "last owner")
		m.repair("one", "done", "stale_member update loc@x.example", "stale_member update boss@x.example")
		m.ok(p.a.DisableUser(ids[1]))
		m.repair("one", "done", "conflict none boss@x.example")
		m.is("boss@x.example", "pending", "one")
	})
}

func TestE2ESuspendedMemberships(t *testing.T) {
	eachMachine(t, func(m *machine) {
		p := m.pair()
		ids := m.joins(p.a, "x@x.example", "y@x.example", "z@x.example")
		eng, err := p.a.AddGroup(idpsim.Group{DisplayName: "Eng"})
		m.ok(err, p.a.AddToGroup(eng.ObjectID, ids...), p.a.Assign(eng.ObjectID))
		ops, err := p.a.AddGroup(idpsim.Group{DisplayName: "Ops"})
		m.ok(err, p.a.AddToGroup(ops.ObjectID, ids[2]), p.a.Assign(ops.ObjectID))
		m.want(exitDone, "resync --org default --connection one --wait")
		x := m.is("x@x.example", "pending", "one", "Eng")
		team := map[string]string{}
		for _, t := range m.teams("default") {
			team[t.DisplayName] = t.ID
		}
		p.ta.must(m.t, http.StatusOK, "PATCH", "/Users/"+x, patch(replace("active", false)))
		m.is("x@x.example", "deactivated", "one")
		p.ta.must(m.t, http.StatusNoContent, "PATCH", "/Groups/"+team["Ops"], patch(object{"op": "add", "path": "members", "value": []object{{"value": x}}}))
		p.ta.must(m.t, http.StatusNoContent, "PATCH", "/Groups/"+team["Eng"], patch(object{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", x)}))
		m.is("x@x.example", "deactivated", "one")
		p.ta.must(m.t, http.StatusOK, "PATCH", "/Users/"+x, patch(replace("active", true)))
		m.is("x@x.example", "pending", "one", "Ops")
		m.repair("one", "done", "extra_membership remove x@x.example in Ops", "missing_membership add x@x.example in Eng")

		m.want(exitDone, "members deactivate y@x.example --org default")
		m.want(exitDone, "members deactivate z@x.example --org default")
		m.ok(p.a.AddToGroup(ops.ObjectID, ids[1]), p.a.RemoveFromGroup(eng.ObjectID, ids[2]))
		reported := []string{"redundant_soft_delete none y@x.example", "redundant_soft_delete none z@x.example"}
		m.repair("one", "done", append(reported, "extra_membership remove z@x.example in Eng")...)
		m.repair("one", "done", reported...)
		m.want(exitDone, "members reactivate y@x.example --org default")
		m.want(exitDone, "members reactivate z@x.example --org default")
		m.is("y@x.example", "pending", "one", "Eng")
		m.is("z@x.example", "pending", "one", "Ops")
		m.repair("one", "done", "missing_membership add y@x.example in Ops")
	})
}

func TestE2EComingBack(t *testing.T) {
	eachMachine(t, func(m *machine) {
		p := m.pair()
		for _, tc := range []struct {
			name, before, again, after string
			same                       bool
		}{
			{"c1@x.example", "E1", "C1@X.example", "E1", true},
			{"c2@x.example", "E2", "c2@x.example", "e2", false},
			{"c3@x.example", "E3", "c3@x.example", "", false},
			{"c4@x.example", "", "c4@x.example", "E4", false},
			{"c5@x.example", "", "c5@x.example", "", true},
			{"c6@x.example", "E6", "c6.new@x.example", "E6", false},
		} {
			id := p.ta.must(m.t, http.StatusCreated, "POST", "/Users", user(tc.name, "C").with("externalId", tc.before)).text("id")
			p.ta.must(m.t, http.StatusNoContent, "DELETE", "/Users/"+id, nil)
			p.ta.must(m.t, http.StatusNotFound, "GET", "/Users/"+id, nil)
			if again := p.ta.must(m.t, http.StatusCreated, "POST", "/Users", user(tc.again, "C").with("externalId", tc.after)).text("id"); (again == id) != tc.same {
				m.t.Errorf("%+v: the same member: %t", tc, again == id)
			}
		}
		gone := p.ta.must(m.t, http.StatusCreated, "POST", "/Groups", group("Eng").with("externalId", "g1")).text("id")
		p.ta.must(m.t, http.StatusNoContent, "DELETE", "/Groups/"+gone, nil)
		if p.ta.must(m.t, http.StatusCreated, "POST", "/Groups", group("Eng")).text("id") == gone {
			m.t.Error("a team came back by its name")
		}
		if p.ta.must(m.t, http.StatusCreated, "POST", "/Groups", group("Engineers").with("externalId", "g1")).text("id") != gone {
			m.t.Error("a team did not come back by its externalId")
		}
		m.linkedComeBack(p)
	})
}

// linkedComeBack deletes two people whom a run has linked: nobody else gets their accounts, and a run gives them back.
func (m *machine) linkedComeBack(p *pair) {
	m.t.Helper()
	ids := m.joins(p.b, "l1@x.example", "l2@x.example")
	m.repair("two", "done", "missing_member create l1@x.example", "missing_member create l2@x.example")
	l1, l2 := m.is("l1@x.example", "pending", "two"), m.is("l2@x.example", "pending", "two")
	p.tb.must(m.t, http.StatusNoContent, "DELETE", "/Users/"+l1, nil)
	p.tb.must(m.t, http.StatusNoContent, "DELETE", "/Users/"+l2, nil)
	m.ok(p.b.DeleteUser(ids[1]))
	m.joins(p.b, "l2@x.example") // another person with the name
	if p.tb.must(m.t, http.StatusCreated, "POST", "/Users", user("l2@x.example", "l2")).text("id") == l2 {
		m.t.Error("another person got the account")
	}
	m.repair("two", "done", "redundant_soft_delete restore l1@x.example")
	if m.is("l1@x.example", "pending", "two") != l1 {
		m.t.Error("a run restored somebody else")
	}
	m.is("l2@x.example", "pending", "two")
	m.repair("two", "done")
}

func TestE2EConnectionsComeAndGo(t *testing.T) {
	eachMachine(t, func(m *machine) {
		p := m.pair()
		m.joins(p.a, "p1@x.example", "p2@x.example")
		m.repair("one", "done", "missing_member create p1@x.example", "missing_member create p2@x.example")
		m.joins(p.b, "q@x.example")
		m.repair("two", "done", "missing_member create q@x.example")
		m.configure(m.calm(p.b, "two"))
		m.again()
		p.ta.base = m.scim
		if c := m.connection("default", "one"); c.State != "detached" || c.Members != 2 {
			m.t.Errorf("left the file: %+v", c)
		}
		m.refused("resync --org default --connection one --wait", "detached")
		p.ta.must(m.t, http.StatusCreated, "POST", "/Users", user("pushed@x.example", "P"))
		m.is("pushed@x.example", "pending", "one")
		m.joins(p.a, "pushed@x.example")

		m.configure(m.calm(p.b, "two"), m.calm(p.a, "uno"))
		m.again()
		m.refused("resync --org default --connection uno --wait", "connection rename one uno")
		m.refused("connection rename one two --org default", "two owns 2 objects already")
		m.want(exitDone, "connection rename one uno --org default")
		m.is("p1@x.example", "pending", "uno")
		m.want(exitDrift, "diff --org default --connection uno")
		m.want(exitDone, "resync --org default --connection uno --wait")
		m.repair("uno", "done")

		other := m.directory(idpsim.Config{Seed: 3, Members: 4})
		m.configure(m.calm(p.b, "two"), m.calm(other, "uno"))
		m.again()
		m.refused("resync --org default --connection uno --wait", "connection rebind uno")
		m.want(exitDone, "connection rebind uno --org default")
		m.want(exitNotFinished, "resync --org default --connection uno --wait") // held as a first run is
		m.is("p1@x.example", "pending", "uno")
		m.refused("connection release uno --org default", "detached")
		m.configure(m.calm(p.b, "two"))
		m.again()
		m.want(exitDone, "connection release uno --org default")
		m.is("p1@x.example", "pending", "nobody")
		for _, token := range asked[[]client.Token](m, exitDone, "token list --org default") {
			if token.Connection != nil && *token.Connection != "two" {
				m.t.Errorf("token %s is still bound to %s", token.Name, *token.Connection)
			}
		}
	})
}
