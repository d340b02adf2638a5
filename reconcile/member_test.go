package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

type memberCase struct {
	rules reconcile.Rules
	c     roster.MemberCandidate
	want  string
	why   string // part of the reasons
}

func runMembers(t *testing.T, cases map[string]memberCase) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := tc.rules.Member(tc.c)
			if got := say(d); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !strings.Contains(reasons(d)+d.LinkReason, tc.why) {
				t.Errorf("reasons %q lack %q", reasons(d), tc.why)
			}
			for _, drift := range d.Drifts {
				if len(drift.Evidence) == 0 {
					t.Errorf("%s without evidence", drift.Kind)
				}
			}
		})
	}
}

func TestMemberWithoutAMatch(t *testing.T) {
	runMembers(t, map[string]memberCase{
		"enabled there is a missed create": {rules(), roster.MemberCandidate{ObjectID: obj, There: wanted()},
			`missing_member create displayName=Alice emails[type eq "work"].value=alice@x userName=alice@x`, "unknown here"},
		"disabled there and absent here is no drift": {rules(), roster.MemberCandidate{ObjectID: obj, There: wanted(off)}, "", ""},
		"silence about nobody is nothing":            {rules(), roster.MemberCandidate{ObjectID: obj}, "", ""},
		"without a userName nobody is made": {rules(), roster.MemberCandidate{ObjectID: obj, There: wanted(want(roster.AttrUserName, ""))},
			"missing_member none", "without a userName"},
	})
}

func TestLinkedMember(t *testing.T) {
	runMembers(t, map[string]memberCase{
		"the same on both sides":        {rules(), linkedTo(alice(), wanted()), "", ""},
		"another display name":          {rules(), linkedTo(alice(), wanted(want(roster.AttrDisplayName, "A"))), "stale_member update displayName=A", "displayName"},
		"case counts":                   {rules(), linkedTo(alice(), wanted(want(roster.AttrUserName, "Alice@x"))), "stale_member update userName=Alice@x", ""},
		"an empty value clears nothing": {rules(), linkedTo(alice(), wanted(want(roster.AttrDisplayName, ""))), "link seen", ""},
		"disabled there":                {rules(), linkedTo(alice(), wanted(off)), "link seen; orphaned_member deactivate", "disabled or out of scope"},
		"disabled there, by a list not whole": {partly(rules()), linkedTo(alice(), wanted(off)),
			"link seen; orphaned_member deactivate", ""},
		"disabled on both sides": {rules(), linkedTo(alice(status(roster.Deactivated)), wanted(off)), "link seen", ""},
		"another's person follows the owner": {rules(), linkedTo(alice(owner(other)), wanted(off, want(roster.AttrDisplayName, "A"))),
			"link seen", ""},
		"an unclaimed one is claimed": {rules(), linkedTo(alice(owner("")), wanted()), "link seen", ""},
		"ownership passes": {rules(), func() roster.MemberCandidate {
			c := linkedTo(alice(), wanted(off))
			c.PassTo = other
			return c
		}(), "link seen; pass c2; orphaned_member none", "ownership passes"},
		"the last owner": {rules(), func() roster.MemberCandidate {
			c := linkedTo(alice(), wanted(off))
			c.Protected = true
			return c
		}(), "link seen; conflict none", "protected owner"},
		"kept":                    {rules(), linkedTo(alice(), wanted(kept)), "", ""},
		"kept, with a difference": {rules(), linkedTo(alice(), wanted(kept, want(roster.AttrDisplayName, "A"))), "stale_member update displayName=A", ""},
		"kept, and last seen as off": {rules(), func() roster.MemberCandidate {
			c := linkedTo(alice(), wanted(kept))
			c.Link.State = roster.LinkOff
			return c
		}(), "link seen", ""},
		"kept, and off here": {rules(), linkedTo(alice(status(roster.Deactivated), offBy(roster.ByPush)), wanted(kept)), "", ""},
		"kept, off here, and last seen as off": {rules(), func() roster.MemberCandidate {
			c := linkedTo(alice(status(roster.Deactivated)), wanted(kept))
			c.Link.State = roster.LinkOff
			return c
		}(), "", ""},
		"kept, and deleted here": {rules(), linkedTo(alice(status(roster.Deleted)), wanted(kept)), "", ""},
		"kept, deleted and found anew": {rules(), func() roster.MemberCandidate {
			c := linkedTo(alice(status(roster.Deleted)), wanted(kept))
			c.Matches = []roster.Match{{Member: *alice(func(m *roster.Member) { m.ID = "m3" }), ByUserName: true}}
			return c
		}(), "link moved m3 by userName", ""},
		"gone there, in the IdP's words": {partly(rules()), linkedTo(alice(), wanted(gone, want(roster.AttrDisplayName, "A"))), "link seen; orphaned_member deactivate", "gone there"},
		"gone there, and off here":       {rules(), linkedTo(alice(status(roster.Deactivated)), wanted(gone)), "link seen", ""},
		"under another run's held plan": {rules(), func() roster.MemberCandidate {
			c := linkedTo(alice(), wanted(off))
			c.HeldBy = "r9"
			return c
		}(), "orphaned_member none", "held by run r9"},
	})
}

