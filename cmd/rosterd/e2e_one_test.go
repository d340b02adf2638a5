package main

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// One person is compared and resynced within the command, by any key; what it says fits the screen, and is shown again
// later.
func TestE2EOnePerson(t *testing.T) {
	eachMachine(t, func(m *machine) {
		d := m.directory(idpsim.Config{Seed: 5, Members: 20, Groups: 3})
		m.configure(d.entry("default", "entra"))
		m.again()
		p := m.provision(d, m.token("default", "idp"))
		m.want(exitDone, "resync --org default --wait")

		person := d.Desired()[0]
		p.Miss(person.ObjectID)
		m.ok(d.UpdateUser(person.ObjectID, func(u *idpsim.User) { u.DisplayName = "Renamed\x1b[2J Person" }))
		m.cycle(p)
		m.comparesOne(person)
		m.repairsOne(person)
		m.failsOne(d, person)
		m.converged("default", d)
	})
}

func (m *machine) comparesOne(person idpsim.Person) {
	m.t.Helper()
	stale := "stale_member update " + person.UserPrincipalName
	for _, key := range []string{person.ObjectID, strings.ToUpper(person.UserPrincipalName), person.Mail} {
		r := asked[client.Run](m, exitDrift, "diff --org default --user "+key)
		m.holds(r, "one", "done", stale)
		if r.Person == nil || r.Person.ObjectID != person.ObjectID || r.Person.MemberID == nil || r.Person.Stored["displayName"] != person.DisplayName {
			m.t.Errorf("%s: person %+v", key, r.Person)
		}
	}
}

func (m *machine) repairsOne(person idpsim.Person) {
	m.t.Helper()
	text := m.want(exitDone, "resync --org default --user "+person.UserPrincipalName)
	for _, want := range []string{"(one person): done", "Asked for", "There", "in scope: ", "Here", "last push ", "Differs", "Done updated displayName",
		"stale_member", "Plan: 0 to add, 1 to change, 0 to remove.", "So far: 1 applied."} {
		if !strings.Contains(strings.Join(strings.Fields(text.out), " "), want) {
			m.t.Errorf("it does not say %q:\n%s", want, text.out)
		}
	}
	for line := range strings.Lines(text.out) {
		if wide := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); wide > textWidth && !strings.Contains(line, "stale_member") && !strings.HasPrefix(line, "Run ") {
			m.t.Errorf("%d columns: %s", wide, line)
		}
	}
	if strings.Contains(text.out, "\x1b") || text.errOut != "" {
		m.t.Errorf("it steers the terminal, or says more: %q, %q", text.out, text.errOut)
	}
	ones := asked[[]client.Run](m, exitDone, "runs list --org default --limit 1")
	if len(ones) != 1 || ones[0].Mode != "one" || ones[0].State != "done" {
		m.t.Fatalf("the latest run: %+v", ones)
	}
	if shown := m.want(exitDone, "runs show "+ones[0].Run); shown.out != text.out {
		m.t.Errorf("shown later\n%s\nsaid then\n%s", shown.out, text.out)
	}
	r := asked[client.Runs](m, exitDone, "resync --org default --user "+person.ObjectID).Runs
	if len(r) != 1 || len(r[0].Actions) != 0 || !strings.Contains(r[0].Person.Done, "there and here agree") ||
		!maps.Equal(r[0].Person.Wanted, r[0].Person.Stored) {
		m.t.Errorf("the second time: %+v", r)
	}
	if drift := m.want(exitDone, "diff --org default --user "+person.UserPrincipalName); !strings.Contains(drift.out, "No drift") {
		m.t.Errorf("no drift: %s", drift.out)
	}
}

func (m *machine) failsOne(d *directory, person idpsim.Person) {
	m.t.Helper()
	m.refused("resync --org default --user nobody@contoso.example", "nobody@contoso.example", "entra")
	m.refused("resync --org default --user "+person.UserPrincipalName+" --connection okta", "okta")
	d.Deny(idpsim.UserReadAll)
	failed := m.want(exitFailed, "resync --org default --user "+person.UserPrincipalName)
	if !strings.Contains(failed.out, "User.Read.All") || strings.Contains(failed.out+failed.errOut, d.AccessToken()) {
		m.t.Errorf("failed: %+v", failed)
	}
	if r := asked[client.Run](m, exitFailed, "diff --org default --user "+person.UserPrincipalName); r.State != "failed" || !strings.Contains(r.Error, "User.Read.All") {
		m.t.Errorf("failed: %+v", r)
	}
	d.Grant(idpsim.UserReadAll)
	// Each read of the person meets a push: in the end it is left, and said.
	other := d.Desired()[1]
	idp := m.pushing(m.token("default", "more"))
	id := idp.find(m.t, other.UserPrincipalName)[0].text("id")
	m.ok(d.DisableUser(other.ObjectID))
	remove := d.Inject(idpsim.Fault{Path: "/users/" + other.ObjectID, BeforeAnswer: func() {
		if status, _, err := idp.ask("PATCH", "/Users/"+id, patch(replace("displayName", other.DisplayName))); err != nil || status != http.StatusOK {
			m.t.Errorf("a push beside it: %d, %v", status, err)
		}
	}})
	r := asked[client.Runs](m, exitNotFinished, "resync --org default --user "+other.ObjectID).Runs
	remove()
	if len(r) != 1 || r[0].State != "partial" || !strings.Contains(r[0].Person.Done, "changed by a push while it was read") {
		m.t.Errorf("with pushes: %+v", r)
	}
	m.want(exitDone, "resync --org default --user "+other.ObjectID)
}
