package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// A connection whose entry changes, is renamed or goes away keeps what it owns until the operator decides.
func TestE2EConnectionLife(t *testing.T) {
	eachMachine(t, func(m *machine) {
		d := m.directory(idpsim.Config{Seed: 21, Members: 30, Groups: 3})
		m.configure(d.entry("default", "entra"))
		m.again()
		token := m.token("default", "idp")
		m.provision(d, token)
		first := m.resync(exitDone, "done").Run // links everybody, and settles the connection

		moved := m.directory(idpsim.Config{Seed: 21, Members: 30, Groups: 3, ServicePrincipalID: "99999999-2222-4333-8444-555555555555", TenantID: d.TenantID(), AccessToken: d.AccessToken()})
		m.sameDirectory(d, moved)
		m.configure(moved.entry("default", "entra"))
		m.again()
		m.detached("entra", "its target changed", "connection rebind entra")
		m.stillPushes(token, 1)
		m.rebinds(moved, first)
		m.renames(moved, token)
		m.releases(token)
	})
}

// sameDirectory holds that two tenants know the same people by the same ids: the application alone has changed.
func (m *machine) sameDirectory(a, b *directory) {
	m.t.Helper()
	if !slices.Equal(a.Desired(), b.Desired()) {
		m.t.Fatal("another service principal gives another directory")
	}
}

// detached holds that no run starts of a connection, and that its objects are still its own.
func (m *machine) detached(name string, words ...string) {
	m.t.Helper()
	c := m.connection("default", name)
	if c.State != "detached" || c.Members < 30 || c.Teams != 3 {
		m.t.Errorf("connection %+v, want it detached with what it owns", c)
	}
	for _, w := range words {
		if !strings.Contains(c.Reason, w) {
			m.t.Errorf("it is detached because %q, want %q", c.Reason, w)
		}
	}
	runs := len(asked[[]client.Run](m, exitDone, "runs list --org default"))
	for _, line := range []string{"diff", "resync --wait"} {
		m.refused(line+" --org default --connection "+name, "detached")
	}
	if now := len(asked[[]client.Run](m, exitDone, "runs list --org default")); now != runs {
		m.t.Errorf("%d runs were made", now-runs)
	}
}

// stillPushes holds that a token of a detached connection goes on, and that what it makes is owned as before.
func (m *machine) stillPushes(token string, n int) {
	m.t.Helper()
	name := strings.Repeat("x", n) + "@pushed.example"
	before := m.connection("default", "entra").Members
	p := m.pushing(token)
	id := p.must(m.t, http.StatusCreated, "POST", "/Users", user(name, "Pushed")).text("id")
	p.must(m.t, http.StatusOK, "PATCH", "/Users/"+id, patch(replace("displayName", "Pushed again")))
	if now := m.connection("default", "entra").Members; now != before+1 {
		m.t.Errorf("the connection owns %d members, want %d", now, before+1)
	}
	p.must(m.t, http.StatusNoContent, "DELETE", "/Users/"+id, nil)
}

// rebinds holds that the new target is accepted by `connection rebind` alone, and that the next run is guarded as a
// first one: even a single removal waits.
func (m *machine) rebinds(d *directory, first string) {
	m.t.Helper()
	gone := d.Desired()[0]
	m.ok(d.DisableUser(gone.ObjectID))
	m.want(exitDone, "connection rebind entra --org default")
	m.refused("connection rebind entra --org default", "not detached")
	if c := m.connection("default", "entra"); c.State != "ok" || !strings.Contains(c.Target, d.ServicePrincipalID()) {
		m.t.Errorf("rebound: %+v", c)
	}
	r := m.resync(exitNotFinished, "held", "orphaned_member deactivate "+gone.UserPrincipalName)
	if r.Run == first || len(r.Held) != 1 || r.Held[0].Limit != "first_run" {
		m.t.Errorf("held by %+v", r.Held)
	}
	m.want(exitDone, "runs approve "+r.Run)
	m.finished(r.Run, "done")
	m.diff(exitDone)
}

// renames gives the entry another name in the file, then hands over what the old one owns.
func (m *machine) renames(d *directory, token string) {
	m.t.Helper()
	m.configure(d.entry("default", "corp"))
	m.again()
	m.detached("entra", "left the configuration")
	if c := m.connection("default", "corp"); c.State != "detached" || !strings.Contains(c.Reason, "connection rename entra corp") {
		m.t.Errorf("the new entry: %+v", c)
	}
	m.refused("diff --org default --connection corp", "connection rename entra corp")
	m.refused("connection rename corp entra --org default", "still in the configuration")
	m.want(exitDone, "connection rename entra corp --org default")
	connections := asked[[]client.Connection](m, exitDone, "connection list --org default")
	if len(connections) != 1 || connections[0].Name != "corp" || connections[0].State != "ok" || connections[0].Members != 30 || connections[0].Teams != 3 {
		m.t.Errorf("after renaming: %+v", connections)
	}
	tokens := asked[[]client.Token](m, exitDone, "token list --org default")
	if len(tokens) != 1 || tokens[0].Connection == nil || *tokens[0].Connection != "corp" {
		m.t.Errorf("tokens %+v", tokens)
	}
	m.pushing(token).must(m.t, http.StatusOK, "GET", "/Users", nil)
	m.resync(exitDone, "done")
	// Without the guard of a first run: one removal goes through.
	gone := d.Desired()[0]
	m.ok(d.DisableUser(gone.ObjectID))
	m.resync(exitDone, "done", "orphaned_member deactivate "+gone.UserPrincipalName)
}

// releases takes the entry out of the file and lets go of what it owns.
func (m *machine) releases(token string) {
	m.t.Helper()
	m.refused("connection release corp --org default", "not detached")
	m.file("rosterd.yaml", "connections: []\n")
	m.again()
	m.detached("corp", "left the configuration")
	m.want(exitDone, "connection release corp --org default")
	members, teams := m.members("default"), m.teams("default")
	for _, member := range members {
		if member.Connection != nil || member.Source != "scim" {
			m.t.Errorf("not unclaimed: %+v", member)
		}
	}
	for _, team := range teams {
		if team.Connection != nil || !team.Managed {
			m.t.Errorf("not unclaimed: %+v", team)
		}
	}
	if len(members) != 30 || len(teams) != 3 {
		m.t.Errorf("%d members and %d teams, want 30 and 3", len(members), len(teams))
	}
	tokens := asked[[]client.Token](m, exitDone, "token list --org default")
	if len(tokens) != 1 || tokens[0].Connection != nil {
		m.t.Errorf("tokens %+v", tokens)
	}
	p := m.pushing(token)
	id := p.must(m.t, http.StatusCreated, "POST", "/Users", user("late@pushed.example", "Late")).text("id")
	for _, member := range m.members("default") {
		if member.ID == id && member.Connection != nil {
			m.t.Errorf("an unbound token's member is owned: %+v", member)
		}
	}
}
