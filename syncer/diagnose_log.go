package syncer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

const (
	reasonsShown  = 10
	examplesShown = 3
)

// told is what a job's log says under one reason.
type told struct {
	failed   bool
	reason   string
	objects  map[string]bool
	examples []connectors.Cause // the newest of different objects, the newest first
}

// ordinary are the reasons for which a job skips objects with nothing amiss (Entra documentation, "Skipped users").
func ordinary(reason string) bool {
	switch reason {
	case "NotEffectivelyEntitled", "RedundantExport", "NotActiveInSource", "NotInScope", "ReferenceNotInScope":
		return true
	}
	return false
}

// checkLog tells what the job failed at and skipped of late, by reason.
func (d *diagnosis) checkLog(ctx context.Context, job *connectors.Job) {
	reader, ok := d.source.Reader.(connectors.CauseReader)
	if !ok {
		return
	}
	const check = "log"
	reasons := map[string]*told{}
	quiet := map[string]bool{}
	_, err := reader.Causes(ctx, job.ID, "", func(page []connectors.Cause) error {
		for _, c := range page {
			if c.Outcome == connectors.CauseSkipped && ordinary(c.Reason) {
				quiet[c.ObjectID] = true
				continue
			}
			key := string(c.Outcome) + " " + c.Reason
			if reasons[key] == nil {
				reasons[key] = &told{failed: c.Outcome == connectors.CauseFailed, reason: c.Reason, objects: map[string]bool{}}
			}
			reasons[key].note(c)
		}
		return nil
	})
	if err != nil {
		state := roster.FindingFail
		if connectors.FaultOf(err) == connectors.MissingPermission {
			state = roster.FindingWarn
		}
		d.failed(check, state, err)
		return
	}
	all := slices.SortedFunc(maps.Values(reasons), func(a, b *told) int {
		return cmp.Or(-cmp.Compare(len(a.objects), len(b.objects)), cmp.Compare(a.reason, b.reason))
	})
	for _, r := range all[:min(len(all), reasonsShown)] {
		d.warn(check, r.text(), d.logFix(r))
	}
	switch {
	case len(all) > reasonsShown:
		d.warn(check, fmt.Sprintf("%d more reasons", len(all)-reasonsShown), "see the portal: Provisioning, Provisioning logs")
	case len(all) == 0:
		text := "nothing failed of late"
		if len(quiet) > 0 {
			text += fmt.Sprintf("; %d objects were skipped as out of scope or unchanged", len(quiet))
		}
		d.ok(check, text)
	}
}

// note counts an entry and keeps it as an example if it is among the newest.
func (r *told) note(c connectors.Cause) {
	r.objects[c.ObjectID] = true
	if i := slices.IndexFunc(r.examples, func(e connectors.Cause) bool { return e.ObjectID == c.ObjectID }); i >= 0 {
		if r.examples[i].At.After(c.At) {
			return
		}
		r.examples = slices.Delete(r.examples, i, i+1)
	}
	r.examples = append(r.examples, c)
	slices.SortStableFunc(r.examples, func(a, b connectors.Cause) int { return b.At.Compare(a.At) })
	r.examples = r.examples[:min(len(r.examples), examplesShown)]
}

func (r *told) text() string {
	what := "skipped"
	if r.failed {
		what = "failed"
	}
	examples := make([]string, len(r.examples))
	for i, e := range r.examples {
		examples[i] = cmp.Or(storable(e.Name), e.ObjectID) + " at " + clock(e.At)
	}
	objects := "1 object"
	if len(r.objects) > 1 {
		objects = fmt.Sprintf("%d objects", len(r.objects))
	}
	text := fmt.Sprintf("%s %s: %s, e.g. %s", objects, what, r.reason, strings.Join(examples, ", "))
	if said := storable(r.examples[0].Text); said != "" {
		text += ". It says: " + said
	}
	return text
}

// logFix says what to do about a reason (Entra documentation, "Known error codes of application provisioning").
func (d *diagnosis) logFix(r *told) string {
	name := cmp.Or(storable(r.examples[0].Name), r.examples[0].ObjectID)
	one := fmt.Sprintf("rosterd resync --org %s --connection %s --user %s", d.org, d.conn.Name, name)
	if r.examples[0].Group {
		one = fmt.Sprintf("rosterd resync --org %s --connection %s", d.org, d.conn.Name)
	}
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(r.reason), w) })
	}
	switch {
	case has("redundantsoftdelete", "redundantdelete"):
		return "Entra takes them for switched off here already and sends nothing: the next run repairs what differs, or " + one +
			". To have Entra look again: Provisioning, Restart provisioning"
	case has("conflict", "duplicatetarget"):
		return fmt.Sprintf("somebody else has that userName or name: rosterd members list --org %s --search %s; link, adopt or rename them", d.org, name)
	case has("duplicatesource"):
		return "several people there have the same matching attribute: give each their own, or match by another in the attribute mapping"
	case has("unauthorized", "forbidden", "credential", "invaliddomain"):
		return "its token or address is refused: rosterd doctor scim --org " + d.org
	case has("unreachable", "timeout", "unavailable", "webexception", "httprequest", "secureconnection"):
		return "it does not reach rosterd: run rosterd doctor scim --org " + d.org + " from outside"
	case has("missing", "required", "attribute", "invalid", "badrequest", "incompatible", "constraint"):
		return "a value was not taken: rosterd requests list --org " + d.org + " --status 4xx shows the answer; mend it in the person's record there, then " + one
	}
	return "rosterd requests list --org " + d.org + " shows what was answered; the next run repairs what differs, or " + one
}
