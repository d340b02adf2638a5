package syncer_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
)

// undo undoes the link of an object on an operator's word.
func (w *world) undo(typ roster.ObjectType, object string) {
	w.t.Helper()
	w.commit(operator(), roster.LinkDrop{Connection: w.conn, Type: typ, ObjectID: object, Refuse: true})
}

// linkedTo returns what an object is linked to; empty: nothing.
func (w *world) linkedTo(typ roster.ObjectType, object string) string {
	w.t.Helper()
	got, err := w.db.ResolveLinks(w.t.Context(), w.org, w.conn, typ, []string{object})
	w.ok(err)
	return got[object]
}

func TestALinkThatAnOperatorUndidIsMadeAgainByAnOperatorOnly(t *testing.T) {
	eachWorld(t, 6, 1, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		m := w.members()[p.UserPrincipalName]
		w.undo(roster.TypeMember, p.ObjectID)
		for _, mode := range []roster.Mode{roster.ModeFull, roster.ModeFull} {
			run, actions := w.run(mode)
			if run.State != roster.RunDone || w.linkedTo(roster.TypeMember, p.ObjectID) != "" {
				w.t.Errorf("a %s run: %s, linked to %q", mode, run.State, w.linkedTo(roster.TypeMember, p.ObjectID))
			}
			a := w.has(actions, roster.ConflictKind, p.UserPrincipalName)
			if a.Drift.Action != roster.ActNone {
				w.t.Errorf("a conflict with the action %s", a.Drift.Action)
			}
			said := ""
			for i := range actions {
				said += actions[i].Drift.Reason + "\n"
			}
			if !strings.Contains(said, "an operator undid the link") || !strings.Contains(said, "members link "+m.ID) {
				w.t.Errorf("no word of it:\n%s", said)
			}
		}
		w.one(p.UserPrincipalName)
		if got := w.linkedTo(roster.TypeMember, p.ObjectID); got != "" {
			w.t.Errorf("a resync of the person linked them to %s", got)
		}
		if now := w.members()[p.UserPrincipalName]; now.ID != m.ID || now.Status != m.Status {
			w.t.Errorf("became %+v", now)
		}
		w.commit(operator(), roster.LinkSet{Link: roster.Link{Org: w.org, Connection: w.conn, Type: roster.TypeMember, ObjectID: p.ObjectID,
			TargetID: m.ID, State: roster.LinkOn, Rule: roster.RuleOperator}, Event: "made"})
		if left, err := w.db.Refusals(w.t.Context(), w.org, roster.TypeMember, m.ID); err != nil || len(left) > 0 {
			w.t.Errorf("still undone: %+v, %v", left, err)
		}
		w.run(roster.ModeFull)
		w.converged()
	})
}

// Undone is one pair: the person there may be somebody else here, and does become that.
func TestAPersonWhoseLinkWasUndoneIsLinkedToSomebodyElse(t *testing.T) {
	eachWorld(t, 6, 1, func(w *world) {
		p := w.somebody(0)
		wrong := w.pushed(w.push(), "old."+p.UserPrincipalName, p.ObjectID, "")
		w.baseline()
		if got := w.linkedTo(roster.TypeMember, p.ObjectID); got != wrong {
			w.t.Fatalf("linked to %q, want the one with the externalId, %s", got, wrong)
		}
		w.undo(roster.TypeMember, p.ObjectID)
		w.commit(w.push(), roster.MemberEdit{ID: wrong, Edit: func(m roster.Member) (roster.Attributes, *bool, error) {
			a := m.Attributes
			a["userName"] = "somebody.else@contoso.example"
			return a, nil, nil
		}})
		w.run(roster.ModeFull)
		w.run(roster.ModeFull)
		if got := w.linkedTo(roster.TypeMember, p.ObjectID); got == "" || got == wrong {
			w.t.Errorf("linked to %q, want somebody new", got)
		}
	})
}

func TestAGroupWhoseLinkWasUndoneIsNotLinkedToThatTeam(t *testing.T) {
	eachWorld(t, 6, 2, func(w *world) {
		w.baseline()
		g := w.tenant.DesiredTeams()[0]
		id := w.team(g.DisplayName).ID
		w.undo(roster.TypeTeam, g.ObjectID)
		w.run(roster.ModeFull)
		if got := w.linkedTo(roster.TypeTeam, g.ObjectID); got == id {
			w.t.Errorf("linked to %s again", got)
		}
	})
}