func TestComingBack(t *testing.T) {
	taken := func(m *roster.Member, linked, wants string) roster.MemberCandidate {
		c := linkedTo(alice(status(roster.Deleted)), wanted(want(roster.AttrUserName, "alice2@x"), want(roster.AttrWorkEmail, "")))
		c.Matches = []roster.Match{{Member: *m, ByUserName: true, LinkedObject: linked, LinkedWants: wants}}
		return c
	}
	holder := bob(set(roster.AttrUserName, "Alice@x"))
	runMembers(t, map[string]memberCase{
		"deactivated by a push": {rules(), linkedTo(alice(status(roster.Deactivated), offBy(roster.ByPush)), wanted(want(roster.AttrDisplayName, "A"))),
			"redundant_soft_delete reactivate; stale_member update displayName=A", "in scope and enabled there"},
		"deactivated by an operator": {rules(), linkedTo(alice(status(roster.Deactivated), offBy(roster.ByOperator)), wanted()),
			"redundant_soft_delete none", "an operator deactivated them"},
		"deleted": {rules(), linkedTo(alice(status(roster.Deleted)), wanted()), "redundant_soft_delete restore", ""},
		"deleted by an operator": {rules(), linkedTo(alice(status(roster.Deleted), offBy(roster.ByOperator)), wanted()),
			"redundant_soft_delete none", "an operator deleted them"},
		"deleted, and somebody has the name": {rules(), taken(holder, "", ""), "conflict none", `"Alice@x" (m2)`},
		"deleted, and the name is given up": {rules(), taken(holder, "o2", "bob@x"),
			"redundant_soft_delete restore; stale_member update userName=alice2@x", ""},
		"deleted, and a live one is found": {rules(), func() roster.MemberCandidate {
			c := linkedTo(alice(status(roster.Deleted)), wanted())
			c.Matches = []roster.Match{{Member: *alice(func(m *roster.Member) { m.ID = "m3" }), ByUserName: true}}
			return c
		}(), "link moved m3 by userName", ""},
	})
}

