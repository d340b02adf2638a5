package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

func policy(kinds ...any) reconcile.Policy {
	p := reconcile.Policy{}
	for i := 0; i < len(kinds); i += 2 {
		p[kinds[i].(roster.Kind)] = kinds[i+1].(roster.Treatment)
	}
	return p
}

func TestWhatIsReportedIsListedWithWhateverNeedsIt(t *testing.T) {
	report := roster.TreatReport
	swap := roster.MemberCandidate{ObjectID: obj, There: wanted(), SilenceStamp: 100, Matches: []roster.Match{{
		Member: *alice(func(m *roster.Member) { m.ID = "m2" }), ByUserName: true, LinkedObject: "o2", LinkedWants: "alice.old@x"}}}
	for name, tc := range map[string]struct {
		policy reconcile.Policy
		judge  func(r reconcile.Rules) reconcile.Decision
		want   string
		why    string
	}{
		"no policy": {nil, func(r reconcile.Rules) reconcile.Decision { return r.Member(linkedTo(alice(), wanted(off))) },
			"link seen; orphaned_member deactivate", "disabled"},
		"of another kind": {policy(roster.StaleMember, report),
			func(r reconcile.Rules) reconcile.Decision { return r.Member(linkedTo(alice(), wanted(off))) }, "link seen; orphaned_member deactivate", "disabled"},
		"an orphan": {policy(roster.OrphanedMember, report),
			func(r reconcile.Rules) reconcile.Decision { return r.Member(linkedTo(alice(), wanted(off))) }, "link seen; orphaned_member none", "policy: report: disabled"},
		"an update": {policy(roster.StaleMember, report),
			func(r reconcile.Rules) reconcile.Decision {
				return r.Member(linkedTo(alice(), wanted(want(roster.AttrDisplayName, "Al"))))
			},
			"stale_member none displayName=Al", "policy: report: differs"},
		"a reactivation with its update": {policy(roster.RedundantSoftDelete, report),
			func(r reconcile.Rules) reconcile.Decision {
				return r.Member(linkedTo(alice(status(roster.Deactivated)), wanted(want(roster.AttrDisplayName, "Al"))))
			},
			"redundant_soft_delete none; stale_member none displayName=Al", "policy: report, as for redundant_soft_delete, which it needs"},
		"a name is not given up": {policy(roster.StaleMember, report), func(r reconcile.Rules) reconcile.Decision { return r.Member(swap) },
			"missing_member none displayName=Alice emails[type eq \"work\"].value=alice@x userName=alice@x", "policy: report, as for stale_member"},
		"a team": {policy(roster.OrphanedTeam, report),
			func(r reconcile.Rules) reconcile.Decision {
				return r.Team(linkedTeam(eng(), nil, teamLook(false, false, nil)))
			},
			"link seen; orphaned_team none", "policy: report: "},
		"a restored team with its new name": {policy(roster.MissingTeam, report),
			func(r reconcile.Rules) reconcile.Decision {
				return r.Team(linkedTeam(eng(func(t *roster.Team) { t.Status = roster.Deleted }), wantedEng("Eng 2", "e1"), nil))
			},
			"missing_team none; stale_team none displayName=Eng 2", "which it needs"},
		"a membership": {policy(roster.ExtraMembership, report), func(r reconcile.Rules) reconcile.Decision { return r.Membership(here()) },
			"extra_membership none", "policy: report: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := rules()
			r.Policy = tc.policy
			d := tc.judge(r)
			if got := say(d); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !strings.Contains(reasons(d), tc.why) {
				t.Errorf("reasons %q lack %q", reasons(d), tc.why)
			}
		})
	}
}

