package okta_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// ward is an org with one group that is pushed and assigned, and its two people in it.
type ward struct {
	*idpsim.OktaTenant
	t             *testing.T
	c             *okta.Connector
	team          string
	ada, bob, cyd string // cyd is in no group, and not assigned
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{t: t, OktaTenant: idpsim.NewOkta(idpsim.OktaConfig{Seed: 1})}
	person := func(name string) string {
		u, err := w.AddUser(idpsim.OktaUser{Status: idpsim.OktaActive, Profile: idpsim.OktaProfile{Login: name + "@x.example", Email: name + "@x.example", FirstName: name, LastName: "Doe"}})
		must(t, err)
		return u.ID
	}
	w.ada, w.bob, w.cyd = person("ada"), person("bob"), person("cyd")
	w.team = w.group("Engineers", w.ada, w.bob)
	must(t, w.AssignGroup(w.team))
	must(t, w.PushGroup(w.team))
	w.c = openService(t, w.OktaTenant, asService(t, w.OktaTenant, allScopes...))
	return w
}

func (w *ward) group(name string, members ...string) string {
	w.t.Helper()
	g, err := w.AddGroup(idpsim.OktaGroup{Name: name})
	must(w.t, err)
	must(w.t, w.AddToGroup(g.ID, members...))
	return g.ID
}

func (w *ward) diagnose(edits ...func(*okta.Config)) []connectors.Finding {
	w.t.Helper()
	c := w.c
	if len(edits) > 0 {
		c = openService(w.t, w.OktaTenant, append([]func(*okta.Config){asService(w.t, w.OktaTenant, allScopes...)}, edits...)...)
	}
	found, err := c.Diagnose(w.t.Context())
	must(w.t, err)
	for _, f := range found {
		if (f.State == connectors.FindingFail || f.State == connectors.FindingWarn) && f.Fix == "" {
			w.t.Errorf("%s has no way out: %s", f.Check, f.Text)
		}
	}
	return found
}

func TestASetUpInWhichAllIsWell(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	for _, f := range w.diagnose() {
		if f.State != connectors.FindingOK {
			t.Errorf("%+v", f)
		}
	}
}