func TestSilenceAboutAMember(t *testing.T) {
	silent := func(l *roster.Look, change ...func(*roster.MemberCandidate)) roster.MemberCandidate {
		c := linkedTo(alice(), nil)
		c.Look = l
		for _, f := range change {
			f(&c)
		}
		return c
	}
	ungranted := func(c *roster.MemberCandidate) { c.Ungranted = true }
	runMembers(t, map[string]memberCase{
		"a list not whole says nothing":          {partly(rules()), silent(nil), "", ""},
		"whole lists ask for a second look":      {rules(), silent(nil), "look", "absent"},
		"a look that says in scope keeps":        {rules(), silent(look(true, true, wanted(want(roster.AttrDisplayName, "A")))), "", ""},
		"a look that finds nobody agrees":        {rules(), silent(look(false, false, nil)), "link seen; orphaned_member deactivate", "gone there"},
		"a look that finds no assignment agrees": {rules(), silent(look(true, false, wanted())), "link seen; orphaned_member deactivate", "out of scope"},
		"a look that finds them disabled agrees": {rules(), silent(look(true, true, wanted(off))), "link seen; orphaned_member deactivate", "disabled"},
		"the last owner asks as well":            {rules(), silent(nil, func(c *roster.MemberCandidate) { c.Protected = true }), "look", ""},
		"the last owner is a conflict": {rules(), silent(look(false, false, nil), func(c *roster.MemberCandidate) { c.Protected = true }),
			"link seen; conflict none", "protected owner"},
		"the last owner who is in scope is none": {rules(), silent(look(true, true, wanted()), func(c *roster.MemberCandidate) { c.Protected = true }), "", ""},
		"changed while it was looked at": {rules(), silent(look(false, false, nil), func(c *roster.MemberCandidate) { c.Here.Seq = 201 }),
			"orphaned_member none again", "left to the next run"},
		"a delta that knows of no grant asks for a look": {partly(rules()), silent(nil, ungranted), "look", "absent"},
		"no grant, and a look that agrees":               {partly(rules()), silent(look(true, false, wanted()), ungranted), "link seen; orphaned_member deactivate", "out of scope"},
		"no grant, and a look that says in scope":        {partly(rules()), silent(look(true, true, wanted()), ungranted), "", ""},
		"no grant, and a look that says kept":            {partly(rules()), silent(look(true, true, wanted(kept)), ungranted), "", ""},
		"a look that says kept keeps":                    {rules(), silent(look(true, true, wanted(kept))), "", ""},
		"a look that says kept but out of scope agrees":  {rules(), silent(look(true, false, wanted(kept))), "link seen; orphaned_member deactivate", "out of scope"},
		"silence about one who is off": {rules(), func() roster.MemberCandidate {
			c := linkedTo(alice(status(roster.Deactivated)), nil)
			return c
		}(), "", ""},
	})
}

func TestFreshPushIsLookedAtAgain(t *testing.T) {
	fresh := func(there *roster.WantedMember, l *roster.Look) roster.MemberCandidate {
		c := linkedTo(alice(func(m *roster.Member) { m.PushedSeq, m.PushedAt = 150, now.Add(-time.Hour) }), there)
		c.Look = l
		return c
	}
	recent := linkedTo(alice(func(m *roster.Member) { m.PushedSeq, m.PushedAt = 60, now.Add(-10*time.Minute+time.Second) }), wanted(off))
	settled := linkedTo(alice(func(m *roster.Member) { m.PushedSeq, m.PushedAt = 60, now.Add(-10*time.Minute) }), wanted(off))
	renamed := want(roster.AttrDisplayName, "A")
	runMembers(t, map[string]memberCase{
		"pushed after the page":          {rules(), fresh(wanted(off), nil), "look", "after the IdP was read"},
		"pushed within settle":           {rules(), recent, "look", "pushed less than 10m0s ago"},
		"pushed just settle ago":         {rules(), settled, "link seen; orphaned_member deactivate", ""},
		"no difference, no look":         {rules(), fresh(wanted(), nil), "", ""},
		"a look that agrees":             {rules(), fresh(wanted(off), look(true, true, wanted(off))), "link seen; orphaned_member deactivate", ""},
		"a look in line":                 {rules(), fresh(wanted(off), look(true, true, wanted())), "again", ""},
		"a look with another difference": {rules(), fresh(wanted(off), look(true, true, wanted(renamed))), "orphaned_member none again", "does not agree"},
		"the value on which both agree":  {rules(), fresh(wanted(renamed, want(roster.AttrUserName, "old@x")), look(true, true, wanted(renamed))), "stale_member update again displayName=A", ""},
		"another value":                  {rules(), fresh(wanted(renamed), look(true, true, wanted(want(roster.AttrDisplayName, "B")))), "stale_member none again displayName=A", "does not agree"},
		"out of scope now, enabled then": {rules(), fresh(wanted(renamed), look(true, false, wanted(renamed))), "link seen; stale_member none again displayName=A", "does not agree"},
		"a look that says kept":          {rules(), fresh(wanted(off), look(true, true, wanted(kept))), "again", ""},
		"off here, and a look that says kept": {rules(), func() roster.MemberCandidate {
			c := fresh(wanted(), look(true, true, wanted(kept)))
			c.Here.Status, c.Here.OffBy = roster.Deactivated, roster.ByPush
			return c
		}(), "again", ""},
		"ownership would pass, and a look in scope": {rules(), func() roster.MemberCandidate {
			c := fresh(wanted(off), look(true, true, wanted()))
			c.PassTo = other
			return c
		}(), "again", ""},
		"gone, and a look that agrees": {rules(), fresh(wanted(gone), look(false, false, nil)), "link seen; orphaned_member deactivate", ""},
		"gone, and a look in scope":    {rules(), fresh(wanted(gone), look(true, true, wanted())), "again", ""},
		"changed again while looked at": {rules(), func() roster.MemberCandidate {
			c := fresh(wanted(off), look(true, true, wanted(off)))
			c.Here.PushedSeq = 201
			return c
		}(), "orphaned_member none again", "changed by a push"},
	})
}

