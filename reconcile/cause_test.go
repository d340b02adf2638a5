package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

func entry(typ roster.ObjectType, failed bool, reason string, ago time.Duration) roster.LogEntry {
	return roster.LogEntry{Type: typ, ObjectID: obj, At: now.Add(-ago), Failed: failed, Reason: reason, Action: "update", Text: "Said so."}
}

func TestADriftIsExplainedByTheProvisioningLog(t *testing.T) {
	t.Parallel()
	member, team, membership := roster.TypeMember, roster.TypeTeam, roster.TypeMembership
	skip := entry(member, false, "RedundantSoftDelete", time.Hour)
	fail := entry(member, true, "Conflict", 2*time.Hour)
	group := entry(team, true, "GroupTooLarge", 3*time.Hour)
	pushed := func(ago time.Duration) []roster.Evidence {
		return []roster.Evidence{{Source: "push", Time: now.Add(-ago), Text: "last push"}}
	}
	for name, c := range map[string]struct {
		about    roster.ObjectType
		evidence []roster.Evidence
		job      *roster.Job
		ofMember []roster.LogEntry
		ofTeam   []roster.LogEntry
		want     string // the reasons, in order
	}{
		"nothing is known":                        {about: member},
		"a person, by their own entries":          {about: member, ofMember: []roster.LogEntry{fail, skip}, ofTeam: []roster.LogEntry{group}, want: "RedundantSoftDelete Conflict"},
		"a team, by the group's":                  {about: team, ofMember: []roster.LogEntry{fail}, ofTeam: []roster.LogEntry{group}, want: "GroupTooLarge"},
		"a membership, by both, without skips":    {about: membership, ofMember: []roster.LogEntry{fail, skip}, ofTeam: []roster.LogEntry{group}, want: "Conflict GroupTooLarge"},
		"a failure that a push made good":         {about: member, evidence: pushed(time.Hour), ofMember: []roster.LogEntry{fail}},
		"a failure after the last push":           {about: member, evidence: pushed(3 * time.Hour), ofMember: []roster.LogEntry{fail}, want: "Conflict"},
		"a skip stands beside any push":           {about: member, evidence: pushed(time.Minute), ofMember: []roster.LogEntry{skip}, want: "RedundantSoftDelete"},
		"a push of the team says nothing of them": {about: membership, evidence: pushed(time.Minute), ofMember: []roster.LogEntry{fail}, want: "Conflict"},
		"the newest three": {about: member, ofMember: []roster.LogEntry{
			entry(member, false, "D", 4*time.Hour), entry(member, false, "A", time.Hour), entry(member, false, "C", 3*time.Hour), entry(member, false, "B", 2*time.Hour)}, want: "A B C"},
		"a job in quarantine": {about: member, job: &roster.Job{Quarantine: &roster.Quarantine{Reason: "TooManyDeletes", Since: now.Add(-time.Hour)}}, want: "TooManyDeletes"},
		"a job that works":    {about: member, job: &roster.Job{State: roster.JobActive}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := roster.Drift{Subject: roster.Subject{Type: c.about}, Evidence: c.evidence}
			reconcile.Explain(&d, c.job, c.ofMember, c.ofTeam)
			added := d.Evidence[len(c.evidence):]
			want := strings.Fields(c.want)
			if len(added) != len(want) {
				t.Fatalf("evidence %+v, want %q", added, want)
			}
			for i, e := range added {
				if !strings.Contains(e.Text, want[i]) || e.Time.IsZero() || !strings.Contains(e.Text, e.Time.Format(time.RFC3339)) {
					t.Errorf("evidence %d is %+v, want %s and its time", i, e, want[i])
				}
			}
		})
	}
}

func TestAnEntryOfTheLogIsReadInWords(t *testing.T) {
	t.Parallel()
	d := roster.Drift{Subject: roster.Subject{Type: roster.TypeMember}}
	e := entry(roster.TypeMember, false, "RedundantSoftDelete", time.Hour)
	e.Action = "other"
	reconcile.Explain(&d, nil, []roster.LogEntry{e}, nil)
	const want = "the provisioning log at 2026-12-01T02:00:00Z: skipped: RedundantSoftDelete (Said so)"
	if got := d.Evidence[0]; got.Text != want || got.Source != reconcile.SourceLog || !got.Time.Equal(e.At) {
		t.Errorf("evidence %+v", got)
	}
}
