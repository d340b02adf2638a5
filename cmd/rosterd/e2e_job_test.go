package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// diagnosed runs `rosterd doctor entra`, in words and as JSON, and holds that both say the same.
func (m *machine) diagnosed(code int) client.Diagnosis {
	m.t.Helper()
	found := asked[client.Diagnosis](m, code, "doctor entra --org default")
	shown := m.want(code, "doctor entra --org default")
	for line := range strings.Lines(shown.out) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, "--") {
			m.t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, f := range found.Checks {
		if !strings.Contains(shown.out, f.Check+": ") {
			m.t.Errorf("no %s in\n%s", f.Check, shown.out)
		}
	}
	return found
}

// says holds that a check came out so, with these words.
func (m *machine) says(found client.Diagnosis, check, state string, words ...string) {
	m.t.Helper()
	for _, f := range found.Checks {
		all := f.Text + " | " + f.Fix
		if f.Check == check && f.State == state && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(all, w) }) {
			return
		}
	}
	m.t.Errorf("no %s %q that says %q in\n%+v", state, check, words, found.Checks)
}

// Entra's own job, as the operator meets it: in the evidence of a plan, in the status, and in the doctor.
func TestE2EEntrasOwnJobAsEvidence(t *testing.T) {
	eachMachine(t, func(m *machine) {
		d := m.directory(idpsim.Config{Seed: 31, Members: 30, Groups: 3})
		m.configure(d.entry("default", "entra"))
		m.again()
		pusher := m.provision(d, m.token("default", "idp"))
		m.resync(exitDone, "done")
		if found := m.diagnosed(exitDone); !found.OK || found.Connection != "entra" || found.Kind != "entra" || found.Organisation != "default" {
			m.t.Errorf("a set-up in which all is well: %+v", found)
		} else {
			m.says(found, "connection", "ok")
			m.says(found, "job", "ok", "active, last steady")
			m.says(found, "log", "ok")
		}

		// Somebody is switched off and on again, and Entra believes that nothing is to be sent.
		p := d.Desired()[0]
		pusher.RedundantSoftDelete(p.ObjectID)
		m.ok(d.DisableUser(p.ObjectID))
		m.cycle(pusher)
		m.ok(d.EnableUser(p.ObjectID))
		m.cycle(pusher)
		found := m.diagnosed(exitDone)
		m.says(found, "log", "warn", "1 object skipped: RedundantSoftDelete, e.g. "+p.UserPrincipalName, "rosterd resync --org default --connection entra --user "+p.UserPrincipalName)
		run := m.resync(exitDone, "done", "redundant_soft_delete reactivate "+p.UserPrincipalName)
		m.names(run.Actions[0], "RedundantSoftDelete")

		// It maps otherwise than the connection does.
		d.EditSchema(func(s *idpsim.Schema) { s.Users.Attributes[2].Source = "userPrincipalName" })
		m.says(m.diagnosed(exitFailed), "mapping", "fail", "the job takes it from [userPrincipalName], this connection from [mail]", "map it from [mail]")
		d.EditSchema(func(s *idpsim.Schema) { s.Users.Attributes[2].Source = "mail" })

		// One person is sent on demand: by name, and whom the connection does not know yet by the IdP's id.
		lost := d.Desired()[2]
		pusher.Miss(lost.ObjectID)
		m.ok(d.UpdateUser(lost.ObjectID, func(u *idpsim.User) { u.DisplayName = "Another Name" }))
		m.cycle(pusher)
		if got := asked[client.Provisioned](m, exitDone, "connection provision entra --org default --user "+lost.UserPrincipalName); got.ObjectID != lost.ObjectID || got.Outcome != "done" || got.Action != "update" {
			m.t.Errorf("sent %+v", got)
		}
		m.refused("connection provision entra --org default --user nobody@contoso.example", "nobody there has")
		m.resync(exitDone, "done") // and nothing was left to do
		m.converged("default", d)

		// Its job stands still.
		pusher.Quarantine(idpsim.TooManyDeletes)
		gone := d.Desired()[1]
		m.ok(d.DisableUser(gone.ObjectID))
		run = m.resync(exitNotFinished, "held", "orphaned_member deactivate "+gone.UserPrincipalName)
		if run.Held[0].Limit != "too_many_deletes" {
			m.t.Errorf("held by %+v", run.Held)
		}
		m.names(run.Actions[0], "TooManyDeletes")
		m.says(m.diagnosed(exitFailed), "job", "fail", "in quarantine: TooManyDeletes, since", "rosterd diff --org default --connection entra")
		m.standsStill("TooManyDeletes")

		// Without the permissions it says so, and everything else goes on.
		pusher.LiftQuarantine()
		m.resync(exitDone, "done") // what is held is left alone
		d.Deny(idpsim.SynchronizationReadAll)
		m.resync(exitDone, "done")
		m.says(m.diagnosed(exitDone), "job", "warn", "Synchronization.Read.All")
		if c := m.connection("default", "entra"); c.Job == nil || !strings.Contains(c.Job.Problem, "Synchronization.Read.All") || c.Quarantine != nil {
			m.t.Errorf("the connection shows %+v", c.Job)
		}
		d.Grant(idpsim.SynchronizationReadAll)
		d.Deny(idpsim.AuditLogReadAll)
		m.says(m.diagnosed(exitDone), "log", "warn", "AuditLog.Read.All")
		remove := d.Inject(idpsim.Fault{Path: "/servicePrincipals/*/appRoleAssignedTo", Status: http.StatusInternalServerError})
		m.says(m.diagnosed(exitFailed), "connection", "fail")
		remove()
		m.refused("doctor entra --org default --connection nobody", "no connection")
	})
}

// names holds that the evidence of an action has a word, and a time.
func (m *machine) names(a client.Action, word string) {
	m.t.Helper()
	for _, e := range a.Evidence {
		if strings.Contains(e.Text, word) && time.Since(e.Time) < time.Hour {
			return
		}
	}
	m.t.Errorf("the evidence of %s has no %s: %+v", a.Kind, word, a.Evidence)
}

// standsStill holds that the status shows a quarantine, in words and as JSON.
func (m *machine) standsStill(reason string) {
	m.t.Helper()
	status := asked[client.Status](m, exitDone, "status")
	c := status.Connections[0]
	if c.Quarantine == nil || c.Quarantine.Reason != reason || c.Quarantine.Since == nil || c.Quarantine.NextAttempt == nil || c.Job == nil || c.Job.State != "quarantined" {
		text, _ := json.Marshal(c)
		m.t.Errorf("the status is %s", text)
	}
	for _, command := range []string{"status", "connection show entra --org default"} {
		if shown := m.rosterd(command); !strings.Contains(shown.out, "\n  quarantine  the identity provider's own job, since ") || !strings.Contains(shown.out, reason) {
			m.t.Errorf("%s shows\n%s", command, shown.out)
		}
	}
}