func TestWhatIsHeldByPolicyWaitsWithWhateverNeedsIt(t *testing.T) {
	needing := func(kind roster.Kind, action roster.Action, needs ...roster.Guarded) roster.Drift {
		return roster.Drift{Kind: kind, Action: action, Needs: needs, Values: map[string]string{roster.AttrDisplayName: "x"}}
	}
	of := reconcile.Owned{Members: 1000, Memberships: 10_000}
	for name, tc := range map[string]struct {
		hold  roster.Kind
		drift roster.Drift
		limit string
		held  bool
	}{
		"the kind itself":                {roster.OrphanedMember, deactivation(), "policy", true},
		"another kind":                   {roster.OrphanedMember, reactivation(), "", false},
		"what is only listed":            {roster.OrphanedMember, roster.Drift{Kind: roster.OrphanedMember, Action: roster.ActNone}, "", false},
		"the orphan's memberships":       {roster.OrphanedMember, needing(roster.ExtraMembership, roster.ActRemove, roster.GuardMember), "", true},
		"a reactivated one's update":     {roster.RedundantSoftDelete, needing(roster.StaleMember, roster.ActUpdate, roster.GuardReactivate), "", true},
		"a new one's memberships":        {roster.MissingMember, needing(roster.MissingMembership, roster.ActAdd, roster.GuardNewMember), "", true},
		"a new team's memberships":       {roster.MissingTeam, needing(roster.MissingMembership, roster.ActAdd, roster.GuardNewTeam), "", true},
		"who takes a name over":          {roster.StaleMember, needing(roster.MissingMember, roster.ActCreate, roster.GuardRename), "", true},
		"memberships of who was here":    {roster.MissingMember, needing(roster.MissingMembership, roster.ActAdd), "", false},
		"a team's removal":               {roster.OrphanedTeam, deletion("t", 1), "policy", true},
		"an update, not of that subject": {roster.StaleTeam, needing(roster.StaleMember, roster.ActUpdate), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			kind := roster.Drift{Kind: tc.hold, Action: roster.ActUpdate}
			v := check(reconcile.Facts{Owned: of, Day: reconcile.Day{Began: of}, Policy: policy(tc.hold, roster.TreatHold)}, kind, tc.drift)
			limit, note, held := v.Held(tc.drift)
			if held != tc.held || limit != tc.limit || held && note == "" {
				t.Errorf("held %t by %q (%s)", held, limit, note)
			}
			last := v.Limits[len(v.Limits)-1]
			if last.Limit != "policy" || !strings.Contains(last.Text, string(tc.hold)) || !strings.Contains(last.Text, fmt.Sprint(last.Of)) {
				t.Errorf("the limit is %+v", last)
			}
		})
	}
}

