package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

func excluding(ids ...string) reconcile.Exclusions {
	x := reconcile.Exclusions{}
	for _, id := range ids {
		x[id] = roster.Exclusion{TargetID: id, Until: now.Add(72 * time.Hour), Reason: "on trial", By: "ada"}
	}
	return x
}

func TestWhatIsExcludedIsListedAndLeftAlone(t *testing.T) {
	member := func(c roster.MemberCandidate) func(reconcile.Rules) reconcile.Decision {
		return func(r reconcile.Rules) reconcile.Decision { return r.Member(c) }
	}
	team := func(c roster.TeamCandidate) func(reconcile.Rules) reconcile.Decision {
		return func(r reconcile.Rules) reconcile.Decision { return r.Team(c) }
	}
	membership := func(c roster.MembershipCandidate) func(reconcile.Rules) reconcile.Decision {
		return func(r reconcile.Rules) reconcile.Decision { return r.Membership(c) }
	}
	const why = "excluded until 2026-12-04 03:00 UTC by ada (on trial)"
	passing := linkedTo(alice(), wanted(off))
	passing.PassTo = other
	for name, tc := range map[string]struct {
		excluded string
		judge    func(reconcile.Rules) reconcile.Decision
		want     string
	}{
		"an orphan":             {"m1", member(linkedTo(alice(), wanted(off))), "orphaned_member none again"},
		"one silence speaks of": {"m1", member(linkedTo(alice(), nil)), "orphaned_member none again"},
		"an update":             {"m1", member(linkedTo(alice(), wanted(want(roster.AttrDisplayName, "Al")))), "stale_member none again displayName=Al"},
		"a soft delete":         {"m1", member(linkedTo(alice(status(roster.Deactivated)), wanted())), "redundant_soft_delete none again"},
		"ownership stays":       {"m1", member(passing), "orphaned_member none again"},
		"a first link": {"m1", member(roster.MemberCandidate{ObjectID: obj, There: wanted(), Matches: []roster.Match{
			{Member: *alice(owner("")), ByUserName: true}}}), "missing_member none again"},
		"no look-up is spent":                 {"m1", member(roster.MemberCandidate{Here: alice(), SilenceStamp: 100}), ""},
		"somebody else":                       {"m2", member(linkedTo(alice(), wanted(off))), "link seen; orphaned_member deactivate"},
		"a team":                              {"t1", team(linkedTeam(eng(), wantedEng("Other", "e1"), nil)), "stale_team none again displayName=Other"},
		"a team's removal":                    {"t1", team(linkedTeam(eng(), nil, nil)), "orphaned_team none again"},
		"a first link of a team":              {"t1", team(roster.TeamCandidate{ObjectID: obj, There: wantedEng("Eng", ""), Matches: []roster.TeamMatch{{Team: *eng(), ByDisplayName: true}}}), "missing_team none again"},
		"a member's membership":               {"m1", membership(there()), "missing_membership none again"},
		"a member's membership, to go":        {"m1", membership(here()), "extra_membership none again"},
		"a team's membership":                 {"t1", membership(here()), "extra_membership none again"},
		"a membership of somebody else there": {"m2", membership(here()), "extra_membership remove"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rules()
			r.Excluded = excluding(tc.excluded)
			d := tc.judge(r)
			if got := say(d); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if strings.Contains(tc.want, "again") && !strings.Contains(reasons(d), why) {
				t.Errorf("reasons %q", reasons(d))
			}
		})
	}
}

// An excluded member's userName is theirs on the desired side as well: whoever is to have it gets a conflict, and no
// plan that would fail.
func TestAnExcludedMemberKeepsTheirName(t *testing.T) {
	holder := roster.Match{Member: *bob(set(roster.AttrUserName, "alice.new@x")), LinkedObject: "o2", LinkedWants: "bob.new@x"}
	c := linkedTo(alice(), wanted(want(roster.AttrUserName, "alice.new@x")))
	c.Matches = []roster.Match{holder}
	r := rules()
	if got := say(r.Member(c)); !strings.HasPrefix(got, "stale_member update") {
		t.Fatalf("without an exclusion: %s", got)
	}
	r.Excluded = excluding("m2")
	if got := say(r.Member(c)); !strings.HasPrefix(got, "conflict none") {
		t.Errorf("got %s", got)
	}
}

// Nothing is done to, linked to, or taken from anybody excluded, whatever else holds; once it has ended the member is
// judged as if they never had been.
func TestExcludedMembersAreLeftAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		free := r
		r.Excluded = excluding(rapid.SampledFrom([]string{"m1", "m2", "m3"}).Draw(t, "excluded"))
		c, d := decide(t, r, later(drawCandidate(t), nil))
		if d.Link != nil && r.Excluded.Of(d.Link.TargetID) != nil {
			t.Fatalf("links them: %s", say(d))
		}
		if d.Pass != "" && r.Excluded.Of(c.Here.ID) != nil {
			t.Fatalf("passes them on: %s", say(d))
		}
		for _, x := range d.Drifts {
			if x.Action == roster.ActNone {
				continue
			}
			if r.Excluded.Of(x.Subject.ID) != nil {
				t.Fatalf("acts on them: %s", say(d))
			}
			for i := range c.Matches {
				m := &c.Matches[i].Member
				if name := x.Values[roster.AttrUserName]; name != "" && r.Excluded.Of(m.ID) != nil && m.Status != roster.Deleted &&
					roster.Fold(name) == roster.Fold(m.UserName()) {
					t.Fatalf("takes their name: %s", say(d))
				}
			}
		}
		if c.Here != nil && r.Excluded.Of(c.Here.ID) != nil && (c.Look != nil || acts(d) || d.Link != nil) {
			t.Fatalf("spends a look on them, or acts: %s", say(d))
		}
		if done := free.Member(c); len(c.Matches) == 0 && c.Here == nil && say(done) != say(d) {
			t.Fatalf("an exclusion of somebody else changes %s to %s", say(done), say(d))
		}
	})
}
