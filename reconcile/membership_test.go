package reconcile_test

import (
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

type membershipChange = func(*roster.MembershipCandidate)

// there is alice in the group there, absent from the team here; both are here, linked and owned.
func there(change ...membershipChange) roster.MembershipCandidate {
	c := roster.MembershipCandidate{TeamObject: "og", MemberObject: obj, There: true, Stamp: 100, ListWhole: true, Enabled: true,
		TeamID: "t1", MemberID: "m1", TeamName: "Eng", UserName: "alice@x", TeamOwner: mine, TeamMembers: 12,
		TeamStatus: roster.Active, MemberStatus: roster.Active, MemberLinked: true}
	for _, f := range change {
		f(&c)
	}
	return c
}

// here is alice in the team here, absent from the group there.
func here(change ...membershipChange) roster.MembershipCandidate {
	return there(append([]membershipChange{func(c *roster.MembershipCandidate) {
		c.There, c.Row = false, &roster.Membership{TeamID: "t1", MemberID: "m1", Present: true, Version: 3, Seq: 50}
	}}, change...)...)
}

func TestMembership(t *testing.T) {
	plan := func(k roster.Kind, a roster.Action) *roster.PlannedFor { return &roster.PlannedFor{Kind: k, Action: a} }
	row := func(seq int64, pushed time.Time) membershipChange {
		return func(c *roster.MembershipCandidate) {
			c.Row = &roster.Membership{Present: !c.There, Version: 3, Seq: seq, PushedAt: pushed}
		}
	}
	relook := func(holds bool) membershipChange {
		return func(c *roster.MembershipCandidate) { c.Look, c.LookStamp, c.LookAt = &holds, 200, now }
	}
	member := func(s roster.Status, p *roster.PlannedFor) membershipChange {
		return func(c *roster.MembershipCandidate) { c.MemberStatus, c.MemberPlan = s, p }
	}
	team := func(s roster.Status, owner string, p *roster.PlannedFor) membershipChange {
		return func(c *roster.MembershipCandidate) { c.TeamStatus, c.TeamOwner, c.TeamPlan = s, owner, p }
	}
	disabled := func(c *roster.MembershipCandidate) { c.Enabled = false }
	notWhole := func(c *roster.MembershipCandidate) { c.ListWhole = false }
	left := func(c *roster.MembershipCandidate) { c.Left = true }
	stranger := func(c *roster.MembershipCandidate) { c.MemberLinked = false }
	heldBy := func(c *roster.MembershipCandidate) { c.HeldBy = "r1" }
	reactivate := plan(roster.RedundantSoftDelete, roster.ActReactivate)
	off := plan(roster.OrphanedMember, roster.ActDeactivate)
	add, remove, list := "missing_membership add", "extra_membership remove", "extra_membership none"
	for name, tc := range map[string]struct {
		c    roster.MembershipCandidate
		want string
	}{
		"missing":                                 {there(), add},
		"missing, by a list not whole":            {there(notWhole), add},
		"a person out of scope":                   {there(disabled), ""},
		"a person made in this run":               {there(member("", plan(roster.MissingMember, roster.ActCreate))), add},
		"a person who is not made":                {there(member("", plan(roster.ConflictKind, roster.ActNone))), ""},
		"a person nobody knows":                   {there(member("", nil)), ""},
		"a person reactivated in this run":        {there(member(roster.Deactivated, reactivate)), add},
		"a person restored in this run":           {there(member(roster.Deleted, plan(roster.RedundantSoftDelete, roster.ActRestore))), add},
		"a person an operator deactivated":        {there(member(roster.Deactivated, plan(roster.RedundantSoftDelete, roster.ActNone))), ""},
		"a person deactivated in this run":        {there(member(roster.Active, off)), ""},
		"a suspended person":                      {there(member(roster.Deactivated, nil)), ""},
		"a team made in this run":                 {there(team("", "", plan(roster.MissingTeam, roster.ActCreate))), add},
		"a team claimed in this run":              {there(team(roster.Active, "", plan(roster.LinkKind, ""))), add},
		"a team restored in this run":             {there(team(roster.Deleted, mine, plan(roster.MissingTeam, roster.ActRestore))), add},
		"a team in conflict":                      {there(team(roster.Active, "", plan(roster.ConflictKind, roster.ActNone))), ""},
		"a team deleted in this run":              {there(team(roster.Active, mine, plan(roster.OrphanedTeam, roster.ActDelete))), ""},
		"missing from another's team":             {there(team(roster.Active, other, nil)), ""},
		"extra":                                   {here(), remove},
		"extra, by a list not whole":              {here(notWhole), ""},
		"extra and suspended":                     {here(member(roster.Deactivated, nil)), remove},
		"extra and not linked":                    {here(stranger), list},
		"extra in another's team":                 {here(team(roster.Active, other, nil)), list},
		"extra in an unclaimed team":              {here(team(roster.Active, "", nil)), list},
		"extra in a deleted team":                 {here(team(roster.Deleted, mine, nil)), ""},
		"said to have left":                       {here(notWhole, left), remove},
		"said to have left, after a push":         {here(notWhole, left, row(101, time.Time{})), "look"},
		"said to have left a deleted team":        {here(notWhole, left, team(roster.Deleted, mine, nil)), ""},
		"held elsewhere":                          {here(heldBy), list},
		"on both sides":                           {here(func(c *roster.MembershipCandidate) { c.There = true }), ""},
		"added after the list was read":           {here(row(101, time.Time{})), "look"},
		"added when the list was read":            {here(row(100, time.Time{})), remove},
		"pushed within settle":                    {here(row(50, now.Add(-time.Minute))), "look"},
		"pushed, and the list lacks them still":   {here(row(150, now), relook(false)), remove},
		"pushed, and the list holds them now":     {here(row(150, now), relook(true)), "again"},
		"pushed again while it was read again":    {here(row(201, now), relook(false)), list + " again"},
		"removed after the list was read":         {there(row(101, time.Time{})), "look"},
		"removed, and the list holds them still":  {there(row(150, now), relook(true)), add},
		"removed, and the list lacks them by now": {there(row(150, now), relook(false)), "again"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := say(rules().Membership(tc.c)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestMembershipWaitsForWhatItNeeds(t *testing.T) {
	comesBack := there(func(c *roster.MembershipCandidate) {
		c.MemberStatus = roster.Deactivated
		c.MemberPlan = &roster.PlannedFor{Kind: roster.RedundantSoftDelete, Action: roster.ActReactivate, Held: true}
	})
	d := rules().Membership(comesBack).Drifts[0]
	if d.Waits == "" || len(d.Needs) != 1 || d.Needs[0] != roster.GuardReactivate {
		t.Errorf("waits %q, needs %v", d.Waits, d.Needs)
	}
	if _, _, held := reconcile.DefaultLimits().Check(&reconcile.Counts{}, reconcile.Facts{}).Held(d); !held {
		t.Error("it is applied without what it waits for")
	}
	leaves := here(func(c *roster.MembershipCandidate) {
		c.MemberPlan = &roster.PlannedFor{Kind: roster.OrphanedMember, Action: roster.ActDeactivate}
	})
	d = rules().Membership(leaves).Drifts[0]
	if !d.Uncounted || len(d.Needs) != 1 || d.Needs[0] != roster.GuardMember {
		t.Errorf("uncounted %t, needs %v", d.Uncounted, d.Needs)
	}
	if d.Version != 3 || d.TeamSize != 12 || d.Subject.ID != "t1/m1" || d.Subject.Name != "alice@x in Eng" {
		t.Errorf("got %+v", d)
	}
}

func TestPhases(t *testing.T) {
	member, team := roster.Subject{Type: roster.TypeMember}, roster.Subject{Type: roster.TypeTeam}
	for i, d := range []roster.Drift{
		0: {Kind: roster.LinkKind},
		1: {Kind: roster.ExtraMembership, Action: roster.ActRemove},
		2: {Kind: roster.OrphanedMember, Action: roster.ActDeactivate, Subject: member},
		3: {Kind: roster.OrphanedTeam, Action: roster.ActDelete, Subject: team},
		4: {Kind: roster.StaleMember, Action: roster.ActUpdate, Subject: member},
		5: {Kind: roster.MissingMember, Action: roster.ActCreate, Subject: member},
		6: {Kind: roster.StaleTeam, Action: roster.ActUpdate, Subject: team},
		7: {Kind: roster.MissingMembership, Action: roster.ActAdd},
		8: {Kind: roster.MissingKey, Action: roster.ActGrant},
		9: {Kind: roster.ConflictKind, Action: roster.ActNone, Subject: member},
	} {
		if got := reconcile.Phase(d); got != i {
			t.Errorf("%s %s is in phase %d, want %d", d.Kind, d.Action, got, i)
		}
	}
	back := roster.Drift{Kind: roster.StaleMember, Action: roster.ActUpdate, Subject: member, Needs: []roster.Guarded{roster.GuardReactivate}}
	if got := reconcile.Phase(back); got != 5 {
		t.Errorf("the update of one who comes back is in phase %d", got)
	}
	if got := reconcile.Phase(roster.Drift{Kind: roster.MissingTeam, Action: roster.ActRestore, Subject: team}); got != 6 {
		t.Errorf("a team's restore is in phase %d", got)
	}
}
