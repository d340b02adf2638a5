package syncer_test

import (
	"context"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
)

// joins adds somebody to the tenant, assigned, and returns the IdP's id.
func (w *world) joins(name string) string {
	w.t.Helper()
	u, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: name})
	if err == nil {
		err = w.tenant.Assign(u.ObjectID)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return u.ObjectID
}

// pushed makes a member by a push of an unbound token, or of the connection's.
func (w *world) pushed(cause roster.Cause, userName, externalID, email string) string {
	w.t.Helper()
	attrs := roster.Attributes{}
	for path, v := range map[string]string{roster.AttrUserName: userName, roster.AttrExternalID: externalID, roster.AttrWorkEmail: email} {
		if v != "" {
			attrs.Set(path, v)
		}
	}
	return w.commit(cause, roster.MemberCreate{Attributes: attrs, Active: true})[0].ID
}

// Whom no list speaks of is looked up; the first-link rules decide there as well.
func TestALookUpLinksOnlyWhomTheFirstLinkRulesChoose(t *testing.T) {
	eachWorld(t, 5, 1, func(w *world) {
		w.unsettled()
		w.baseline()
		unbound := roster.Cause{By: roster.ByPush}
		byID := w.joins("one@x.example")
		w.pushed(unbound, "other@x.example", byID, "")
		w.pushed(unbound, "one@x.example", "", "")
		w.joins("two@x.example")
		w.pushed(unbound, "two@x.example", "", "two.other@x.example")
		w.pushed(unbound, "two.mail@x.example", "", "two@x.example")
		w.joins("three@x.example")
		w.pushed(unbound, "three.a@x.example", "", "three@x.example")
		w.pushed(unbound, "three.b@x.example", "", "three@x.example")
		outside, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "four@x.example"})
		if err != nil {
			w.t.Fatal(err)
		}
		w.pushed(unbound, "four.a@x.example", "", outside.Mail)
		w.pushed(unbound, "four.b@x.example", "", outside.Mail)
		w.run(roster.ModeFull)
		linked := map[string]bool{"other@x.example": true, "two@x.example": true}
		for name, m := range w.members() {
			if len(name) > 10 && name[len(name)-10:] == "@x.example" && (m.Connection != "") != linked[name] {
				w.t.Errorf("%s: owned by %q", name, m.Connection)
			}
		}
		before := w.dump()
		if run, actions := w.run(roster.ModeFull); run.State != roster.RunDone || w.dump() != before {
			w.t.Errorf("the next run ended %s with %v", run.State, lines(actions))
		}
	})
}

// What was never linked is removed by an approval only if the IdP still has nobody of the name.
func TestAnApprovalLooksUpOnceMoreWhatWasNeverLinked(t *testing.T) {
	eachWorld(t, 5, 1, func(w *world) {
		w.unsettled()
		w.baseline()
		w.pushed(w.push(), "late@x.example", "", "")
		w.pushed(w.push(), "nobody@x.example", "", "")
		w.commit(w.push(), roster.TeamCreate{DisplayName: "Late"})
		run, actions := w.run(roster.ModeFull)
		if run.State != roster.RunHeld {
			w.t.Fatalf("the run ended %s with %v", run.State, lines(actions))
		}
		w.joins("late@x.example")
		g, err := w.tenant.AddGroup(idpsim.Group{DisplayName: "Late"})
		if err == nil {
			err = w.tenant.Assign(g.ObjectID)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		_, actions = w.approve(run.ID)
		for _, a := range actions {
			want := roster.ActionSkipped
			if a.Drift.Subject.Name == "nobody@x.example" {
				want = roster.ActionApplied
			}
			if a.State != want {
				w.t.Errorf("%s %s: %s, want %s (%s)", a.Drift.Kind, a.Drift.Subject.Name, a.State, want, a.Note)
			}
		}
	})
}

// A run's own update of other attributes doesn't make the mismatched one, which it holds, stale.
func TestAHeldAttributeOutlivesTheRunsOwnUpdate(t *testing.T) {
	eachWorld(t, 15, 1, func(w *world) {
		w.baseline()
		for i, p := range w.tenant.Desired() {
			if err := w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) {
				u.DisplayName += " X"
				if i < 3 {
					u.GivenName += " Y"
				}
			}); err != nil {
				w.t.Fatal(err)
			}
		}
		run, actions := w.run(roster.ModeFull)
		if run.State != roster.RunHeld || run.Applied != 3 {
			w.t.Fatalf("the run ended %s, %d applied, with %v", run.State, run.Applied, lines(actions))
		}
		run, actions = w.approve(run.ID)
		for _, a := range actions {
			if a.State != roster.ActionApplied {
				w.t.Errorf("%s: %s (%s)", a.Drift.Subject.Name, a.State, a.Note)
			}
		}
		if run.State != roster.RunDone {
			w.t.Errorf("the approved run ended %s", run.State)
		}
		w.converged()
	})
}

// While a first run's plan is held, the next run settles nothing: if the plan is cancelled, it is held again.
func TestAFirstRunIsOneUntilItsPlanIsDecided(t *testing.T) {
	eachWorld(t, 20, 1, func(w *world) {
		for i, p := range w.tenant.Desired() {
			attrs := roster.Attributes{}
			for path, v := range map[string]string{
				roster.AttrUserName: p.UserPrincipalName, roster.AttrDisplayName: p.DisplayName, roster.AttrWorkEmail: p.Mail,
				"name.givenName": p.GivenName, "name.familyName": p.Surname,
			} {
				attrs.Set(path, v)
			}
			w.commit(w.push(), roster.MemberCreate{Attributes: attrs, Active: true})
			if i == 0 {
				if err := w.tenant.DisableUser(p.ObjectID); err != nil {
					w.t.Fatal(err)
				}
			}
		}
		w.unsettled()
		first, _ := w.run(roster.ModeFull)
		second, _ := w.run(roster.ModeFull)
		w.commit(operator(), roster.RunCancel{ID: first.ID, By: "op"})
		third, _ := w.run(roster.ModeFull)
		if first.State != roster.RunHeld || second.State != roster.RunDone || third.State != roster.RunHeld || third.Held[0].Limit != "first_run" {
			w.t.Errorf("the runs ended %s, %s, %s", first.State, second.State, third.State)
		}
		w.approve(third.ID)
		if c, err := w.db.Connection(context.Background(), w.org, w.conn); err != nil || !c.Settled {
			w.t.Errorf("not settled after the approval: %v", err)
		}
	})
}