// TestDiagnoses breaks one thing after the other, as an administrator of the org would, and looks for the finding.
func TestDiagnoses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(w *ward) error
		check string
		state connectors.FindingState
		text  []string // with fix
		edit  func(*okta.Config)
	}{
		"pushed, not assigned, people without an account": {func(w *ward) error { return w.PushGroup(w.group("Sales", w.ada, w.cyd)) },
			"assignments", "fail", []string{"Sales is pushed, but not assigned: 1 person in it is no application user", "cyd@x.example", "Assign to Groups", "`rosterd diff`"}, nil},
		"pushed, not assigned, all with an account": {func(w *ward) error { return w.PushGroup(w.group("Sales", w.ada)) },
			"assignments", "warn", []string{"Sales is pushed, but not assigned: whoever is in it", "Assign to Groups"}, nil},
		"assigned, not pushed": {func(w *ward) error { return w.AssignGroup(w.group("Access", w.cyd)) },
			"assignments", "warn", []string{"Access is assigned, but not pushed", "no team", "Find groups by name"}, nil},
		"only assigned directly, though in a pushed group": {func(w *ward) error {
			must(w.t, w.AssignUser(w.cyd))
			return w.PushGroup(w.group("Sales", w.cyd))
		}, "assignments", "warn", []string{"1 person is in a pushed group, but assigned directly only: cyd@x.example (in Sales)", "Push Groups assigns nobody"}, nil},
		"the last push of a group failed": {func(w *ward) error {
			return w.SetPushStatus(w.team, idpsim.PushError, "Failed on 11-24-2026: Errors reported by remote server: 413 Too large.")
		}, "group push", "fail", []string{"the last push of Engineers failed (20", "413 Too large", "Push now", "rosterd requests list"}, nil},
		"a mapping is off": {func(w *ward) error { return w.SetPushStatus(w.team, idpsim.PushInactive, "") },
			"group push", "warn", []string{"switched off for Engineers", "Activate group push"}, nil},
		"no group is pushed": {func(w *ward) error { return w.UnpushGroup(w.team) },
			"group push", "warn", []string{"no group is pushed"}, nil},
		"a group of the mappings is gone": {func(w *ward) error {
			w.Inject(idpsim.Fault{Path: "/groups/" + w.team, Status: 404})
			return nil
		}, "group push", "fail", []string{"the group is not: " + "00g", "Unlink pushed group"}, nil},
		"Create Users is off": {func(w *ward) error {
			w.SetFeatures("GROUP_PUSH", "PUSH_PROFILE_UPDATES", "PUSH_USER_DEACTIVATION")
			return nil
		}, "application", "fail", []string{"Create Users is off", "Provisioning > To App > Edit"}, nil},
		"Push Groups is off": {func(w *ward) error {
			w.SetFeatures("PUSH_NEW_USERS", "PUSH_PROFILE_UPDATES", "PUSH_USER_DEACTIVATION")
			return nil
		}, "application", "fail", []string{"Push Groups is off", "supported provisioning actions"}, nil},
		"Update User Attributes is off": {func(w *ward) error {
			w.SetFeatures("GROUP_PUSH", "PUSH_NEW_USERS", "PUSH_USER_DEACTIVATION")
			return nil
		},
			"application", "warn", []string{"Update User Attributes is off"}, nil},
		"Deactivate Users is off": {func(w *ward) error { w.SetFeatures("GROUP_PUSH", "PUSH_NEW_USERS", "PUSH_PROFILE_UPDATES"); return nil },
			"application", "fail", []string{"Deactivate Users is off"}, nil},
		"provisioning is not set up":  {func(w *ward) error { w.SetFeatures(); return nil }, "application", "fail", []string{"provisioning is not set up", "set Provisioning to SCIM"}, nil},
		"the application is off":      {func(w *ward) error { w.SwitchApp(false); return nil }, "application", "fail", []string{"is inactive", "Activate it"}, nil},
		"push mappings can't be read": {func(w *ward) error { w.RefusePushMappings(404); return nil }, "group push", "skip", []string{"can't be told"}, nil},
		"a userName that is no email": {func(w *ward) error { return w.UpdateAppUser(w.ada, func(a *idpsim.AppUser) { a.UserName = "ada" }) },
			"sign-in", "warn", []string{"1 person", ": ada", "Application username format"}, nil},
		"nobody is assigned": {func(w *ward) error { return w.UnassignGroup(w.team) }, "provisioning", "warn", []string{"nobody is assigned"}, nil},
		"too many groups for the calls": {func(w *ward) error { return w.PushGroup(w.group("Another")) },
			"assignments", "skip", []string{"1 of 2 pushed groups were looked at"}, func(c *okta.Config) { c.MaxCalls = 7 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t)
			must(t, tc.spoil(w))
			var edits []func(*okta.Config)
			if tc.edit != nil {
				edits = append(edits, tc.edit)
			}
			found := w.diagnose(edits...)
			if !slices.ContainsFunc(found, func(f connectors.Finding) bool {
				return f.Check == tc.check && f.State == tc.state &&
					!slices.ContainsFunc(tc.text, func(words string) bool { return !strings.Contains(f.Text+" | "+f.Fix, words) })
			}) {
				t.Errorf("no %s %s that says %q in", tc.state, tc.check, tc.text)
				for _, f := range found {
					t.Logf("%s %s: %s -> %s", f.State, f.Check, f.Text, f.Fix)
				}
			}
		})
	}
}

