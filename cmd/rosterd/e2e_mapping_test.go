package main

import (
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// A scope and a mapping of active stand in the configuration, are tried on one person, and hold the run after the change.
func TestE2EScopeAndActiveOfTheConfiguration(t *testing.T) {
	eachMachine(t, func(m *machine) {
		d := m.directory(idpsim.Config{Seed: 9, Members: 12, Groups: 2})
		m.configure(d.entry("default", "entra"))
		m.again()
		m.want(exitDone, "resync --org default --wait")
		away, onLeave, cleared := d.Desired()[0], d.Desired()[1], d.Desired()[2]
		m.ok(d.UpdateUser(away.ObjectID, func(u *idpsim.User) { u.Department = "Away" }),
			d.UpdateUser(onLeave.ObjectID, func(u *idpsim.User) { u.JobTitle = "on leave" }),
			d.UpdateUser(cleared.ObjectID, func(u *idpsim.User) { u.JobTitle = "Clerk" }))
		m.configure(d.entry("default", "entra") + `    mapping:
      title: { from: jobTitle, empty: clear }
      active: '= jobTitle != "on leave" and isSoftDeleted == "False"'
      team:
        displayName: '= Append("App ", displayName)'
    scope: '= department != "Away"'
`)
		m.again()
		line := "connection preview entra --org default --user "
		shown := m.want(exitDone, line+away.UserPrincipalName).out
		m.fits(shown)
		m.shows(shown, `there out of scope: the connection's scope leaves them out`, `scope from = department != "Away" gives False`, "A resync would:", "deactivate", "isSoftDeleted: False")
		m.shows(m.want(exitDone, line+onLeave.UserPrincipalName).out, "switched off: the connection's mapping of active gives False", "gives False here True (differs)")

		held := asked[client.Runs](m, exitNotFinished, "resync --org default --wait")
		m.want(exitDone, "runs approve "+held.Runs[0].Run)
		m.finished(held.Runs[0].Run, "done")
		for _, p := range []idpsim.Person{away, onLeave} {
			m.shows(m.want(exitDone, "members show "+p.UserPrincipalName+" --org default").out, "deactivated")
		}
		m.resync(exitDone, "done")
		m.ok(d.UpdateUser(cleared.ObjectID, func(u *idpsim.User) { u.JobTitle = "" }))
		m.shows(m.want(exitDone, line+cleared.UserPrincipalName).out, "gives nothing, and a run clears what is stored: Clerk", "A resync would: update title")
		m.shows(m.want(exitDone, "teams list --org default").out, "App "+d.DesiredTeams()[0].DisplayName)
	})
}
