package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// One rosterd that pulls from another by SCIM.

// upstream is the rosterd that is pulled from, and a client that pushes to it.
type upstream struct {
	*machine
	idp   *pushing
	token string // for whoever reads it
	ids   map[string]string
}

// upstream starts a second rosterd, with people in it and a group of all of them.
func (m *machine) upstream(team string, people ...string) *upstream {
	m.t.Helper()
	u := &upstream{ids: map[string]string{}, machine: &machine{
		t: m.t, db: storetest.Database{Kind: "sqlite", Dir: m.t.TempDir()}, binary: m.binary, env: environmentWithout("ROSTERD_", "NO_COLOR", "TERM"),
	}}
	m.t.Cleanup(func() {
		if u.daemon != nil {
			u.end()
		}
	})
	u.serve()
	u.idp, u.token = u.pushing(u.machine.token("default", "idp")), u.machine.token("default", "reader")
	var all []string
	for _, name := range people {
		u.ids[name] = u.idp.must(m.t, http.StatusCreated, "POST", "/Users", user(name, "The "+name)).text("id")
		all = append(all, u.ids[name])
	}
	u.ids[team] = u.idp.must(m.t, http.StatusCreated, "POST", "/Groups", group(team, all...)).text("id")
	return u
}

// entry is what the configuration file of the other rosterd says of it.
func (u *upstream) entry(settings string) string {
	return fmt.Sprintf(`  - organisation: default
    name: hr
    kind: scim-source
    scim: { url: %s, token: "${env:SCIM_TOKEN}"%s }
    schedule: { full: "0 0 1 1 *" }
    policy: { settle: 1ms }
`, u.scim, settings)
}

// silent holds that a run finds nothing and leaves no event behind.
func (m *machine) silent(connection string) {
	m.t.Helper()
	before := len(m.events("default"))
	m.repair(connection, "done")
	if now := len(m.events("default")); now != before {
		m.t.Errorf("%d events of a run that had nothing to do: %+v", now-before, m.events("default")[before:])
	}
}

// Everything of a SCIM server comes in by a run, what goes there goes here, and a run that finds nothing new is silent.
func TestE2ESCIMSource(t *testing.T) {
	eachMachine(t, func(m *machine) {
		up := m.upstream("Engineers", "ada@x.example", "bob@x.example", "cy@x.example", "dan@x.example")
		m.env = append(m.env, "SCIM_TOKEN="+up.token)
		m.configure(up.entry(""))
		m.again()
		m.want(exitDone, "connection test hr --org default")
		m.repair("hr", "done", "missing_team create Engineers",
			"missing_member create ada@x.example", "missing_membership add ada@x.example in Engineers",
			"missing_member create bob@x.example", "missing_membership add bob@x.example in Engineers",
			"missing_member create cy@x.example", "missing_membership add cy@x.example in Engineers",
			"missing_member create dan@x.example", "missing_membership add dan@x.example in Engineers")
		m.is("ada@x.example", "pending", "hr", "Engineers")
		if ada := m.members("default")[0]; ada.DisplayName != "The ada@x.example" || ada.Email != "ada@x.example" {
			m.t.Errorf("ada came as %+v", ada)
		}
		m.silent("hr")

		// Off, out of the team, deleted, renamed. Whoever is off is in no group that a rosterd shows.
		up.idp.must(t, http.StatusOK, "PATCH", "/Users/"+up.ids["bob@x.example"], patch(replace("active", false)))
		up.idp.must(t, http.StatusNoContent, "PATCH", "/Groups/"+up.ids["Engineers"],
			patch(object{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", up.ids["cy@x.example"])}, replace("displayName", "Builders")))
		up.idp.must(t, http.StatusNoContent, "DELETE", "/Users/"+up.ids["dan@x.example"], nil)
		r := m.repair("hr", "done", "stale_team update Engineers", "extra_membership remove cy@x.example in Engineers",
			"orphaned_member deactivate bob@x.example", "extra_membership remove bob@x.example in Engineers",
			"orphaned_member deactivate dan@x.example", "extra_membership remove dan@x.example in Engineers")
		for _, a := range r.Actions {
			if a.Subject.Name == "bob@x.example" && (len(a.Evidence) == 0 || a.Evidence[0].Source != "scim" || a.Evidence[0].Text != "active is false") {
				m.t.Errorf("bob is deactivated by the evidence %+v", a.Evidence)
			}
		}
		m.is("ada@x.example", "pending", "hr", "Builders")
		m.is("bob@x.example", "deactivated", "hr")
		m.is("cy@x.example", "pending", "hr")
		m.is("dan@x.example", "deactivated", "hr")
		m.silent("hr")

		up.idp.must(t, http.StatusOK, "PATCH", "/Users/"+up.ids["bob@x.example"], patch(replace("active", true)))
		m.repair("hr", "done", "redundant_soft_delete reactivate bob@x.example", "missing_membership add bob@x.example in Builders")
		m.is("bob@x.example", "pending", "hr", "Builders")
		m.silent("hr")
		if log := m.daemon.errOut.String(); strings.Contains(log, up.token) {
			m.t.Error("the log shows the token")
		}
	})
}

// Another filter is another target, which has to be accepted, and what it puts out of scope waits for approval.
func TestE2ESCIMSourceFilters(t *testing.T) {
	eachMachine(t, func(m *machine) {
		up := m.upstream("Engineers", "ada@x.example", "bob@x.example")
		m.env = append(m.env, "SCIM_TOKEN="+up.token)
		m.configure(up.entry(""))
		m.again()
		m.want(exitDone, "resync --org default --wait")
		m.configure(up.entry(`, users_filter: 'userName sw "a" or userName sw "z"'`))
		m.again()
		if c := m.connection("default", "hr"); c.State != "detached" || !strings.Contains(c.Target, `users where userName sw "a" or userName sw "z", all groups`) {
			m.t.Errorf("with another filter: %+v", c)
		}
		m.refused("resync --org default --wait --connection hr", "connection rebind hr")
		m.want(exitDone, "connection rebind hr --org default")
		r := m.repair("hr", "held", "orphaned_member deactivate bob@x.example")
		if said := fmt.Sprint(r.Actions[0].Evidence); !strings.Contains(said, "not found by users_filter, by a second look") {
			m.t.Errorf("bob's evidence is %s", said)
		}
		m.is("bob@x.example", "pending", "hr", "Engineers")
		m.want(exitDone, "runs approve "+r.Run)
		m.finished(r.Run, "done")
		m.is("bob@x.example", "deactivated", "hr")

		one := asked[client.Runs](m, exitDone, "resync --org default --user ada@x.example")
		if len(one.Runs) != 1 || len(one.Runs[0].Actions) != 0 {
			m.t.Errorf("a look at ada alone: %+v", one)
		}
		up.want(exitDone, "token disable reader --org default")
		var said result
		m.until("the token is refused, as it is within a second", func() bool {
			said = m.rosterd("connection test hr --org default")
			return said.code == exitFailed
		})
		if !strings.Contains(said.out, "did not accept the token") || strings.Contains(said.out, up.token) {
			m.t.Errorf("without a token that works the test says %s", said.out)
		}
	})
}