// Where both reads agree on some values only, the link must not say that everything was written.
func TestHalfAnUpdateComesWithoutALink(t *testing.T) {
	c := linkedTo(alice(func(m *roster.Member) { m.PushedAt = now }), wanted(want(roster.AttrDisplayName, "A")))
	whole := wanted(want(roster.AttrDisplayName, "A"), want(roster.AttrExternalID, "e1"))
	c.Look = look(true, true, whole)
	if d := rules().Member(c); say(d) != "stale_member update again displayName=A" || d.Drifts[0].Link != nil {
		t.Errorf("half: %s, link %+v", say(d), d.Drifts[0].Link)
	}
	whole.Stamp = 100
	c.There = whole
	if d := rules().Member(c); d.Drifts[0].Link == nil || d.Drifts[0].Link.SeenExternalID != "e1" {
		t.Errorf("whole: %s, link %+v", say(d), d.Drifts[0].Link)
	}
}

func TestStoredMemberWithoutALink(t *testing.T) {
	stored := func(m *roster.Member, found *roster.WantedMember, l *roster.Look) roster.MemberCandidate {
		c := roster.MemberCandidate{Here: m, Look: l, SilenceStamp: 100}
		if found != nil {
			c.ObjectID, c.There = obj, found
		}
		return c
	}
	none := look(false, false, nil)
	runMembers(t, map[string]memberCase{
		"is looked up first":                {rules(), stored(alice(), nil, nil), "look", ""},
		"also by a list not whole":          {partly(rules()), stored(alice(), nil, nil), "look", ""},
		"found asks whether it is in scope": {rules(), stored(alice(), wanted(), nil), "look", ""},
		"found and in scope":                {rules(), stored(alice(), wanted(), look(true, true, nil)), "link made m1 by userName", ""},
		"found and disabled":                {partly(rules()), stored(alice(), wanted(off), look(true, true, wanted(off))), "link made m1 by userName; orphaned_member deactivate", ""},
		"found and out of scope":            {rules(), stored(alice(), wanted(), look(true, false, wanted())), "link made m1 by userName; orphaned_member deactivate", ""},
		"a look never decides alone":        {partly(rules()), stored(alice(), wanted(), look(true, false, wanted())), "link made m1 by userName", ""},
		"found by email":                    {rules(), stored(alice(), wanted(want(roster.AttrUserName, "a2@x")), look(true, true, nil)), "link made m1 by email; stale_member none again userName=a2@x", "by email"},
		"not found and owned":               {rules(), stored(alice(), nil, none), "orphaned_member deactivate held", "without a link"},
		"not found and the last owner":      {rules(), func() roster.MemberCandidate { c := stored(alice(), nil, none); c.Protected = true; return c }(), "conflict none", "protected"},
		"not found and unclaimed":           {rules(), stored(alice(owner("")), nil, none), "orphaned_member none", "unclaimed"},
		"not found by a list not whole":     {partly(rules()), stored(alice(), nil, none), "", ""},
		"not found so soon after a push":    {rules(), stored(alice(func(m *roster.Member) { m.PushedAt = now }), nil, none), "orphaned_member none again", "not found there yet"},
		"several found":                     {rules(), stored(alice(), nil, look(true, false, nil)), "conflict none", "several people there"},
		"found, but linked to somebody else": {rules(), func() roster.MemberCandidate {
			c := stored(alice(), wanted(), look(true, true, nil))
			c.Link = linkOf(bob(), wanted())
			return c
		}(), "conflict none", "linked to another member"},
		"found, but another matches first": {rules(), func() roster.MemberCandidate {
			c := stored(alice(set(roster.AttrUserName, "old@x")), wanted(), look(true, true, nil))
			c.Matches = []roster.Match{{Member: *bob(set(roster.AttrUserName, "alice@x")), ByUserName: true}}
			return c
		}(), "conflict none", "by userName first"},
		"found, but another matches as well": {rules(), func() roster.MemberCandidate {
			c := stored(alice(set(roster.AttrUserName, "old@x")), wanted(off), look(true, true, wanted(off)))
			c.Matches = []roster.Match{{Member: *bob(set(roster.AttrWorkEmail, "alice@x")), ByEmail: true}}
			return c
		}(), "conflict none", "several members match by email"},
		"found, and first by userName": {rules(), func() roster.MemberCandidate {
			c := stored(alice(), wanted(), look(true, true, nil))
			c.Matches = []roster.Match{{Member: *bob(set(roster.AttrWorkEmail, "alice@x")), ByEmail: true}}
			return c
		}(), "link made m1 by userName", ""},
		"found and kept, in scope":               {partly(rules()), stored(alice(), wanted(kept), look(true, true, wanted(kept))), "link made m1 by userName", ""},
		"found and kept, but out of scope":       {rules(), stored(alice(), wanted(kept), look(true, false, wanted(kept))), "link made m1 by userName; orphaned_member deactivate", ""},
		"a look never decides alone of one kept": {partly(rules()), stored(alice(), wanted(kept), look(true, false, wanted(kept))), "link made m1 by userName", ""},
		"found by our id before another's name": {rules(), func() roster.MemberCandidate {
			c := stored(alice(set(roster.AttrUserName, "old@x")), wanted(func(w *roster.WantedMember) { w.MemberID = "m1" }), look(true, true, nil))
			c.Matches = []roster.Match{{Member: *bob(set(roster.AttrUserName, "alice@x")), ByUserName: true}}
			return c
		}(), "link made m1 by id; conflict none userName=alice@x", ""},
		"found, and renamed a moment later": {rules(), stored(alice(set(roster.AttrWorkEmail, "")), wanted(want(roster.AttrUserName, "a2@x")), look(true, true, nil)), "", ""},
		"local":                             {rules(), stored(alice(local), nil, nil), "", ""},
		"another's":                         {rules(), stored(alice(owner(other)), nil, nil), "", ""},
	})
}

