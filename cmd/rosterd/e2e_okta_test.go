package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// byKey gives the org an API service application, writes its private key beside the configuration, and returns the entry of a
// connection that signs in with it.
func (m *machine) byKey(o *org, scopes ...idpsim.OktaPermission) string {
	m.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	m.ok(err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	m.ok(err)
	m.file("okta.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	o.SetService(idpsim.OktaService{ClientID: "0oaService", Keys: map[string]crypto.PublicKey{"k1": &key.PublicKey}, Scopes: scopes})
	return fmt.Sprintf(`  - organisation: default
    name: okta
    kind: okta
    okta: { org_url: %s, app_id: %s, client_id: 0oaService, private_key: "${file:okta.pem}", key_id: k1 }
    policy: { settle: 1ms }
`, o.url, o.AppID())
}

// doctorOkta runs `rosterd doctor okta` as JSON, and holds that it says the same in lines of 80 columns.
func (m *machine) doctorOkta(code int) client.Diagnosis {
	m.t.Helper()
	found := asked[client.Diagnosis](m, code, "doctor okta --org default")
	shown := m.want(code, "doctor okta --org default").out
	for line := range strings.Lines(shown) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 && strings.Contains(strings.TrimSpace(line), " ") {
			m.t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, f := range found.Checks {
		if !strings.Contains(shown, f.Check+": ") {
			m.t.Errorf("no %s in\n%s", f.Check, shown)
		}
	}
	return found
}

// A service application's key does all that an API token does; the test names the scope that is missing; and the doctor tells
// what an administrator has overlooked.
func TestE2EOktaByPrivateKeyAndItsDoctor(t *testing.T) {
	eachMachine(t, func(m *machine) {
		o := m.okta(idpsim.OktaConfig{Seed: 4, Outsiders: -1, Off: -1})
		people := []string{}
		for i := range 4 {
			u, err := o.AddUser(idpsim.OktaUser{Status: idpsim.OktaActive, Profile: idpsim.OktaProfile{
				Login: fmt.Sprintf("p%d@x.example", i), Email: fmt.Sprintf("p%d@x.example", i), FirstName: "P", LastName: "X"}})
			m.ok(err)
			people = append(people, u.ID)
		}
		team := m.pushed(o, "Engineers", people[:3]...)
		m.ok(o.AssignGroup(team))
		m.configure(m.byKey(o, idpsim.OktaUsersRead, idpsim.OktaGroupsRead, idpsim.OktaAppsRead))
		m.again()
		m.want(exitDone, "connection test okta --org default")
		m.want(exitDone, "resync --org default --wait")
		if got := len(m.members("default")); got != 3 {
			m.t.Errorf("%d members after a run", got)
		}
		if found := m.doctorOkta(exitDone); !found.OK || found.Kind != "okta" {
			m.t.Errorf("a set-up in which all is well: %+v", found)
		}
		m.ok(o.SetPushStatus(team, idpsim.PushError, "Errors reported by remote server: 500"), o.AddToGroup(m.pushed(o, "Sales", people[0]), people[3]))
		found := m.doctorOkta(exitFailed)
		m.says(found, "connection", "ok")
		m.says(found, "group push", "fail", "the last push of Engineers failed", "remote server: 500", "Push now")
		m.says(found, "assignments", "fail", "Sales is pushed, but not assigned", "p3@x.example")
		m.want(exitUsage, "doctor entra --org default")
		m.refused("doctor okta --org default --connection nobody", "no connection")

		m.configure(m.byKey(o, idpsim.OktaUsersRead, idpsim.OktaAppsRead))
		m.again()
		test := m.want(exitFailed, "connection test okta --org default").out
		if !strings.Contains(test, "lacks the scope okta.groups.read") || !strings.Contains(test, "Okta API Scopes") {
			m.t.Errorf("the test says %s", test)
		}
		m.says(m.doctorOkta(exitFailed), "connection", "fail", "okta.groups.read")
		if log := m.daemon.errOut.String(); strings.Contains(log, "eyJ") || strings.Contains(log, "PRIVATE KEY") {
			m.t.Error("the log shows a secret")
		}
	})
}

// A member whom a push names before the person is there is counted, shown, listed as drift and told, until they come.
func TestE2EAwaitedMembers(t *testing.T) {
	eachMachine(t, func(m *machine) {
		o := m.okta(idpsim.OktaConfig{Seed: 4, Members: 3, Groups: 0, Outsiders: -1, Off: -1})
		m.pushed(o, "Engineers")
		m.configure(m.byKey(o, idpsim.OktaUsersRead, idpsim.OktaGroupsRead, idpsim.OktaAppsRead))
		m.again()
		m.want(exitDone, "resync --org default --wait")
		p := m.pushing(m.token("default", "idp"))
		team := asked[teamDetail](m, exitDone, "teams show Engineers --org default").ID
		p.must(m.t, http.StatusNoContent, "PATCH", "/Groups/"+team, patch(object{"op": "add", "path": "members", "value": []object{{"value": "00uGhost"}}}))
		shown := asked[teamDetail](m, exitDone, "teams show Engineers --org default")
		if list := m.teams("default"); list[0].Awaited != 1 || len(shown.AwaitedMembers) != 1 || shown.AwaitedMembers[0].Value != "00uGhost" || shown.AwaitedMembers[0].Token != "idp" {
			m.t.Errorf("listed %+v, shown %+v", list, shown)
		}
		if out := m.want(exitDone, "teams show Engineers --org default").out; !strings.Contains(out, "00uGhost") {
			m.t.Errorf("shown as\n%s", out)
		}
		run := asked[client.Run](m, exitDone, "diff --org default")
		if len(run.Actions) != 1 || run.Actions[0].Kind != "missing_membership" || run.Actions[0].Action != "none" ||
			run.Actions[0].Subject.Name != "00uGhost in Engineers" || !strings.Contains(run.Actions[0].Reason, "who is not here yet") || len(run.Totals) != 0 {
			m.t.Errorf("the plan is %+v", run)
		}
		types := map[string]bool{}
		for _, e := range m.events("default") {
			types[e.Type] = true
		}
		if !types["membership.awaited"] {
			m.t.Errorf("told as %v", types)
		}
		ghost := user("ghost@example.com", "Ghost")
		ghost["externalId"] = "00uGhost"
		p.must(m.t, http.StatusCreated, "POST", "/Users", ghost)
		if list := m.teams("default"); list[0].Awaited != 0 || strings.Join(list[0].Members, " ") != "ghost@example.com" {
			m.t.Errorf("once they came: %+v", list)
		}
	})
}
