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

func deactivation() roster.Drift {
	return roster.Drift{Kind: roster.OrphanedMember, Action: roster.ActDeactivate}
}

func reactivation() roster.Drift {
	return roster.Drift{Kind: roster.RedundantSoftDelete, Action: roster.ActReactivate}
}

func removal(team string, size int) roster.Drift {
	return roster.Drift{Kind: roster.ExtraMembership, Action: roster.ActRemove, TeamID: team, TeamName: team, TeamSize: size}
}

func deletion(team string, size int) roster.Drift {
	return roster.Drift{Kind: roster.OrphanedTeam, Action: roster.ActDelete, TeamID: team, TeamSize: size,
		Subject: roster.Subject{Type: roster.TypeTeam, ID: team, Name: team}}
}

// spread is n removals, each of another large team.
func spread(n int) []roster.Drift {
	var out []roster.Drift
	for i := range n {
		out = append(out, removal(fmt.Sprint("t", i), 1000))
	}
	return out
}

func counted(drifts ...roster.Drift) *reconcile.Counts {
	c := &reconcile.Counts{}
	for _, d := range drifts {
		c.Add(d)
	}
	return c
}

func check(f reconcile.Facts, drifts ...roster.Drift) *reconcile.Verdict {
	return reconcile.DefaultLimits().Check(counted(drifts...), f)
}

func limitNames(v *reconcile.Verdict) string {
	var out []string
	for _, l := range v.Limits {
		out = append(out, fmt.Sprintf("%s %d/%d %s", l.Limit, l.Actions, l.Of, l.Window))
	}
	return strings.TrimSpace(strings.Join(out, "; "))
}