func TestEvidenceIsInPlainWords(t *testing.T) {
	c := linkedTo(alice(func(m *roster.Member) { m.PushedSeq, m.PushedAt = 60, now.Add(-time.Hour) }), wanted(off))
	d := rules().Member(c)
	for _, text := range []string{"accountEnabled is false", "last push at 2026-12-01T02:00:00Z (active=true here)"} {
		if !slices.ContainsFunc(d.Drifts[0].Evidence, func(e roster.Evidence) bool { return e.Text == text && !e.Time.IsZero() }) {
			t.Errorf("no %q in %v", text, d.Drifts[0].Evidence)
		}
	}
	c = linkedTo(alice(), nil)
	c.Look = look(true, false, wanted())
	if d := rules().Member(c); len(d.Drifts[0].Evidence) != 2 || d.Drifts[0].Evidence[1].Text != "no assignment found by a second look" {
		t.Errorf("both reads are no evidence: %v", d.Drifts[0].Evidence)
	}
}

func TestALookThatCannotBeMadeListsWhatWaits(t *testing.T) {
	d := rules().Member(linkedTo(alice(), nil))
	if len(d.Drifts) != 1 || d.Drifts[0].Action != roster.ActNone || !strings.Contains(d.Drifts[0].Reason, "waits for a second look") {
		t.Errorf("got %+v", d.Drifts)
	}
}
