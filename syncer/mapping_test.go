package syncer_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// An expression changes everybody's value; whom it can't be worked out for is listed, and keeps what they have.
func TestAnExpressionThatFailsForOnePersonConcernsThemAlone(t *testing.T) {
	eachWorld(t, 6, 1, func(w *world) {
		w.baseline()
		p, other := w.somebody(0), w.somebody(1)
		before := w.members()[p.UserPrincipalName].Attributes.Get(roster.AttrDisplayName)
		m := mapping.Entra()
		// The name of the one whose UPN it is has the length of no text: Mid from character 0 can't be.
		w.ok(m.Write(roster.AttrDisplayName, `= userPrincipalName == "`+p.UserPrincipalName+`" ? Mid(mail, InStr(mail, "#"), 1) : ToUpper(givenName)`),
			m.Write("title", "= Append(givenName, \" the first\")"))
		source := w.cfg.Sources[w.conn]
		source.Mapping = m
		w.cfg.Sources[w.conn] = source
		w.commit(roster.Cause{}, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t1", Settings: m.Fingerprint(), Managed: m.Managed()})
		run, _ := w.run(roster.ModeFull)
		if run.State == roster.RunHeld {
			_, _ = w.approve(run.ID)
		}
		_, actions := w.run(roster.ModeFull)
		var listed []string
		for _, a := range actions {
			if a.Drift.Kind == roster.ConflictKind {
				listed = append(listed, a.Drift.Subject.Name+": "+a.Drift.Reason)
			} else if a.Drift.Action != roster.ActNone {
				w.t.Errorf("the run after has something to do: %s", lines(actions))
			}
		}
		if len(listed) != 1 || !strings.Contains(listed[0], p.UserPrincipalName) || !strings.Contains(listed[0], "displayName: mid starts before") {
			w.t.Errorf("listed: %q", listed)
		}
		failed, worked := w.members()[p.UserPrincipalName].Attributes, w.members()[other.UserPrincipalName].Attributes
		if got := failed.Get(roster.AttrDisplayName); got != before || failed.Get("title") != p.GivenName+" the first" {
			w.t.Errorf("whom it fails for has %q, %q", got, failed.Get("title"))
		}
		if got := worked.Get(roster.AttrDisplayName); got != strings.ToUpper(other.GivenName) {
			w.t.Errorf("whom it works for has %q", got)
		}
	})
}

// becomes changes a person in the tenant.
func (w *world) becomes(p idpsim.Person, change func(u *idpsim.User)) {
	w.t.Helper()
	w.ok(w.tenant.UpdateUser(p.ObjectID, change))
}

// settled approves the run that a change of the mapping holds, and sees that the next has nothing to do.
func (w *world) settledAfter(run roster.Run) {
	w.t.Helper()
	if run.State == roster.RunHeld {
		_, _ = w.approve(run.ID)
	}
	again, actions := w.run(roster.ModeFull)
	for _, a := range actions {
		if a.Drift.Action != roster.ActNone {
			w.t.Errorf("the run after has something to do: %s", lines(actions))
		}
	}
	if again.State != roster.RunDone {
		w.t.Errorf("the run after ended %s", again.State)
	}
}

// evidenceOf joins what was seen for an action.
func evidenceOf(a roster.RunAction) string {
	var texts []string
	for _, e := range a.Drift.Evidence {
		texts = append(texts, e.Text)
	}
	return strings.Join(texts, "; ")
}

func TestTheScopeDecidesByEvidenceInEveryKindOfRead(t *testing.T) {
	eachWorld(t, 8, 1, func(w *world) {
		w.withCursor()
		away := func(u *idpsim.User) { u.Department = "Away" }
		home := func(u *idpsim.User) { u.Department = "Sales" }
		full, byDelta, byOne := w.somebody(0), w.somebody(1), w.somebody(2)
		w.becomes(full, away)
		m := mapping.Entra()
		w.ok(m.WriteScope(`department != "Away"`))
		w.mapped(m)

		run, actions := w.run(roster.ModeFull)
		a := w.has(actions, roster.OrphanedMember, full.UserPrincipalName)
		if run.State != roster.RunHeld || a.Drift.Action != roster.ActDeactivate || !strings.Contains(evidenceOf(a), "`department != \"Away\"`") ||
			!strings.HasPrefix(a.Drift.Reason, "disabled or out of scope there") {
			t.Errorf("the first run after the change: %s, %s", run.State, evidenceOf(a))
		}
		w.settledAfter(run)
		if w.statusOf(full) != roster.Deactivated {
			t.Errorf("whom the scope leaves out is %s", w.statusOf(full))
		}

		w.becomes(byDelta, away)
		if _, actions = w.delta(); len(actions) != 1 || w.statusOf(byDelta) != roster.Deactivated {
			t.Errorf("the delta did %s, and they are %s", lines(actions), w.statusOf(byDelta))
		}
		w.becomes(byDelta, home)
		if _, actions = w.delta(); w.statusOf(byDelta) == roster.Deactivated {
			t.Errorf("back in scope: the delta did %s", lines(actions))
		}

		w.becomes(byOne, away)
		got := w.preview(byOne.UserPrincipalName)
		if got.InScope || !strings.Contains(got.Scope, "department") || valueOf(got, mapping.Scope).Value != "False" || !slices.Contains(got.Would, "deactivate") ||
			!strings.Contains(got.There, "out of scope: the connection's scope") || got.Read["department"] != "Away" {
			t.Errorf("the preview: %+v", got)
		}
		_, actions = w.one(byOne.UserPrincipalName)
		if w.statusOf(byOne) != roster.Deactivated || !strings.Contains(evidenceOf(w.has(actions, roster.OrphanedMember, byOne.UserPrincipalName)), "scope") {
			t.Errorf("a resync of one did %s", lines(actions))
		}
	})
}

// Two connections may share out an IdP's people by their scopes: whom one leaves out may be the other's.
func TestWhomTheScopeLeavesOutIsNeitherMadeNorClaimed(t *testing.T) {
	eachWorld(t, 6, 1, func(w *world) {
		p, q := w.somebody(0), w.somebody(1)
		for _, who := range []idpsim.Person{p, q} {
			w.becomes(who, func(u *idpsim.User) { u.Department = "Away" })
		}
		w.commit(roster.Cause{By: roster.ByPush, Actor: roster.Actor{Kind: roster.ActorToken, Name: "unbound"}},
			roster.MemberCreate{Attributes: roster.Attributes{"userName": p.UserPrincipalName}, Active: true})
		m := mapping.Entra()
		w.ok(m.WriteScope(`department != "Away"`))
		w.mapped(m)
		run, actions := w.run(roster.ModeFull)
		if run.State == roster.RunHeld {
			_, _ = w.approve(run.ID)
		}
		members := w.members()
		if _, made := members[q.UserPrincipalName]; made {
			t.Error("somebody out of scope was made")
		}
		if here := members[p.UserPrincipalName]; !here.Status.Live() || here.Connection != "" {
			t.Errorf("an unclaimed member is %s, of connection %q", here.Status, here.Connection)
		}
		if a := w.has(actions, roster.OrphanedMember, p.UserPrincipalName); a.Drift.Action != roster.ActNone || !strings.Contains(a.Drift.Reason, "unclaimed") {
			t.Errorf("listed: %+v", a.Drift)
		}
	})
}

func TestWhatCantBeDecidedOfAPersonLeavesThemAsTheyAre(t *testing.T) {
	for what, write := range map[string]func(m *mapping.Mapping) error{
		"scope": func(m *mapping.Mapping) error { return m.WriteScope(`jobTitle == "odd" ? mail : "True"`) },
		"active": func(m *mapping.Mapping) error {
			return m.Write(mapping.Active, `= jobTitle == "odd" ? mail : accountEnabled`)
		},
	} {
		t.Run(what, func(t *testing.T) {
			eachWorld(t, 6, 1, func(w *world) {
				w.baseline()
				p := w.somebody(0)
				w.becomes(p, func(u *idpsim.User) { u.JobTitle, u.Disabled = "odd", true })
				m := mapping.Entra()
				w.ok(write(&m))
				w.mapped(m)
				for range 3 {
					_, actions := w.run(roster.ModeFull)
					w.wantActions(actions, "conflict none "+p.UserPrincipalName)
					if len(actions) == 1 && !strings.Contains(actions[0].Drift.Reason, what+": it gives") {
						t.Errorf("listed: %s", actions[0].Drift.Reason)
					}
				}
				if !w.members()[p.UserPrincipalName].Status.Live() {
					t.Error("what can't be worked out removed somebody")
				}
				if got := w.preview(p.UserPrincipalName); valueOf(got, what).State != roster.PreviewProblem || len(got.Would) != 0 {
					t.Errorf("the preview: %+v", got)
				}
			})
		})
	}
}

func TestActiveIsWhatTheMappingMakesOfIt(t *testing.T) {
	eachWorld(t, 6, 1, func(w *world) {
		w.baseline()
		onLeave, disabled := w.somebody(0), w.somebody(1)
		w.becomes(onLeave, func(u *idpsim.User) { u.JobTitle = "on leave" })
		w.becomes(disabled, func(u *idpsim.User) { u.Disabled = true })
		m := mapping.Entra()
		w.ok(m.Write(mapping.Active, `= jobTitle != "on leave"`))
		w.mapped(m)
		run, actions := w.run(roster.ModeFull)
		a := w.has(actions, roster.OrphanedMember, onLeave.UserPrincipalName)
		if run.State != roster.RunHeld || !strings.Contains(evidenceOf(a), "the connection's mapping of active gives False") {
			t.Errorf("%s: %s, %s", run.State, lines(actions), evidenceOf(a))
		}
		w.settledAfter(run)
		if got := w.preview(onLeave.UserPrincipalName); valueOf(got, mapping.Active).Value != "False" || valueOf(got, mapping.Active).State != roster.PreviewSame ||
			!strings.Contains(got.There, "mapping of active") {
			t.Errorf("the preview: %+v", got)
		}
		w.leave(disabled.ObjectID) // who left is off, whatever active would say
		_, _ = w.run(roster.ModeFull)
		if w.statusOf(onLeave) != roster.Deactivated || w.statusOf(disabled) != roster.Deactivated {
			t.Errorf("on leave %s, left %s", w.statusOf(onLeave), w.statusOf(disabled))
		}
	})
}

func TestAnEmptyValueKeepsClearsOrHasADefault(t *testing.T) {
	eachWorld(t, 6, 1, func(w *world) {
		p := w.somebody(0)
		w.becomes(p, func(u *idpsim.User) { u.JobTitle, u.Department = "Clerk", "Sales" })
		m := mapping.Entra()
		w.ok(m.Put(mapping.Line{Target: "title", Source: "jobTitle", Clear: true}), m.Put(mapping.Line{Target: "nickName", Source: "jobTitle"}),
			m.Put(mapping.Line{Target: "userType", Source: "department", Default: "unknown"}))
		w.mapped(m)
		w.baseline()
		have := func() [3]string {
			a := w.members()[p.UserPrincipalName].Attributes
			return [3]string{a.Get("title"), a.Get("nickName"), a.Get("userType")}
		}
		if got := have(); got != [3]string{"Clerk", "Clerk", "Sales"} {
			t.Errorf("at first %q", got)
		}
		w.becomes(p, func(u *idpsim.User) { u.JobTitle, u.Department = "", "" })
		got := w.preview(p.UserPrincipalName)
		if valueOf(got, "title").State != roster.PreviewClears || valueOf(got, "nickName").State != roster.PreviewEmpty || valueOf(got, "userType").Value != "unknown" {
			t.Errorf("the preview: %+v", got.Values)
		}
		run, actions := w.run(roster.ModeFull)
		w.wantActions(actions, "stale_member update "+p.UserPrincipalName)
		w.settledAfter(run)
		if got := have(); got != [3]string{"", "Clerk", "unknown"} {
			t.Errorf("then %q", got)
		}
	})
}

func TestTeamsHaveTheNamesThatTheMappingGivesThem(t *testing.T) {
	eachWorld(t, 6, 2, func(w *world) {
		m := mapping.Entra()
		w.ok(m.WriteTeam(roster.AttrDisplayName, `= ToUpper(displayName)`))
		w.mapped(m)
		w.baseline()
		w.silent()
		for _, g := range w.tenant.DesiredTeams() {
			if _, here := w.teams()[strings.ToUpper(g.DisplayName)]; !here {
				t.Errorf("%s is not among %v", g.DisplayName, w.teams())
			}
		}
		// Two groups of one name stay two teams: each is its group's by the link.
		w.ok(m.WriteTeam(roster.AttrDisplayName, `= "Everybody"`))
		w.mapped(m)
		run, _ := w.run(roster.ModeFull)
		w.settledAfter(run)
		all, _, err := w.db.Teams(context.Background(), w.org, store.List{})
		w.ok(err)
		if len(all) != 2 || all[0].DisplayName != "Everybody" || all[1].DisplayName != "Everybody" {
			t.Errorf("teams %+v", all)
		}
	})
}

func TestADoctorComparesWhatDecidesOnActive(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.cycleOf(200)
		for source, want := range map[string]string{
			`= userType == "Member"`: "fail mapping: active of users: the job takes it from whether they are in scope and enabled, this connection from = userType",
			"accountEnabled":         "ok mapping: ",
		} {
			m := mapping.Entra()
			w.ok(m.Write(mapping.Active, source))
			w.mapped(m)
			w.finds(w.diagnoses(), want)
			lines, err := w.syncer.JobMapping(context.Background(), w.org, w.conn)
			w.ok(err)
			if back := slices.ContainsFunc(lines.Lines, func(l roster.JobMappingLine) bool { return l.Target == mapping.Active }); back != strings.HasPrefix(want, "fail") {
				t.Errorf("%s: a line for active %t", source, back)
			}
		}
	})
}