func TestLimitIsCrossedPastCeilingOrPastFloorAndShare(t *testing.T) {
	members, memberships := reconcile.DefaultLimits().Members, reconcile.DefaultLimits().Memberships
	for name, tc := range map[string]struct {
		limit   reconcile.Limit
		n, of   int
		crossed bool
	}{
		"nothing to remove, nothing there":     {members, 0, 0, false},
		"all, but not past the floor":          {members, 5, 5, false},
		"past the floor, exactly the share":    {members, 6, 120, false},
		"past the floor and the share":         {members, 6, 119, true},
		"small share, at the ceiling":          {members, 500, 100_000, false},
		"small share, past the ceiling":        {members, 501, 100_000, true},
		"memberships at the floor":             {memberships, 20, 20, false},
		"memberships at the share":             {memberships, 21, 210, false},
		"memberships past the share":           {memberships, 21, 209, true},
		"memberships at the ceiling":           {memberships, 5000, 1_000_000, false},
		"memberships past the ceiling":         {memberships, 5001, 1_000_000, true},
		"the zero limit, crossed by the first": {reconcile.Limit{}, 1, 1000, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.limit.Crossed(tc.n, tc.of); got != tc.crossed {
				t.Errorf("%d of %d crosses %+v: %t", tc.n, tc.of, tc.limit, got)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	of := func(members, memberships int) reconcile.Facts {
		owned := reconcile.Owned{Members: members, Memberships: memberships}
		return reconcile.Facts{Owned: owned, Linked: members, Day: reconcile.Day{Began: owned}}
	}
	day := func(f reconcile.Facts, members, memberships, reactivations int) reconcile.Facts {
		f.Day.Members, f.Day.Memberships, f.Day.Reactivations = members, memberships, reactivations
		return f
	}
	firstRun := func(f reconcile.Facts) reconcile.Facts { f.FirstRun = true; return f }
	always := deactivation()
	always.AlwaysHeld = "absence alone"
	uncounted := removal("t", 100)
	uncounted.Uncounted = true
	uncountedOf12 := removal("t", 12)
	uncountedOf12.Uncounted = true
	for name, tc := range map[string]struct {
		facts  reconcile.Facts
		drifts []roster.Drift
		want   string
	}{
		"an empty plan":                      {firstRun(of(0, 0)), nil, ""},
		"members at the floor":               {of(10, 0), slices.Repeat([]roster.Drift{deactivation()}, 5), ""},
		"members past floor and share":       {of(10, 0), slices.Repeat([]roster.Drift{deactivation()}, 6), "members 6/10 run"},
		"members of the day":                 {day(of(100, 0), 5, 0, 0), []roster.Drift{deactivation()}, "members 1/100 24h"},
		"members of the day at the share":    {day(of(120, 0), 5, 0, 0), []roster.Drift{deactivation()}, ""},
		"a day that was crossed, no removal": {day(of(10, 0), 50, 50, 50), []roster.Drift{{Kind: roster.MissingMember, Action: roster.ActCreate}}, ""},
		"memberships":                        {of(10, 209), spread(21), "memberships 21/209 run"},
		"memberships at the share":           {of(10, 210), spread(21), ""},
		"those of deactivated members":       {of(10, 10), slices.Repeat([]roster.Drift{uncounted}, 30), ""},
		"a team whose members go":            {of(10, 1000), slices.Repeat([]roster.Drift{uncountedOf12}, 12), ""},
		"reactivations":                      {of(119, 0), slices.Repeat([]roster.Drift{reactivation()}, 6), "reactivations 6/119 run"},
		"a team of 10 that loses all":        {of(10, 1000), slices.Repeat([]roster.Drift{removal("t", 10)}, 10), ""},
		"a team of 12 that loses half":       {of(10, 1000), slices.Repeat([]roster.Drift{removal("t", 12)}, 6), ""},
		"a team of 12 that loses over half":  {of(10, 1000), slices.Repeat([]roster.Drift{removal("t", 12)}, 7), "team 7/12 run"},
		"a team of 10 that is removed":       {of(10, 1000), []roster.Drift{deletion("t", 10)}, ""},
		"a team of 11 that is removed":       {of(10, 1000), []roster.Drift{deletion("t", 11)}, "team 1/11 run"},
		"a team of unknown size":             {of(10, 1000), slices.Repeat([]roster.Drift{removal("t", 0)}, 11), "team 11/11 run"},
		"a first run without removals":       {firstRun(of(10, 10)), []roster.Drift{reactivation(), {Kind: roster.MissingMember, Action: roster.ActCreate}}, ""},
		"a first run with one":               {firstRun(of(10, 10)), []roster.Drift{deletion("t", 1), removal("t2", 5), deactivation()}, "first_run 3/10"},
		"what was never linked":              {of(10, 10), []roster.Drift{always, deactivation()}, "unlinked 1/0"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := limitNames(check(tc.facts, tc.drifts...)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	for name, f := range map[string]reconcile.Facts{"settings": {SettingsChanged: true}, "target": {TargetChanged: true}, "too_many_deletes": {TooManyDeletes: true}} {
		v := check(f, deactivation())
		if limit, note, held := v.Held(deactivation()); !held || limit != name || note == "" {
			t.Errorf("%s: held %t by %q, %q", name, held, limit, note)
		}
		if _, _, held := v.Held(reactivation()); held {
			t.Errorf("%s holds a reactivation", name)
		}
	}
}

func TestHeldAreTheRemovalsAndWhatNeedsThem(t *testing.T) {
	crossed := reconcile.Facts{Owned: reconcile.Owned{Members: 10, Memberships: 1000}}
	plan := append(slices.Repeat([]roster.Drift{deactivation()}, 6), slices.Repeat([]roster.Drift{reactivation()}, 6)...)
	add := roster.Drift{Kind: roster.MissingMembership, Action: roster.ActAdd, Needs: []roster.Guarded{roster.GuardReactivate}}
	suspended := removal("t", 100)
	suspended.Uncounted, suspended.Needs = true, []roster.Guarded{roster.GuardMember}
	v := check(crossed, append(plan, add, suspended)...)
	for name, tc := range map[string]struct {
		d    roster.Drift
		held bool
	}{
		"a deactivation":                      {deactivation(), true},
		"a reactivation":                      {reactivation(), true},
		"an add that needs a reactivation":    {add, true},
		"a removal that needs a deactivation": {suspended, true},
		"another add":                         {roster.Drift{Kind: roster.MissingMembership, Action: roster.ActAdd}, false},
		"another removal":                     {removal("t", 100), false},
		"a create":                            {roster.Drift{Kind: roster.MissingMember, Action: roster.ActCreate}, false},
		"a listed one":                        {roster.Drift{Kind: roster.OrphanedMember, Action: roster.ActNone}, false},
	} {
		if _, note, held := v.Held(tc.d); held != tc.held || held && note == "" {
			t.Errorf("%s is held: %t, %q", name, held, note)
		}
	}
	if got := v.Limits[0].Actions; got != 7 {
		t.Errorf("%d actions held with the members, want 7", got)
	}
}

func stale(action roster.Action, values ...string) roster.Drift {
	d := roster.Drift{Kind: roster.StaleMember, Action: action, Values: map[string]string{}, Before: map[string]string{},
		Subject: roster.Subject{Name: "alice@x"}, Link: &roster.Link{}}
	for _, v := range values {
		d.Values[v], d.Before[v] = "new", "old"
	}
	return d
}

func TestMappingMismatch(t *testing.T) {
	f := reconcile.Facts{Linked: 54, Mapping: map[string]string{roster.AttrUserName: "userPrincipalName"}}
	plan := slices.Repeat([]roster.Drift{stale(roster.ActUpdate, roster.AttrUserName, roster.AttrDisplayName)}, 3)
	plan = append(plan, slices.Repeat([]roster.Drift{stale(roster.ActNone, roster.AttrUserName)}, 8)...)
	v := check(f, plan...)
	if got := limitNames(v); got != "mapping_mismatch 3/54 run" {
		t.Fatalf("limits %q", got)
	}
	if text := v.Limits[0].Text; strings.Count(text, `"old" here, "new" there`) != 3 || !strings.Contains(text, "userPrincipalName") {
		t.Errorf("text %q", text)
	}
	now, held, limit, _ := v.Split(plan[0])
	if now == nil || held == nil || limit != "mapping_mismatch" || len(now.Values) != 1 || held.Values[roster.AttrUserName] != "new" ||
		now.Values[roster.AttrDisplayName] != "new" || now.Link != nil || held.Link != nil {
		t.Errorf("split into %+v and %+v by %q", now, held, limit)
	}
	if len(plan[0].Values) != 2 {
		t.Error("the drift itself was changed")
	}
	if now, held, _, _ := v.Split(stale(roster.ActUpdate, roster.AttrUserName)); now != nil || held == nil {
		t.Error("an update of the attribute alone is not held whole")
	}
	create := roster.Drift{Kind: roster.MissingMember, Action: roster.ActCreate, Needs: []roster.Guarded{roster.GuardRename}}
	if _, _, ok := v.Held(create); !ok {
		t.Error("a create that needs a rename is not held with the renames")
	}
	f.Linked = 55 // 11 of 55 are the share, and not more
	if got := limitNames(check(f, plan...)); got != "" {
		t.Errorf("at the share: %q", got)
	}
	f.Linked = 40
	if got := limitNames(check(f, plan[1:]...)); got != "" {
		t.Errorf("at the floor: %q", got)
	}
	v = check(f, slices.Repeat([]roster.Drift{stale(roster.ActNone, roster.AttrUserName)}, 11)...)
	if len(v.Limits) != 0 || len(v.Mismatches) != 1 || len(v.Mismatches[0].Pairs) != 3 {
		t.Errorf("with nothing to hold: %v, %v", v.Limits, v.Mismatches)
	}
}

func TestLimitsAreValidated(t *testing.T) {
	if err := reconcile.DefaultLimits().Validate(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*reconcile.Limits){
		func(l *reconcile.Limits) { l.Members.Percent = 101 },
		func(l *reconcile.Limits) { l.Memberships.Ceiling = l.Memberships.Floor - 1 },
		func(l *reconcile.Limits) { l.Reactivations.Floor = -1 },
		func(l *reconcile.Limits) { l.TeamPercent = -1 },
		func(l *reconcile.Limits) { l.MismatchPercent = 101 },
	} {
		l := reconcile.DefaultLimits()
		change(&l)
		if l.Validate() == nil {
			t.Errorf("accepted %+v", l)
		}
	}
}

// What is applied of any plan never crosses a limit.
func TestWhatIsAppliedStaysWithinTheLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := reconcile.DefaultLimits()
		owned := reconcile.Owned{Members: rapid.IntRange(0, 300).Draw(t, "members"), Memberships: rapid.IntRange(0, 600).Draw(t, "memberships")}
		f := reconcile.Facts{Owned: owned, FirstRun: rapid.IntRange(0, 5).Draw(t, "first") == 0,
			Day: reconcile.Day{Members: rapid.IntRange(0, 20).Draw(t, "before"), Began: owned}}
		var plan []roster.Drift
		plan = append(plan, slices.Repeat([]roster.Drift{deactivation()}, rapid.IntRange(0, 30).Draw(t, "deactivations"))...)
		plan = append(plan, slices.Repeat([]roster.Drift{reactivation()}, rapid.IntRange(0, 30).Draw(t, "reactivations"))...)
		for i := range rapid.IntRange(0, 5).Draw(t, "teams") {
			size := rapid.IntRange(0, 30).Draw(t, "size")
			plan = append(plan, slices.Repeat([]roster.Drift{removal(fmt.Sprint("t", i), size)}, rapid.IntRange(0, size).Draw(t, "removed"))...)
		}
		v := l.Check(counted(plan...), f)
		members, memberships, reactivations, held := 0, 0, 0, 0
		teams, sizes := map[string]int{}, map[string]int{}
		for _, d := range plan {
			now, _, _, _ := v.Split(d)
			if now == nil {
				held++
				continue
			}
			switch d.Guard() {
			case roster.GuardMember:
				members++
			case roster.GuardReactivate:
				reactivations++
			case roster.GuardMembership:
				memberships++
				teams[d.TeamID]++
				sizes[d.TeamID] = d.TeamSize
			}
		}
		switch {
		case members > 0 && (l.Members.Crossed(members, owned.Members) || l.Members.Crossed(members+f.Day.Members, owned.Members)):
			t.Fatalf("%d of %d members", members, owned.Members)
		case l.Memberships.Crossed(memberships, owned.Memberships), l.Reactivations.Crossed(reactivations, owned.Members):
			t.Fatalf("%d of %d memberships, %d reactivations", memberships, owned.Memberships, reactivations)
		case f.FirstRun && members+memberships > 0:
			t.Fatal("a first run removed")
		case (held > 0) != (len(v.Limits) > 0):
			t.Fatalf("%d held by %d limits", held, len(v.Limits))
		}
		for id, n := range teams {
			if sizes[id] > l.TeamFloor && n*2 > sizes[id] {
				t.Fatalf("team of %d lost %d", sizes[id], n)
			}
		}
	})
}
