package main

import (
	"net/http"
	"slices"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// No organisation sees or touches another's data: by token, by API key, by run (invariant 11).
func TestE2ETwoOrganisations(t *testing.T) {
	eachMachine(t, func(m *machine) {
		first := m.directory(idpsim.Config{Seed: 11, Members: 20, Groups: 3, Domain: "one.example"})
		second := m.directory(idpsim.Config{Seed: 12, Members: 25, Groups: 4, Domain: "two.example"})
		m.configure(first.entry("default", "entra"), second.entry("acme", "entra"))
		m.again()
		mine, theirs := m.token("default", "idp"), m.token("acme", "idp")
		m.pushing(theirs).must(m.t, http.StatusUnauthorized, "GET", "/Users", nil) // a later organisation starts with SCIM off
		m.want(exitDone, "org scim on --org acme")
		m.pushing(theirs).statusWithin(m, patience, http.StatusOK, "GET", "/Users")
		m.scimApart(m.pushing(mine), m.pushing(theirs))

		run := m.resync(exitDone, "done", m.newcomers(first)...)
		other := asked[client.Runs](m, exitDone, "resync --org acme --wait").Runs[0]
		if run.Connection != "entra" || other.Connection != "entra" || run.Organisation == other.Organisation {
			m.t.Errorf("runs of %s/%s and %s/%s", run.Organisation, run.Connection, other.Organisation, other.Connection)
		}
		for org, want := range map[string]int{"default": 21, "acme": 26} {
			if got := len(m.members(org)); got != want {
				m.t.Errorf("%s has %d members, want %d", org, got, want)
			}
		}
		m.keyApart(run.Run, other.Run)
		m.refused("members list --org nosuch", "nosuch")
		m.want(exitDone, "org create gamma")
		if got := m.members("gamma"); len(got) > 0 {
			m.t.Errorf("a new organisation has %+v", got)
		}
	})
}

// newcomers are the actions of a run that makes everybody and everything of a tenant.
func (m *machine) newcomers(d *directory) []string {
	m.t.Helper()
	var out []string
	names := map[string]string{}
	for _, p := range d.Desired() {
		names[p.ObjectID] = p.UserPrincipalName
		out = append(out, "missing_member create "+p.UserPrincipalName)
	}
	for _, team := range d.DesiredTeams() {
		out = append(out, "missing_team create "+team.DisplayName)
		for _, id := range team.Members {
			out = append(out, "missing_membership add "+names[id]+" in "+team.DisplayName)
		}
	}
	return out
}

// scimApart holds that tokens of two organisations don't see each other's people, be they called the same.
func (m *machine) scimApart(mine, theirs *pushing) {
	m.t.Helper()
	here := mine.must(m.t, http.StatusCreated, "POST", "/Users", user("ada@example.com", "Mine")).text("id")
	there := theirs.must(m.t, http.StatusCreated, "POST", "/Users", user("ada@example.com", "Theirs")).text("id")
	team := theirs.must(m.t, http.StatusCreated, "POST", "/Groups", group("Guests")).text("id")
	for _, request := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/Users/" + there, nil},
		{"PUT", "/Users/" + there, user("eve@example.com", "Eve")},
		{"PATCH", "/Users/" + there, patch(replace("active", false))},
		{"DELETE", "/Users/" + there, nil},
		{"GET", "/Groups/" + team, nil},
		{"PATCH", "/Groups/" + team, patch(replace("displayName", "Taken"))},
		{"DELETE", "/Groups/" + team, nil},
	} {
		mine.must(m.t, http.StatusNotFound, request.method, request.path, request.body)
	}
	mixed := mine.must(m.t, http.StatusCreated, "POST", "/Groups", group("Mixed", here, there)).text("id")
	if members, _ := mine.must(m.t, http.StatusOK, "GET", "/Groups/"+mixed, nil)["members"].([]any); len(members) != 1 {
		m.t.Errorf("a group with another organisation's member has %v", members) // to this one they are unknown, and stay so
	}
	if got := theirs.must(m.t, http.StatusOK, "GET", "/Users/"+there, nil); got["groups"] != nil {
		m.t.Errorf("another organisation's member is in the groups %v", got["groups"])
	}
	mine.must(m.t, http.StatusNoContent, "DELETE", "/Groups/"+mixed, nil)
	if found := mine.find(m.t, "ada@example.com"); len(found) != 1 || found[0].text("displayName") != "Mine" {
		m.t.Errorf("found %v", found)
	}
	if got := theirs.must(m.t, http.StatusOK, "GET", "/Users/"+there, nil); got.text("displayName") != "Theirs" || got["active"] != true {
		m.t.Errorf("it is now %v", got)
	}
	theirs.must(m.t, http.StatusNoContent, "DELETE", "/Groups/"+team, nil)
	mine.must(m.t, http.StatusConflict, "POST", "/Users", user("ADA@example.com", "Twice"))
}

// keyApart holds that an API key over TCP sees its own organisation only.
func (m *machine) keyApart(foreign, own string) {
	m.t.Helper()
	key := asked[client.APIKey](m, exitDone, "apikey create --org acme --name ci --role viewer --expires 1d")
	m.file("key", key.Key+"\n")
	over := " --server " + m.url + " --api-key-file key"
	if got := asked[[]client.Member](m, exitDone, "members list --org acme"+over); len(got) != 26 {
		m.t.Errorf("the key sees %d members, want 26", len(got))
	}
	runs := asked[[]client.Run](m, exitDone, "runs list"+over)
	if len(runs) != 1 || runs[0].Run != own {
		m.t.Errorf("the key sees the runs %+v", runs)
	}
	status := asked[client.Status](m, exitDone, "status"+over)
	if len(status.Connections) != 1 || status.Connections[0].Organisation != "acme" {
		m.t.Errorf("the key sees the connections %+v", status.Connections)
	}
	m.want(exitDone, "runs show "+own+over)
	for _, line := range []string{
		"members list --org default", "events list --org default", "requests list --org default", "token list --org default",
		"runs show " + foreign, "runs cancel " + foreign, "runs list --org default", "org list", "org create mine", "org scim off --org default",
		"members invite eve@example.com --org acme", "resync --org acme", "token create --org acme --name x --expires 1d",
	} {
		m.refused(line+over, "rosterd: ")
	}
	m.env = append(m.env, "ROSTERD_API_KEY="+key.Key[:len(key.Key)-1]+"x")
	m.refused("members list --org acme --server "+m.url, "key")
	m.want(exitUsage, "members list --org acme --api-key-file key")
	m.want(exitDone, "apikey delete ci --org acme")
	m.refused("members list --org acme"+over, "key")
	if tokens := asked[[]client.Token](m, exitDone, "token list --org acme"); !slices.ContainsFunc(tokens, func(k client.Token) bool { return k.Name == "idp" }) || len(tokens) != 1 {
		m.t.Errorf("tokens %+v", tokens)
	}
}
