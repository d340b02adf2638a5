package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/roster"
)

func TestPolicyKeepsTheDefaultsOfWhatIsLeftOut(t *testing.T) {
	got, err := config.Load(write(t, strings.Replace(entry, "policy: { settle: 10m }", `policy:
      mode: dry_run
      drift: { orphaned_member: hold, stale_member: report, missing_team: apply }
      guards:
        members: { ceiling: 50 }
        memberships: { percent: 1 }
        reactivations: { ceiling: 3 }
        team: { percent: 0 }
        renames: { ceiling: 900, floor: 800, percent: 100 }`, 1)), environment("SET", "hush"))
	if err != nil {
		t.Fatal(err)
	}
	want := config.DefaultGuards()
	want.Members.Ceiling, want.Memberships.Percent, want.Team.Percent = 50, 1, 0
	want.Reactivations = config.Guard{Ceiling: 3, Floor: 3, Percent: 5} // a floor above the ceiling would say nothing
	want.Renames = config.Guard{Ceiling: 900, Floor: 800, Percent: 100}
	p := got.Connections[0].Policy
	if !p.DryRun || p.Guards != want {
		t.Errorf("dry-run %t, guards %+v", p.DryRun, p.Guards)
	}
	if drift := (map[roster.Kind]roster.Treatment{roster.OrphanedMember: roster.TreatHold, roster.StaleMember: roster.TreatReport}); !reflect.DeepEqual(p.Drift, drift) {
		t.Errorf("drift %v", p.Drift)
	}
	again, err := config.Load(write(t, strings.ReplaceAll(got.Redacted(), "client_secret: '***'", "client_secret: ${env:SET}")), environment("SET", "hush"))
	if err == nil && !reflect.DeepEqual(again.Connections[0].Policy, p) {
		t.Errorf("what is shown reads as %+v", again.Connections[0].Policy)
	}
	for _, shown := range []string{"mode: dry_run", "orphaned_member: hold", "missing_team: apply", "ceiling: 50"} {
		if !strings.Contains(got.Redacted(), shown) {
			t.Errorf("%q is not shown in\n%s", shown, got.Redacted())
		}
	}
}

func TestProblemsOfPolicy(t *testing.T) {
	for name, tc := range map[string]struct{ policy, want string }{
		"mode":                   {"{ mode: dry }", `FILE:11: mode "dry" is not known: write apply or dry_run`},
		"treatment":              {"{ drift: { stale_member: ignore } }", `FILE:11: stale_member "ignore" is not known: write apply, hold or report`},
		"kind":                   {"{ drift: { orphaned_members: hold } }", `FILE:11: unknown key "orphaned_members" in drift in the policy of connection entra (did you mean "orphaned_member"?)`},
		"conflict":               {"{ drift: { conflict: report } }", "FILE:11: conflict can't be set: no run acts on a conflict, it is always listed; take it out"},
		"drift, a text":          {"{ drift: hold }", "FILE:11: drift in the policy of connection entra must be settings"},
		"guard":                  {"{ guards: { member: { floor: 1 } } }", `FILE:11: unknown key "member" in guards in the policy of connection entra (did you mean "members"?)`},
		"figure":                 {"{ guards: { members: { floor: many } } }", "FILE:11: floor must be a whole number between 0 and"},
		"percent":                {"{ guards: { members: { percent: 101 } } }", "FILE:11: percent must be a whole number between 0 and 100"},
		"negative":               {"{ guards: { members: { ceiling: -1 } } }", "FILE:11: ceiling must be a whole number between 0 and"},
		"floor over ceiling":     {"{ guards: { members: { ceiling: 5, floor: 6 } } }", "FILE:11: floor 6 of the guard members of connection entra is above its ceiling 5: lower the floor, or raise the ceiling"},
		"floor over the default": {"{ guards: { members: { floor: 600 } } }", "is above its ceiling, which is 500 where none is written: write ceiling: 600 or more too"},
		"a ceiling of a share":   {"{ guards: { team: { ceiling: 5 } } }", `FILE:11: unknown key "ceiling" in the guard team of connection entra`},
	} {
		t.Run(name, func(t *testing.T) {
			got := problems(t, strings.Replace(entry, "{ settle: 10m }", tc.policy, 1), environment("SET", "hush"))
			if !strings.Contains(got, tc.want) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
