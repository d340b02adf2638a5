package reconcile_test

import (
	"slices"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

func first(there *roster.WantedMember, matches ...roster.Match) roster.MemberCandidate {
	return roster.MemberCandidate{ObjectID: obj, There: there, Matches: matches}
}

func TestFirstLinkOfAMember(t *testing.T) {
	delta := rules()
	delta.Delta = true
	adopt := rules()
	adopt.AdoptLocal = true
	byID := rules()
	byID.Match = []string{reconcile.RuleExternalID, reconcile.RuleEmail}
	undone := func(c roster.MemberCandidate, ids ...string) roster.MemberCandidate {
		c.Refused = ids
		return c
	}
	named := func(m *roster.Member) roster.Match { return roster.Match{Member: *m, ByUserName: true} }
	mailed := func(m *roster.Member) roster.Match { return roster.Match{Member: *m, ByEmail: true} }
	linked := func(m roster.Match, object, wants string) roster.Match {
		m.LinkedObject, m.LinkedWants = object, wants
		return m
	}
	runMembers(t, map[string]memberCase{
		"by userName, folded":                {rules(), first(wanted(), named(alice(set(roster.AttrUserName, " ALICE@x ")))), "link made m1 by userName; stale_member update userName=alice@x", ""},
		"by our id before all others":        {rules(), first(wanted(), named(alice()), roster.Match{Member: *bob(), ByID: true}), "link made m2 by id; stale_member update emails[type eq \"work\"].value=alice@x; conflict none userName=alice@x", ""},
		"by externalId before userName":      {rules(), first(wanted(want(roster.AttrUserName, "bob@x"), want(roster.AttrWorkEmail, "")), named(alice()), roster.Match{Member: *bob(), ByExternalID: true}), "link made m2 by externalId", ""},
		"an unclaimed one":                   {rules(), first(wanted(), named(alice(owner("")))), "link made m1 by userName", ""},
		"and is then judged":                 {rules(), first(wanted(off), named(alice())), "link made m1 by userName; orphaned_member deactivate", ""},
		"and reactivated":                    {rules(), first(wanted(), named(alice(status(roster.Deactivated)))), "link made m1 by userName; redundant_soft_delete reactivate", ""},
		"by email changes no match key":      {rules(), first(wanted(want(roster.AttrUserName, "a2@x"), want(roster.AttrDisplayName, "A")), mailed(alice())), "link made m1 by email; stale_member update displayName=A; stale_member none again userName=a2@x", "by email"},
		"two by one rule":                    {rules(), first(wanted(), mailed(alice(set(roster.AttrUserName, "x@x"))), mailed(bob())), "conflict none", "several members match by email"},
		"two by one rule, disabled there":    {rules(), first(wanted(off), mailed(alice(set(roster.AttrUserName, "x@x"))), mailed(bob())), "conflict none", "several"},
		"linked to another object":           {rules(), first(wanted(), linked(named(alice()), "o2", "")), "conflict none", "linked here to another object (o2)"},
		"linked and keeps the name":          {rules(), first(wanted(), linked(named(alice()), "o2", "Alice@X")), "conflict none", "linked here to another object"},
		"linked, disabled there":             {rules(), first(wanted(off), linked(named(alice()), "o2", "")), "", ""},
		"another connection's":               {rules(), first(wanted(), named(alice(owner(other)))), "conflict none", "members link m1 --connection entra --object o1"},
		"local":                              {rules(), first(wanted(), named(alice(local))), "conflict none", "members adopt m1 --connection entra"},
		"local, adopted by email":            {adopt, first(wanted(want(roster.AttrDisplayName, "A")), mailed(alice(local))), "link adopted m1 by email", ""},
		"local, not adopted by userName":     {adopt, first(wanted(), named(alice(local))), "conflict none", "members adopt"},
		"a local owner is never adopted":     {adopt, first(wanted(), mailed(alice(local, func(m *roster.Member) { m.Role = roster.RoleOwner }))), "conflict none", "members adopt"},
		"a deleted one is no match":          {rules(), first(wanted(off), named(alice(status(roster.Deleted)))), "", ""},
		"an empty userName matches nothing":  {rules(), first(wanted(off, want(roster.AttrUserName, "")), named(alice(set(roster.AttrUserName, "")))), "", ""},
		"a protected owner is not shut out":  {rules(), first(wanted(off), roster.Match{Member: *alice(), ByUserName: true, Protected: true}), "link made m1 by userName; conflict none", "protected"},
		"a fresh one with nothing to do":     {rules(), first(wanted(), named(alice(func(m *roster.Member) { m.PushedAt, m.PushedSeq = now, 150 }))), "link made m1 by userName", ""},
		"a fresh one with something to do":   {rules(), first(wanted(off), named(alice(func(m *roster.Member) { m.PushedAt, m.PushedSeq = now, 150 }))), "look", ""},
		"kept, and nobody here":              {rules(), first(wanted(kept)), "", ""},
		"kept, and a live one":               {rules(), first(wanted(kept, want(roster.AttrDisplayName, "A")), named(alice())), "link made m1 by userName; stale_member update displayName=A", ""},
		"kept, and one who is off":           {rules(), first(wanted(kept), named(alice(status(roster.Deactivated)))), "", ""},
		"kept, and another connection's":     {rules(), first(wanted(kept), named(alice(owner(other)))), "", ""},
		"gone, and nobody linked":            {rules(), first(wanted(gone), named(alice())), "", ""},
		"by email in a delta":                {delta, first(wanted(want(roster.AttrUserName, "a2@x")), mailed(alice())), "missing_member none again", "waits for a full run"},
		"by email in a delta, disabled":      {delta, first(wanted(off, want(roster.AttrUserName, "a2@x")), mailed(alice())), "", ""},
		"by userName in a delta":             {delta, first(wanted(), named(alice())), "link made m1 by userName", ""},
		"by a rule that isn't used":          {byID, first(wanted(), named(alice())), "conflict none", "doesn't match by userName"},
		"by email where it is used":          {byID, first(wanted(), mailed(alice(set(roster.AttrUserName, "x@x")))), "link made m1 by email; stale_member none again userName=alice@x", ""},
		"an undone link":                     {rules(), undone(first(wanted(), named(alice())), "m1"), "conflict none", "an operator undid the link"},
		"an undone link, disabled there":     {rules(), undone(first(wanted(off), named(alice())), "m1"), "", ""},
		"an undone link, and another match":  {rules(), undone(first(wanted(), named(alice()), roster.Match{Member: *bob(), ByEmail: true}), "m2"), "link made m1 by userName", ""},
		"a link to a member who was removed": {rules(), roster.MemberCandidate{ObjectID: obj, There: wanted(), Link: linkOf(bob(), wanted()), Matches: []roster.Match{named(alice())}}, "link moved m1 by userName", ""},
	})
}

func TestUserNamePassesFromOneToAnother(t *testing.T) {
	holder := alice(set(roster.AttrWorkEmail, "alice@x"))
	passing := roster.Match{Member: *holder, ByUserName: true, ByEmail: true, LinkedObject: "o2", LinkedWants: "alice2@x"}
	d := rules().Member(first(wanted(), passing))
	if got := say(d); got != `missing_member create displayName=Alice emails[type eq "work"].value=alice@x userName=alice@x` {
		t.Fatalf("a new person is not made: %s", got)
	}
	if !slices.Contains(d.Drifts[0].Needs, roster.GuardRename) {
		t.Error("the create doesn't need the rename")
	}
	c := linkedTo(bob(), wanted())
	c.Matches = []roster.Match{passing}
	if got := say(rules().Member(c)); got != `stale_member update emails[type eq "work"].value=alice@x userName=alice@x` {
		t.Errorf("a linked person is not renamed: %s", got)
	}
	c.Matches[0].LinkedWants = ""
	if got := say(rules().Member(c)); got != `stale_member update emails[type eq "work"].value=alice@x; conflict none userName=alice@x` {
		t.Errorf("a name that is kept is taken: %s", got)
	}
}

func TestMatchKeys(t *testing.T) {
	seen := func(m *roster.Member, userName, externalID string, there *roster.WantedMember) roster.MemberCandidate {
		c := linkedTo(m, there)
		c.Link.SeenUserName, c.Link.SeenExternalID = userName, externalID
		if userName == "" {
			c.Link.Seen = nil // never seen by any run
		}
		return c
	}
	renamed := wanted(want(roster.AttrUserName, "new@x"))
	runMembers(t, map[string]memberCase{
		"a run's is overwritten":                 {rules(), seen(alice(), "new@x", "", renamed), "stale_member update userName=new@x", ""},
		"a push's, unchanged there":              {rules(), seen(alice(keysBy(roster.ByPush)), "new@x", "", renamed), "stale_member none userName=new@x", "a push wrote it"},
		"a push's, changed there":                {rules(), seen(alice(keysBy(roster.ByPush)), "alice@x", "", renamed), "stale_member update userName=new@x", ""},
		"a push's, never seen":                   {rules(), seen(alice(keysBy(roster.ByPush)), "", "", renamed), "link seen; stale_member none userName=new@x", ""},
		"a push's externalId, seen empty before": {rules(), seen(alice(keysBy(roster.ByPush), set(roster.AttrExternalID, "e0")), "alice@x", "", wanted(want(roster.AttrExternalID, "e1"))), "stale_member update externalId=e1", ""},
		"an operator's, unchanged there":         {rules(), seen(alice(keysBy(roster.ByOperator)), "new@x", "", renamed), "stale_member update userName=new@x", "differs"},
		"externalId alike":                       {rules(), seen(alice(keysBy(roster.ByPush), set(roster.AttrExternalID, "e0")), "alice@x", "e1", wanted(want(roster.AttrExternalID, "e1"))), "stale_member none externalId=e1", ""},
		"other attributes are updated beside it": {rules(), seen(alice(keysBy(roster.ByPush)), "new@x", "", wanted(want(roster.AttrUserName, "new@x"), want(roster.AttrDisplayName, "A"))), "stale_member update displayName=A; stale_member none userName=new@x", ""},
		"a name that somebody holds, unlinked": {rules(), func() roster.MemberCandidate {
			c := seen(alice(), "alice@x", "", renamed)
			c.Matches = []roster.Match{{Member: *bob(set(roster.AttrUserName, "NEW@x")), ByUserName: true}}
			return c
		}(), "conflict none userName=new@x", `"NEW@x" (m2)`},
		"a name held by one who is deleted": {rules(), func() roster.MemberCandidate {
			c := seen(alice(), "alice@x", "", renamed)
			c.Matches = []roster.Match{{Member: *bob(set(roster.AttrUserName, "NEW@x"), status(roster.Deleted)), ByUserName: true}}
			return c
		}(), "stale_member update userName=new@x", ""},
		"attributes that no mapping writes stay": {func() reconcile.Rules { r := rules(); r.Managed = []string{roster.AttrDisplayName}; return r }(), seen(alice(), "alice@x", "", renamed), "link seen", ""},
	})
}

// A change of a match key that is held or fails is not lost: the link remembers it only with the action.
func TestSeenAdvancesWithTheAction(t *testing.T) {
	c := linkedTo(alice(keysBy(roster.ByPush)), wanted(want(roster.AttrUserName, "new@x")))
	d := rules().Member(c)
	if d.Link != nil {
		t.Errorf("the link is refreshed before the action: %+v", d.Link)
	}
	if l := d.Drifts[0].Link; l == nil || l.SeenUserName != "new@x" || l.TargetID != "m1" {
		t.Errorf("the action comes without what was seen: %+v", l)
	}
	c.Here.Attributes.Set(roster.AttrUserName, "new@x") // a push said the same
	if d := rules().Member(c); d.Link == nil || d.Link.SeenUserName != "new@x" || d.LinkChange != reconcile.LinkSeen {
		t.Errorf("what is in line is not remembered: %+v", d)
	}
}

func TestDriftIsPlannedAgainstWhatIsStored(t *testing.T) {
	m := alice(func(m *roster.Member) { m.PushedSeq = 60 })
	d := rules().Member(linkedTo(m, wanted(off)))
	if got := d.Drifts[0].Version; got != 60 {
		t.Errorf("planned against %d, want the member's AsOf", got)
	}
	if d.Drifts[0].Subject != (roster.Subject{Type: roster.TypeMember, ID: "m1", Name: "alice@x", ObjectID: obj}) {
		t.Errorf("subject %+v", d.Drifts[0].Subject)
	}
}
