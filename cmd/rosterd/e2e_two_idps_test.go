package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// One organisation with an Entra tenant and an Okta org, each with its own push engine.

// org is a simulated Okta org that listens.
type org struct {
	*idpsim.OktaTenant
	url string
}

func (m *machine) okta(c idpsim.OktaConfig) *org {
	m.t.Helper()
	tenant := idpsim.NewOkta(c)
	server, err := tenant.Listen("127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = server.Close() })
	return &org{tenant, server.URL}
}

// entry is what the configuration file says of a connection to the org.
func (o *org) entry(name, policy string) string {
	return fmt.Sprintf(`  - organisation: default
    name: %s
    kind: okta
    okta: { org_url: %s, app_id: %s, api_token: "${env:OKTA_API_TOKEN}" }
    policy: { %s }
`, name, o.url, o.AppID(), policy)
}

// joins adds people to the org, assigned directly, and returns their ids.
func (m *machine) joinsOkta(o *org, names ...string) []string {
	m.t.Helper()
	ids := make([]string, 0, len(names))
	for _, name := range names {
		u, err := o.AddUser(idpsim.OktaUser{Status: idpsim.OktaActive, Profile: idpsim.OktaProfile{
			Login: name, Email: name, FirstName: "F", LastName: "L", DisplayName: "F L",
		}})
		m.ok(err, o.AssignUser(u.ID))
		ids = append(ids, u.ID)
	}
	return ids
}

// pushed adds a group to the org, with people in it, pushed to the application.
func (m *machine) pushed(o *org, name string, people ...string) string {
	m.t.Helper()
	g, err := o.AddGroup(idpsim.OktaGroup{Name: name})
	m.ok(err, o.AddToGroup(g.ID, people...), o.PushGroup(g.ID))
	return g.ID
}

// both is an organisation with the connections entra and okta, and the token of each.
type both struct {
	*machine
	a           *directory
	b           *org
	entra, okta *pushing
}

func (m *machine) both() *both {
	m.t.Helper()
	p := &both{machine: m, a: m.directory(idpsim.Config{Seed: 1}), b: m.okta(idpsim.OktaConfig{Seed: 2})}
	m.env = append(m.env, "OKTA_API_TOKEN="+p.b.APIToken())
	m.configure(m.calm(p.a, "entra"), p.b.entry("okta", "settle: 1ms, adopt_local: by_email"))
	m.again()
	p.entra, p.okta = m.bound("entra"), m.bound("okta")
	return p
}

// oktaPushes lets the org's provisioning push what it has not pushed yet, and returns what failed.
func (p *both) oktaPushes(pusher *idpsim.OktaPusher) []idpsim.Detail {
	p.t.Helper()
	sum, err := pusher.Cycle(p.t.Context())
	p.ok(err)
	return sum.Of(idpsim.Failed)
}

func TestE2EEntraAndOktaShareAPerson(t *testing.T) {
	eachMachine(t, func(m *machine) {
		p := m.both()
		const ann, bob = "ann@x.example", "bob@x.example"
		there := m.joins(p.a, ann)
		ids := m.joinsOkta(p.b, ann, bob)
		night := m.pushed(p.b, "Night", ids...)
		m.provision(p.a, p.entra.token)
		m.is(ann, "pending", "entra")

		// Okta's push meets another connection's person: a 409 whose row names the owner, and a run lists the conflict.
		pusher, err := idpsim.NewOktaPusher(p.b.OktaTenant, idpsim.OktaPushConfig{BaseURL: m.scim, Token: p.okta.token})
		m.ok(err)
		if failed := p.oktaPushes(pusher); len(failed) != 1 || failed[0].Status != http.StatusConflict {
			t.Errorf("Okta's push of somebody whom Entra owns: %+v", failed)
		}
		clash := asked[[]client.Request](m, exitDone, "requests list --org default --status 409")
		if len(clash) == 0 || !strings.Contains(clash[0].Detail, "owned by connection entra") {
			t.Errorf("the clash in the request log: %+v", clash)
		}
		m.is(bob, "pending", "okta", "Night")
		m.repair("okta", "done", "conflict none "+ann)
		m.repair("entra", "done")

		// A second link settles it: attributes follow Entra, the membership follows Okta, whose team it is.
		m.want(exitDone, "members link "+ann+" --connection okta --org default")
		m.repair("okta", "done", "missing_membership add "+ann+" in Night")
		m.is(ann, "pending", "entra", "Night")
		m.repair("entra", "done")
		m.ok(p.b.UpdateAppProfile(ids[0], func(a *idpsim.AppProfile) { a.DisplayName = "Okta's own" }))
		m.repair("okta", "done")
		m.ok(p.b.RemoveFromGroup(night, ids[0]))
		m.repair("okta", "done", "extra_membership remove "+ann+" in Night")

		// Entra loses her, Okta still has her: ownership passes, nobody is deactivated.
		m.ok(p.a.DisableUser(there[0]))
		m.repair("entra", "done", "orphaned_member none "+ann)
		m.is(ann, "pending", "okta")
		m.told("member.passed", ann)
		m.repair("okta", "done", "stale_member update "+ann)
		m.repair("entra", "done")

		// And when Okta loses her too, she goes.
		m.ok(p.b.Deactivate(ids[0]))
		m.repair("okta", "done", "orphaned_member deactivate "+ann)
		m.is(ann, "deactivated", "okta")
	})
}

func TestE2EEntraAndOktaClaimWhatNobodyOwns(t *testing.T) {
	eachMachine(t, func(m *machine) {
		p := m.both()
		nobody := m.pushing(m.token("default", "nobody"))
		cy := nobody.must(m.t, http.StatusCreated, "POST", "/Users", user("cy@x.example", "F L")).text("id")
		nobody.must(m.t, http.StatusCreated, "POST", "/Users", user("dan@x.example", "Dan"))
		nobody.must(m.t, http.StatusCreated, "POST", "/Groups", group("Night", cy))
		ids := m.joinsOkta(p.b, "cy@x.example")
		m.pushed(p.b, "Night", ids...)
		m.joins(p.a, "eve@x.example")

		// The first run that links what nobody owns claims it, with the team's memberships; nobody's others are listed.
		m.repair("entra", "done", "missing_member create eve@x.example", "orphaned_member none cy@x.example",
			"orphaned_member none dan@x.example", "orphaned_team none Night")
		m.repair("okta", "done", "stale_member update cy@x.example", "orphaned_member none dan@x.example")
		m.is("cy@x.example", "pending", "okta", "Night")
		m.is("dan@x.example", "pending", "nobody")
		m.is("eve@x.example", "pending", "entra")
		m.told("team.claimed", "Night")
		m.repair("okta", "done", "orphaned_member none dan@x.example")

		// Teams of one name: each IdP keeps its own.
		g, err := p.a.AddGroup(idpsim.Group{DisplayName: "Night"})
		m.ok(err, p.a.Assign(g.ObjectID))
		m.provision(p.a, p.entra.token)
		teams := m.teams("default")
		if len(teams) != 2 || *teams[0].Connection == *teams[1].Connection {
			t.Errorf("teams: %+v", teams)
		}
		m.repair("entra", "done", "orphaned_member none dan@x.example")
		m.repair("okta", "done", "orphaned_member none dan@x.example")
	})
}

// Local members are handed over by policy where the connection says so, and by hand where it doesn't; owners by hand alone.
func TestE2EEntraAndOktaAdoptLocalMembers(t *testing.T) {
	eachMachine(t, func(m *machine) {
		p := m.both()
		m.want(exitDone, "members invite ed@x.example --org default")
		m.want(exitDone, "members invite fay@x.example --org default")
		m.want(exitDone, "members invite boss@x.example --org default --role owner")
		ed := m.is("ed@x.example", "pending", "nobody")
		m.joins(p.a, "ed@x.example")
		ids := m.joinsOkta(p.b, "fay@x.example", "boss@x.example", "gus@x.example")
		m.repair("entra", "done", "conflict none ed@x.example")
		m.repair("okta", "done", "conflict none boss@x.example", "missing_member create gus@x.example")
		m.is("fay@x.example", "pending", "okta")
		m.is("boss@x.example", "pending", "nobody")
		m.want(exitDone, "members adopt ed@x.example --connection entra --org default")
		if m.is("ed@x.example", "pending", "entra") != ed {
			t.Error("adoption made somebody new")
		}
		m.want(exitDone, "members adopt boss@x.example --connection okta --org default")
		m.ok(p.b.Deactivate(ids[0]), p.b.Deactivate(ids[1]))
		r := m.rosterd("resync --org default --wait --connection okta")
		m.is("fay@x.example", "deactivated", "okta")
		m.is("boss@x.example", "pending", "okta") // the last owner
		if !strings.Contains(r.out, "protected owner") {
			t.Errorf("the run says %s", r.out)
		}
	})
}