func TestADiagnosisNamesAFewAndCountsTheRest(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	for i := range 30 {
		g := w.group("Team "+string(rune('A'+i)), w.cyd)
		must(t, w.PushGroup(g))
		must(t, w.SetPushStatus(g, idpsim.PushError, strings.Repeat("long ", 500)))
	}
	pushed, unassigned := 0, 0
	for _, f := range w.diagnose() {
		if len(f.Text) > 600 {
			t.Errorf("a finding of %d letters", len(f.Text))
		}
		switch {
		case f.Check == "group push" && f.State == connectors.FindingFail:
			pushed++
		case f.Check == "assignments" && f.State == connectors.FindingFail:
			unassigned++
		}
	}
	if pushed != 21 || unassigned != 21 {
		t.Errorf("%d findings of failed pushes, %d of groups not assigned", pushed, unassigned)
	}
}

// What the simulated org never says of itself.
func TestDiagnosesOfWhatOktaCouldNotDo(t *testing.T) {
	t.Parallel()
	failed, login := active(1), active(2)
	failed["syncState"] = "ERROR"
	login["credentials"] = object{"userName": "LOGIN2@initech.example"}
	login["_embedded"] = object{"user": object{"id": id("00u", 2), "status": "ACTIVE", "profile": object{"email": "login2@initech.example"}}}
	app := object{"id": appID, "label": "rosterd", "status": "ACTIVE"}
	c, _ := newFake(t, map[string]http.HandlerFunc{
		"/apps/" + appID: ok(app), appUsers: list(failed, login), mappings: list(mapping(1, "ACTIVE"), mapping(2, "PAUSED")),
		appGroups:                 list(object{"id": id("00g", 1), "_embedded": object{"group": group(1)}}, object{"id": id("00g", 3)}),
		"/groups/" + id("00g", 1): ok(group(1)), "/groups/" + id("00g", 2): ok(group(2)),
		"/groups/" + id("00g", 1) + "/users": list(orgUser(1, "ACTIVE"), orgUser(8, "ACTIVE"), orgUser(9, "SUSPENDED")),
		"/groups/" + id("00g", 2) + "/users": list(orgUser(2, "ACTIVE")),
		"/groups/" + id("00g", 3) + "/users": list(orgUser(2, "ACTIVE")),
	})
	found, err := c.Diagnose(t.Context())
	must(t, err)
	var all strings.Builder
	for _, f := range found {
		all.WriteString(string(f.State) + " " + f.Check + ": " + f.Text + " -> " + f.Fix + "\n")
	}
	for _, words := range []string{
		"skip application: Okta doesn't say what is switched on",
		"fail provisioning: Okta could not push 1 person: user1@initech.example -> Dashboard > Tasks",
		"fail assignments: Group 1 is assigned and pushed, but 1 person in it is no application user: login8@initech.example -> Dashboard > Tasks",
		"warn group push: a status that is not known: Group 2 (PAUSED)",
		"warn assignments: " + id("00g", 3) + " is assigned, but not pushed",
		"warn sign-in: the userName of 1 person",
	} {
		if !strings.Contains(all.String(), words) {
			t.Errorf("no %q in\n%s", words, all.String())
		}
	}
	if strings.Contains(all.String(), "directly only") || strings.Contains(all.String(), "LOGIN2") {
		t.Errorf("somebody who is in an assigned group, or signs in with another case, is named:\n%s", all.String())
	}
}

// A list that can't be read ends the diagnosis with what is known by then.
func TestADiagnosisThatBreaksOffSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.SetFeatures()
	w.Deny(idpsim.OktaGroupsRead)
	found, err := w.c.Diagnose(t.Context())
	if connectors.FaultOf(err) == "" && len(found) == 0 {
		t.Errorf("found %+v, %v", found, err)
	}
	w.Inject(idpsim.Fault{Path: "/apps/*/groups", Status: 403})
	w.Grant(idpsim.OktaGroupsRead)
	found, err = w.c.Diagnose(t.Context())
	if connectors.FaultOf(err) != connectors.MissingPermission || len(found) == 0 || found[0].Check != "application" {
		t.Errorf("found %+v, %v", found, err)
	}
}