func TestTooManyRenamesHoldTheNamesAndNothingElse(t *testing.T) {
	rename := func(values ...string) roster.Drift {
		d := roster.Drift{Kind: roster.StaleMember, Action: roster.ActUpdate, Values: map[string]string{}, Before: map[string]string{},
			Link: &roster.Link{}, Subject: roster.Subject{Type: roster.TypeMember, Name: "ada"}}
		for _, path := range values {
			d.Values[path], d.Before[path] = "new", "old"
		}
		return d
	}
	for name, tc := range map[string]struct {
		renames, linked int
		want            string
	}{
		"not past the floor":           {10, 11, ""},
		"past the floor, at the share": {11, 110, ""},
		"past the floor and the share": {11, 109, "renames 12/109 run"},
		"a mismatch says more":         {11, 50, "mapping_mismatch 12/50 run"},
		"at the ceiling":               {500, 100_000, ""},
		"past the ceiling":             {501, 100_000, "renames 502/100000 run"},
	} {
		t.Run(name, func(t *testing.T) {
			heir := roster.Drift{Kind: roster.MissingMember, Action: roster.ActCreate, Needs: []roster.Guarded{roster.GuardRename}}
			c := counted(heir)
			for range tc.renames {
				c.Add(rename(roster.AttrUserName))
			}
			v := reconcile.DefaultLimits().Check(c, reconcile.Facts{Linked: tc.linked})
			if got := limitNames(v); got != tc.want {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
			_, _, held := v.Held(heir)
			now, part, _, _ := v.Split(rename(roster.AttrUserName, roster.AttrDisplayName))
			if tc.want == "" {
				if held || part != nil {
					t.Error("held though no limit was crossed")
				}
				return
			}
			if !held || now == nil || part == nil || len(now.Values) != 1 || part.Values[roster.AttrUserName] != "new" || part.Link != nil {
				t.Errorf("now %+v, held %+v, the heir held %t", now, part, held)
			}
		})
	}
}

func TestTooManyConflictsHoldRemovals(t *testing.T) {
	conflict := roster.Drift{Kind: roster.ConflictKind, Action: roster.ActNone}
	for name, tc := range map[string]struct {
		conflicts, linked int
		removal           roster.Drift
		want              string
	}{
		"not past the floor":           {10, 10, deactivation(), ""},
		"past the floor, at the share": {20, 100, deactivation(), ""},
		"past the floor and the share": {21, 100, deactivation(), "conflicts 1/1000 run"},
		"of a membership":              {201, 1000, removal("t", 1000), "conflicts 1/1000 run"},
		"nothing is to be removed":     {900, 1000, reactivation(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := counted(tc.removal)
			for range tc.conflicts {
				c.Add(conflict)
			}
			of := reconcile.Owned{Members: min(1000, 10*tc.linked), Memberships: 10_000}
			if tc.linked <= 100 {
				of.Members = tc.linked
			}
			v := reconcile.DefaultLimits().Check(c, reconcile.Facts{Linked: tc.linked, Owned: of, Day: reconcile.Day{Began: of}})
			got := limitNames(v)
			want := strings.Replace(tc.want, "/1000", fmt.Sprintf("/%d", max(tc.linked, of.Members)), 1)
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if limit, _, held := v.Held(tc.removal); held != (want != "") || held && limit != "conflicts" {
				t.Errorf("held %t by %q", held, limit)
			}
		})
	}
}

func drawPolicy(t *rapid.T) reconcile.Policy {
	p := reconcile.Policy{}
	for _, kind := range roster.Treatable() {
		p[kind] = rapid.SampledFrom([]roster.Treatment{roster.TreatApply, roster.TreatHold, roster.TreatReport}).Draw(t, string(kind))
	}
	return p
}

// Whatever the policy, nothing that it only reports is acted on, nor what needs it; what is left is what would be done
// without a policy, and a second run is silent.
func TestNoPolicyDoesMoreThanNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		c := later(drawCandidate(t), nil)
		all, bare := decide(t, r, c)
		r.Policy = drawPolicy(t)
		c.Look = all.Look
		d := r.Member(c)
		done := map[string]int{}
		for _, x := range bare.Drifts {
			done[string(x.Kind)+string(x.Action)]++
		}
		for _, x := range d.Drifts {
			if x.Action == roster.ActNone {
				continue
			}
			if r.Policy[x.Kind] == roster.TreatReport {
				t.Fatalf("acts on what is reported: %s", say(d))
			}
			if slices.Contains(x.Needs, roster.GuardReactivate) && r.Policy[roster.RedundantSoftDelete] == roster.TreatReport {
				t.Fatalf("acts without what it needs: %s", say(d))
			}
			if done[string(x.Kind)+string(x.Action)]--; done[string(x.Kind)+string(x.Action)] < 0 {
				t.Fatalf("does what is not done without a policy: %s, %s", say(d), say(bare))
			}
		}
		if len(d.Drifts) != len(bare.Drifts) {
			t.Fatalf("lists %s, %s without a policy", say(d), say(bare))
		}
		byEmail := d.Link != nil && d.LinkChange != reconcile.LinkSeen && d.Link.Rule == reconcile.RuleEmail
		look := c.Look
		c = later(apply(c, d), look)
		if d = r.Member(c); byEmail {
			c = later(apply(c, d), look)
			d = r.Member(c)
		}
		if acts(d) || d.Link != nil || d.Pass != "" {
			t.Fatalf("the second run: %s", say(d))
		}
	})
}

// Guards hold whatever the policy: what is held without one is held with one too.
func TestAPolicyReleasesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var drifts []roster.Drift
		for range rapid.IntRange(0, 20).Draw(t, "orphans") {
			drifts = append(drifts, deactivation())
		}
		for range rapid.IntRange(0, 20).Draw(t, "reactivations") {
			drifts = append(drifts, reactivation())
		}
		drifts = append(drifts, spread(rapid.IntRange(0, 40).Draw(t, "memberships"))...)
		of := reconcile.Owned{Members: rapid.IntRange(20, 400).Draw(t, "members"), Memberships: rapid.IntRange(40, 400).Draw(t, "of")}
		f := reconcile.Facts{Owned: of, Linked: of.Members, Day: reconcile.Day{Began: of}, FirstRun: rapid.Bool().Draw(t, "first")}
		bare := check(f, drifts...)
		f.Policy = drawPolicy(t)
		v := check(f, drifts...)
		for _, d := range drifts {
			_, _, without := bare.Held(d)
			_, _, with := v.Held(d)
			if without && !with || f.Policy[d.Kind] == roster.TreatHold && !with {
				t.Fatalf("%s is held %t without the policy %v, %t with it", d.Kind, without, f.Policy, with)
			}
		}
	})
}
