package syncer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

const (
	// jobTime bounds what a run spends on the IdP's own job: it is evidence, and must not hold the run up.
	jobTime = 20 * time.Second
	// logText is how much of an entry's own words is kept.
	logText = 300
)

// readJob reads the IdP's own provisioning job and what its log has to tell since the last run. That they can't be read is
// kept and shown, and does not fail the run; what is known of the job then is what was read last.
func (w *worker) readJob(ctx context.Context) error {
	reader, isJob := w.source.Reader.(connectors.JobReader)
	if _, isLog := w.source.Reader.(connectors.CauseReader); !isJob && !isLog {
		return nil
	}
	kept, err := w.cfg.Store.Job(ctx, w.run.Org, w.run.Connection)
	if err != nil {
		return err
	}
	if kept == nil || kept.Target != w.conn.Target {
		kept = &roster.Job{State: roster.JobNotKnown}
	}
	now, err := w.cfg.Store.Now(ctx)
	if err != nil {
		return err
	}
	asking, done := context.WithTimeout(ctx, jobTime)
	defer done()
	var found *connectors.Job
	if isJob {
		found, err = reader.Job(asking)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	job := jobOf(found, now)
	job.LogProblem = kept.LogProblem
	if err != nil {
		job = *kept
		job.Problem = explain(err)
	}
	job.Target, job.RestartedAt, job.Scope = w.conn.Target, kept.RestartedAt, kept.Scope
	if job.Quarantine != nil {
		job.RestartProblem = kept.RestartProblem
	}
	w.job = &job
	if err := w.readLog(ctx, asking, found); err != nil {
		return err
	}
	for what, said := range map[string][2]string{"the provisioning job": {kept.Problem, job.Problem}, "the provisioning log": {kept.LogProblem, job.LogProblem}} {
		if said[1] != "" && said[0] != said[1] {
			w.log.Warn("the identity provider's own job can't be read: runs go on without it", "what", what, "error", said[1])
		}
	}
	if w.run.Mode == roster.ModeDry {
		return nil
	}
	return w.cfg.Store.SaveJob(ctx, w.run, job)
}

// jobOf turns what a connector read of a job into what is kept of it.
func jobOf(j *connectors.Job, now time.Time) roster.Job {
	if j == nil {
		return roster.Job{State: roster.JobNone, ReadAt: now}
	}
	out := roster.Job{ID: j.ID, State: roster.JobState(j.State), SteadyAt: j.SteadySince, Failures: j.Failures, ReadAt: now}
	if q := j.Quarantine; q != nil {
		out.Quarantine = &roster.Quarantine{Reason: storable(q.Reason), Message: storable(q.Message), Since: q.Since, Next: q.Next}
	}
	if c := j.Last; c != nil {
		out.Cycle = &roster.JobCycle{Began: c.Began, Ended: c.Ended, Failed: c.Failed, Escrowed: c.Escrowed, Error: storable(c.Error)}
	}
	return out
}

// readLog reads the job's log from where the last run came to. What is read is kept page by page, the position after all
// of it; a dry run keeps it in memory.
func (w *worker) readLog(ctx, asking context.Context, job *connectors.Job) error {
	reader, ok := w.source.Reader.(connectors.CauseReader)
	if _, isJob := w.source.Reader.(connectors.JobReader); !ok || isJob && job == nil {
		return nil
	}
	id := ""
	if job != nil {
		id = job.ID
	}
	position, err := w.cfg.Store.CausePosition(ctx, w.run.Org, w.run.Connection)
	if err != nil {
		return err
	}
	dry := w.run.Mode == roster.ModeDry
	if !dry { // the row that the position is kept in
		if err := w.cfg.Store.SaveJob(ctx, w.run, *w.job); err != nil {
			return err
		}
	}
	var unsaved error
	next, err := reader.Causes(asking, id, position, func(page []connectors.Cause) error {
		entries := entriesOf(page)
		if dry {
			w.unkept(entries)
			return nil
		}
		unsaved = w.cfg.Store.SaveCauses(ctx, w.run, entries, position)
		return unsaved
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case unsaved != nil:
		return unsaved
	case err != nil:
		w.job.LogProblem = explain(err)
		return nil
	}
	w.job.LogProblem = ""
	if dry {
		return nil
	}
	return w.cfg.Store.SaveCauses(ctx, w.run, nil, next)
}

func entriesOf(page []connectors.Cause) []roster.LogEntry {
	out := make([]roster.LogEntry, len(page))
	for i, c := range page {
		out[i] = roster.LogEntry{
			Type: roster.TypeMember, ObjectID: storable(c.ObjectID), At: c.At, Failed: c.Outcome == connectors.CauseFailed,
			Reason: storable(c.Reason), Action: storable(c.Action), Text: storable(c.Text),
		}
		if c.Group {
			out[i].Type = roster.TypeTeam
		}
	}
	return out
}

// storable shortens a text of the IdP and drops what a database can't hold.
func storable(s string) string { return clean(s[:min(len(s), logText)]) }

// clean is storable at any length.
func clean(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")), " ")
}

// unkept notes what a dry run read of the log.
func (w *worker) unkept(entries []roster.LogEntry) {
	if w.entries == nil {
		w.entries = map[string][]roster.LogEntry{}
	}
	for _, e := range entries {
		key := string(e.Type) + " " + e.ObjectID
		w.entries[key] = append(w.entries[key], e)
	}
}

// annotate puts beside drifts what the IdP's own job says of them.
func (s *Syncer) annotate(ctx context.Context, org, connection string, job *roster.Job, unkept map[string][]roster.LogEntry, drifts []*roster.Drift) error {
	if job == nil || len(drifts) == 0 {
		return nil
	}
	ids := map[roster.ObjectType][]string{}
	for _, d := range drifts {
		member, team := aboutWhom(d)
		if member != "" {
			ids[roster.TypeMember] = append(ids[roster.TypeMember], member)
		}
		if team != "" {
			ids[roster.TypeTeam] = append(ids[roster.TypeTeam], team)
		}
	}
	said := map[roster.ObjectType]map[string][]roster.LogEntry{}
	for typ, list := range ids {
		var err error
		if said[typ], err = s.cfg.Store.CausesOf(ctx, org, connection, typ, list); err != nil {
			return err
		}
	}
	of := func(typ roster.ObjectType, id string) []roster.LogEntry {
		if id == "" {
			return nil
		}
		return newestOfEach(append(unkept[string(typ)+" "+id], said[typ][id]...))
	}
	for _, d := range drifts {
		member, team := aboutWhom(d)
		reconcile.Explain(d, job, of(roster.TypeMember, member), of(roster.TypeTeam, team))
	}
	return nil
}

// aboutWhom returns whom and which group a drift is about, by the IdP's ids, in the case in which the log has them.
func aboutWhom(d *roster.Drift) (member, team string) {
	switch d.Subject.Type {
	case roster.TypeMember:
		member = d.Subject.ObjectID
	case roster.TypeTeam:
		team = d.Subject.ObjectID
	case roster.TypeMembership:
		member, team = d.MemberObject, d.TeamObject
	}
	return inLogCase(member), inLogCase(team)
}

// inLogCase is an IdP's id in the case in which connectors hand over those of a log: GUIDs are in lower case, other ids as
// the IdP has them.
func inLogCase(id string) string {
	if uuid.Validate(id) == nil {
		return strings.ToLower(id)
	}
	return id
}

// newestOfEach keeps the newest entry of each reason.
func newestOfEach(entries []roster.LogEntry) []roster.LogEntry {
	newest := map[string]int{}
	var out []roster.LogEntry
	for _, e := range entries {
		i, seen := newest[e.Reason]
		switch {
		case !seen:
			newest[e.Reason] = len(out)
			out = append(out, e)
		case e.At.After(out[i].At):
			out[i] = e
		}
	}
	return out
}

// annotated puts what the job says beside a page of the plan.
func (w *worker) annotated(ctx context.Context, actions []roster.RunAction) error {
	drifts := make([]*roster.Drift, 0, len(actions))
	for i := range actions {
		if actions[i].Drift.Kind != roster.LinkKind {
			drifts = append(drifts, &actions[i].Drift)
		}
	}
	if err := w.annotate(ctx, w.run.Org, w.run.Connection, w.job, w.entries, drifts); err != nil {
		return fmt.Errorf("explain the plan by the provisioning log: %w", err)
	}
	return nil
}

// explainBy puts beside the drifts of one person what runs have read of the job last.
func (o *one) explainBy(ctx context.Context, p *onePlan) error {
	job, err := o.cfg.Store.Job(ctx, o.ask.Org, o.conn.ID)
	if err != nil {
		return err
	}
	var drifts []*roster.Drift
	for i := range p.drifts {
		drifts = append(drifts, &p.drifts[i])
	}
	return o.annotate(ctx, o.ask.Org, o.conn.ID, job, nil, drifts)
}

// jobGaps says which permissions are missing for the IdP's own job and its log. Runs go on without them.
func jobGaps(ctx context.Context, reader connectors.Reader) []string {
	jobs, ok := reader.(connectors.JobReader)
	if !ok {
		return nil
	}
	var gaps []string
	note := func(err error) {
		if connectors.FaultOf(err) == connectors.MissingPermission {
			gaps = append(gaps, "Runs go on without the provisioning job: "+explain(err))
		}
	}
	job, err := jobs.Job(ctx)
	note(err)
	if log, ok := reader.(connectors.CauseReader); ok {
		id := ""
		if job != nil {
			id = job.ID
		}
		// One call is enough to be refused; what comes after it is cut off.
		_, err := log.Causes(connectors.WithBudget(ctx, connectors.NewBudget(1)), id, "", func([]connectors.Cause) error { return nil })
		note(err)
	}
	if scope, ok := reader.(connectors.ScopeReader); ok {
		if is, err := scope.Scope(ctx); err == nil {
			gaps = append(gaps, is.Notes...)
		}
	}
	return gaps
}
