package main

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// What an operator keeps runs from: by the policy of the file, by a pause that outlives a restart, and one person.
func TestE2EPolicyPauseAndExclusion(t *testing.T) {
	eachMachine(t, func(m *machine) {
		d := m.directory(idpsim.Config{Seed: 1})
		m.joins(d, "ada@x.example", "bob@x.example", "eve@x.example")
		m.configure(d.entry("default", "entra") + "    policy: { settle: 1ms, drift: { stale_member: report }, guards: { members: { ceiling: 9 } } }\n")
		m.again()
		m.want(exitDone, "resync --org default --wait --connection entra")
		shown := asked[client.Connection](m, exitDone, "connection show entra --org default")
		if p := shown.Policy; p == nil || p.Mode != "apply" || p.Drift["stale_member"] != "report" || p.Guards["members"].Ceiling == nil ||
			*p.Guards["members"].Ceiling != 9 || p.Guards["members"].Floor != 5 || p.Guards["renames"].Percent != 10 {
			m.t.Errorf("the policy is shown as %+v", shown.Policy)
		}
		for _, p := range d.Desired() {
			switch p.UserPrincipalName {
			case "ada@x.example":
				m.ok(d.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.DisplayName = "Countess" }))
			case "bob@x.example", "eve@x.example":
				m.ok(d.DisableUser(p.ObjectID))
			}
		}
		m.want(exitDone, "members exclude bob@x.example --org default --for 3d --reason trial")
		m.want(exitDone, "connection pause entra --org default --reason moving")
		m.again()
		m.refused("resync --org default --wait --connection entra", "paused", "moving", "rosterd connection resume entra")
		m.want(exitDone, "connection resume entra --org default")
		run := m.repair("entra", "done", "stale_member none ada@x.example", "orphaned_member none bob@x.example", "orphaned_member deactivate eve@x.example")
		for _, a := range run.Actions {
			want := map[string]string{"ada@x.example": "policy: report: ", "bob@x.example": "excluded until "}[a.Subject.Name]
			if !strings.HasPrefix(a.Reason, want) {
				m.t.Errorf("%s: %s", a.Subject.Name, a.Reason)
			}
		}
		m.want(exitDone, "members include bob@x.example --org default")
		m.repair("entra", "done", "stale_member none ada@x.example", "orphaned_member deactivate bob@x.example")
		m.told("member.included", "bob@x.example")
	})
}
