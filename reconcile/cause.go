package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// The sources of evidence that come from the IdP's own provisioning job.
const (
	SourceLog = "provisioning_log"
	SourceJob = "provisioning_job"
)

// causesShown is how many entries of the provisioning log stand beside one drift.
const causesShown = 3

// Explain puts beside a drift what the IdP's own provisioning job says of it: that the job is in quarantine, and the
// newest entries of its log about the object. It is evidence and changes nothing else.
//
//	| the drift is about | the entries are about                                  |
//	|--------------------|--------------------------------------------------------|
//	| a member           | the person                                             |
//	| a team             | the group                                              |
//	| a membership       | the group, and the person where the job failed at them |
//
// A failure that a later push to the same object has made good explains nothing any more.
func Explain(d *roster.Drift, job *roster.Job, ofMember, ofTeam []roster.LogEntry) {
	var entries []roster.LogEntry
	switch d.Subject.Type {
	case roster.TypeMember:
		entries = slices.Clone(ofMember)
	case roster.TypeTeam:
		entries = slices.Clone(ofTeam)
	case roster.TypeMembership:
		entries = slices.Clone(ofTeam)
		for _, e := range ofMember {
			if e.Failed {
				entries = append(entries, e)
			}
		}
	}
	entries = slices.DeleteFunc(entries, func(e roster.LogEntry) bool { return e.Failed && madeGood(d, &e) })
	slices.SortStableFunc(entries, func(a, b roster.LogEntry) int { return b.At.Compare(a.At) })
	for i := range entries[:min(len(entries), causesShown)] {
		e := &entries[i]
		d.Evidence = append(d.Evidence, roster.Evidence{Source: SourceLog, Time: e.At, Text: logged(e)})
	}
	if job != nil && job.Quarantine != nil {
		d.Evidence = append(d.Evidence, roster.Evidence{Source: SourceJob, Time: job.Quarantine.Since, Text: quarantined(job.Quarantine)})
	}
}

// madeGood reports whether the object of a failure was pushed to after it. For memberships the pushes are the group's.
func madeGood(d *roster.Drift, e *roster.LogEntry) bool {
	if (e.Type == roster.TypeMember) != (d.Subject.Type == roster.TypeMember) {
		return false
	}
	return slices.ContainsFunc(d.Evidence, func(seen roster.Evidence) bool { return seen.Source == "push" && seen.Time.After(e.At) })
}

func logged(e *roster.LogEntry) string {
	what, about := "skipped", ""
	if e.Failed {
		what = "failed"
	}
	if e.Action != "" && e.Action != "other" {
		what = e.Action + " " + what
	}
	if e.Type == roster.TypeTeam {
		about = "the group: "
	}
	text := fmt.Sprintf("the provisioning log at %s: %s%s: %s", clock(e.At), about, what, e.Reason)
	if e.Text != "" {
		text += " (" + strings.TrimRight(e.Text, ". ") + ")"
	}
	return text
}

func quarantined(q *roster.Quarantine) string {
	if q.Since.IsZero() {
		return "the identity provider's own job is in quarantine: " + q.Reason
	}
	return fmt.Sprintf("the identity provider's own job is in quarantine since %s: %s", clock(q.Since), q.Reason)
}
