package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// A connection finds what pushes missed, repairs it, and holds what would remove too much.
func TestE2ERuns(t *testing.T) {
	eachMachine(t, func(m *machine) {
		d := m.directory(idpsim.Config{Seed: 7, Members: 40, Groups: 4})
		m.configure(d.entry("default", "entra"))
		m.again()
		test := asked[client.ConnectionTest](m, exitDone, "connection test entra --org default")
		if !test.OK || test.Name != "entra" {
			m.t.Errorf("connection test: %+v", test)
		}
		d.Deny(idpsim.UserReadAll)
		if test := asked[client.ConnectionTest](m, exitFailed, "connection test entra --org default"); test.OK || !strings.Contains(test.Message, "User.Read.All") {
			m.t.Errorf("connection test without a permission: %+v", test)
		}
		d.Grant(idpsim.UserReadAll)

		p := m.provision(d, m.token("default", "idp"))
		joined := idpsim.User{ObjectID: "11111111-2222-4333-8444-555555555555", UserPrincipalName: "new.joiner@contoso.example", DisplayName: "New Joiner"}
		_, err := d.AddUser(joined)
		gone := d.Desired()[0]
		p.Miss(joined.ObjectID, gone.ObjectID)
		m.ok(err, d.Assign(joined.ObjectID), d.DisableUser(gone.ObjectID))
		m.cycle(p)

		create, remove := "missing_member create "+joined.UserPrincipalName, "orphaned_member deactivate "+gone.UserPrincipalName
		m.diff(exitDrift, create, remove)
		first := m.resync(exitNotFinished, "held", create, remove)
		if c := m.connection("default", "entra"); c.State != "held" || c.Members != 41 || c.Teams != 4 || c.Kind != "entra" {
			m.t.Errorf("connection %+v", c)
		}
		held := asked[[]client.Run](m, exitDone, "runs list --org default --status held")
		if len(held) != 1 || held[0].Run != first.Run {
			m.t.Errorf("held runs: %+v", held)
		}
		m.want(exitDone, "runs approve "+first.Run+" --only orphaned_member")
		m.finished(first.Run, "done")
		m.diff(exitDone)
		m.resync(exitDone, "done")
		m.converged("default", d)
		m.cancels(d, p)
	})
}

// cancels holds that a held plan can be dropped, comes again, and can be approved then.
func (m *machine) cancels(d *directory, p *idpsim.Pusher) {
	m.t.Helper()
	var lost, want []string
	for _, person := range d.Desired()[:7] {
		lost, want = append(lost, person.ObjectID), append(want, "orphaned_member deactivate "+person.UserPrincipalName)
		m.ok(d.DisableUser(person.ObjectID))
	}
	p.Miss(lost...)
	m.cycle(p)
	dropped := m.resync(exitNotFinished, "held", want...)
	if got := asked[client.Run](m, exitDone, "runs cancel "+dropped.Run); got.State != "cancelled" {
		m.t.Errorf("after cancelling: %s", got.State)
	}
	m.refused("runs approve "+dropped.Run, "cancelled", "nothing to approve")
	if n := len(m.members("default")); n != 41 {
		m.t.Errorf("%d members, want 41", n)
	}
	again := m.resync(exitNotFinished, "held", want...)
	m.diff(exitDone) // what is held by an open plan is listed, with nothing to do
	m.want(exitDone, "runs approve "+again.Run)
	m.finished(again.Run, "done")
	m.diff(exitDone)
	m.converged("default", d)

	var states []string
	for _, r := range asked[[]client.Run](m, exitDone, "runs list --org default --connection entra") {
		states = append(states, r.Mode+" "+r.State)
	}
	want = []string{"dry done", "dry done", "full done", "full cancelled", "full done", "dry done", "full done", "dry done"}
	if !slices.Equal(states, want) {
		m.t.Errorf("runs %q, want %q", states, want)
	}
}

// What is wrong in the configuration file is said with file and line, before anything is started.
func TestE2EConfigurationIsRefused(t *testing.T) {
	m := &machine{t: t, binary: binary(t), env: environmentWithout("ROSTERD_")}
	m.db.Dir = t.TempDir()
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":        {"listen: 127.0.0.1:0\nlisen: 127.0.0.1:0\n", `rosterd.yaml:2: unknown key "lisen"`},
		"unknown deep below": {"connections:\n  - organisation: default\n    name: entra\n    kind: scim\n    colour: red\n", `rosterd.yaml:5: unknown key "colour"`},
		"schedule":           {"connections:\n  - organisation: default\n    name: entra\n    kind: scim\n    schedule: { full: \"0 3 * * *\" }\n", "rosterd.yaml:5: schedule is for connections"},
		"okta":               {"connections:\n  - organisation: default\n    name: okta\n    kind: okta\n    okta: { org_url: https://acme.okta.com, app_id: 0oa1, api_token: \"${env:PATH}\", teams: all }\n", `rosterd.yaml:5: teams "all" is not known`},
		"literal secret":     {"database_url: postgres://u:hush@127.0.0.1/x\n", "rosterd.yaml:1: database_url"},
		"not YAML":           {"listen: [\n", "rosterd.yaml:"},
	} {
		t.Run(name, func(t *testing.T) {
			m.t = t
			m.file("rosterd.yaml", tc.text)
			m.refused("serve --config rosterd.yaml", tc.want)
			if got := m.rosterd("serve --config rosterd.yaml"); strings.Contains(got.errOut, "hush") {
				t.Errorf("it tells the secret: %s", got.errOut)
			}
		})
	}
}
