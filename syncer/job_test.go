package syncer_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

// atJobs is where Graph is asked for the provisioning job.
const (
	atJobs = "/servicePrincipals/*/synchronization/jobs"
	atLog  = "/auditLogs/provisioning"
)

func (w *world) job() *roster.Job {
	w.t.Helper()
	j, err := w.db.Job(context.Background(), w.org, w.conn)
	w.ok(err)
	return j
}

// skipped adds an entry to the provisioning log: the job sends nothing about somebody, as it believes them to be off.
func (w *world) skipped(p idpsim.Person, ago time.Duration) time.Time {
	w.t.Helper()
	at := time.Now().UTC().Truncate(time.Second).Add(-ago)
	w.tenant.AddProvisioningLog(idpsim.ProvisioningEntry{Time: at, Action: "other", Status: "skipped", Type: "User", ObjectID: p.ObjectID,
		Name: p.UserPrincipalName, SkipReason: "RedundantSoftDelete", Reason: "Already soft-deleted."})
	return at
}

// explained holds that the log's entry stands beside an action.
func (w *world) explained(a roster.RunAction, at time.Time) {
	w.t.Helper()
	for _, e := range a.Drift.Evidence {
		if e.Source == reconcile.SourceLog && strings.Contains(e.Text, "RedundantSoftDelete") && e.Time.Equal(at) {
			return
		}
	}
	w.t.Errorf("the evidence of %s does not name the log's entry at %s: %+v", a.Drift.Kind, at, a.Drift.Evidence)
}

// The evidence of an action names the reason that the IdP's log has, and its time, in every kind of run.
func TestTheProvisioningLogStandsBesideADrift(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		w.pushOff(p)
		at := w.skipped(p, time.Hour)
		_, actions := w.run(roster.ModeDry)
		w.explained(w.has(actions, roster.RedundantSoftDelete, p.UserPrincipalName), at)
		if causes, err := w.db.CausesOf(context.Background(), w.org, w.conn, roster.TypeMember, []string{p.ObjectID}); err != nil || len(causes) != 0 {
			w.t.Errorf("a dry run wrote %v, %v", causes, err)
		}
		_, actions = w.run(roster.ModeFull)
		w.explained(w.has(actions, roster.RedundantSoftDelete, p.UserPrincipalName), at)
		w.pushOff(p)
		_, actions = w.one(p.UserPrincipalName)
		w.explained(w.has(actions, roster.RedundantSoftDelete, p.UserPrincipalName), at)
	})
}

// A delta does not read whom the IdP has not changed. Whom the job skipped or failed at it reads all the same, once.
func TestWhomTheLogSpeaksOfADeltaReads(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.withCursor()
		p := w.member()[0]
		w.pushOff(p)
		w.deltaDoes()
		at := w.skipped(p, time.Minute)
		run, actions := w.delta()
		w.explained(w.has(actions, roster.RedundantSoftDelete, p.UserPrincipalName), at)
		if run.State != roster.RunDone || w.statusOf(p) == roster.Deactivated {
			w.t.Errorf("the delta ended %s and left them %s", run.State, w.statusOf(p))
		}
		if parked := w.parked(); len(parked) != 0 {
			w.t.Errorf("still to be read again: %v", parked)
		}
		w.deltaDoes()
		w.silent()
	})
}

// A failed run loses nothing: whom the log spoke of is read by the next that ends well.
func TestWhomTheLogSpeaksOfIsReadThoughTheRunFails(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.withCursor()
		p := w.member()[0]
		w.pushOff(p)
		w.skipped(p, time.Minute)
		remove := w.tenant.Inject(idpsim.Fault{Path: atAssignments, Status: http.StatusInternalServerError})
		if run, _ := w.run(roster.ModeDelta); run.State != roster.RunFailed {
			w.t.Fatalf("ended %s", run.State)
		}
		remove()
		_, actions := w.delta()
		w.has(actions, roster.RedundantSoftDelete, p.UserPrincipalName)
	})
}

// Invariant 3: while Entra's job is quarantined for too many deletes, no run removes anything, and everything else goes on.
func TestARunHoldsItsRemovalsWhileTheJobHoldsItsOwn(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.baseline()
		w.tenant.SetQuarantine(idpsim.BaseEscrowThreshold, "Too many failures.")
		first, gone := w.somebody(0), w.somebody(1)
		w.leave(first.ObjectID)
		if run, _ := w.run(roster.ModeFull); run.State != roster.RunDone || w.statusOf(first) != roster.Deactivated {
			w.t.Fatalf("a quarantine of another kind held the run: %s", run.State)
		}
		w.tenant.SetQuarantine(idpsim.TooManyDeletes, "Too many deletes.")
		w.leave(gone.ObjectID)
		w.joins("new.joiner@contoso.example")
		run, actions := w.run(roster.ModeFull)
		orphan := w.has(actions, roster.OrphanedMember, gone.UserPrincipalName)
		if run.State != roster.RunHeld || orphan.State != roster.ActionHeld || w.statusOf(gone) == roster.Deactivated {
			w.t.Fatalf("ended %s, the action %s, and they are %s", run.State, orphan.State, w.statusOf(gone))
		}
		if len(run.Held) != 1 || run.Held[0].Limit != "too_many_deletes" {
			w.t.Errorf("held by %+v", run.Held)
		}
		if w.has(actions, roster.MissingMember, "new.joiner@contoso.example").State != roster.ActionApplied {
			w.t.Error("what removes nothing was held too")
		}
		if last := orphan.Drift.Evidence[len(orphan.Drift.Evidence)-1]; last.Source != reconcile.SourceJob || !strings.Contains(last.Text, "TooManyDeletes") {
			w.t.Errorf("the evidence is %+v", orphan.Drift.Evidence)
		}
		if q := w.job().Quarantine; q == nil || q.Reason != roster.TooManyDeletes || q.Since.IsZero() || q.Next.IsZero() {
			w.t.Errorf("kept is %+v", w.job())
		}

		w.tenant.Deny(idpsim.SynchronizationReadAll) // what was read last stands
		more := w.somebody(2)
		w.leave(more.ObjectID)
		if run, _ := w.run(roster.ModeFull); run.State != roster.RunHeld || w.statusOf(more) == roster.Deactivated {
			w.t.Errorf("a job that can't be read any more: %s, they are %s", run.State, w.statusOf(more))
		}
		w.tenant.Grant(idpsim.SynchronizationReadAll)
		w.tenant.LiftQuarantine()
		other := w.somebody(3)
		w.leave(other.ObjectID)
		if _, actions := w.run(roster.ModeFull); w.has(actions, roster.OrphanedMember, other.UserPrincipalName).State != roster.ActionApplied {
			w.t.Errorf("after the quarantine they are %s", w.statusOf(other))
		}
	})
}

// That the job or its log can't be read costs what they would have said, and is kept for the operator.
func TestWithoutTheJobARunGoesOn(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline() // who has never read the job's rules does not go on without: see TestWithoutTheJobsRulesNobodyIsAddedOrRemoved
		for name, c := range map[string]struct {
			spoil    func() (mend func())
			job, log string
		}{
			"no permission for the job": {func() func() {
				w.tenant.Deny(idpsim.SynchronizationReadAll)
				return func() { w.tenant.Grant(idpsim.SynchronizationReadAll) }
			}, "Synchronization.Read.All", ""},
			"no permission for the log": {func() func() {
				w.tenant.Deny(idpsim.AuditLogReadAll)
				return func() { w.tenant.Grant(idpsim.AuditLogReadAll) }
			}, "", "AuditLog.Read.All"},
			"the job's page is broken": {func() func() {
				return w.tenant.Inject(idpsim.Fault{Path: atJobs, Status: http.StatusInternalServerError})
			}, "500", ""},
			"the log's page is broken": {func() func() { return w.tenant.Inject(idpsim.Fault{Path: atLog, Status: http.StatusBadRequest}) }, "", "400"},
		} {
			mend := c.spoil()
			if run, _ := w.run(roster.ModeFull); run.State != roster.RunDone {
				w.t.Errorf("%s: the run ended %s (%s)", name, run.State, run.Error)
			}
			j := w.job()
			if !strings.Contains(j.Problem, c.job) || (c.job == "") != (j.Problem == "") || !strings.Contains(j.LogProblem, c.log) || (c.log == "") != (j.LogProblem == "") {
				w.t.Errorf("%s: kept is %+v", name, j)
			}
			mend()
			if run, _ := w.run(roster.ModeFull); run.State != roster.RunDone || w.job().Problem+w.job().LogProblem != "" || w.job().State != roster.JobNotRun {
				w.t.Errorf("%s, mended: %s, kept is %+v", name, run.State, w.job())
			}
		}
	})
}

// The job costs a run few calls, whatever else it reads.
func TestTheJobIsCheap(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		n := 0
		for path, count := range w.tenant.Requests() {
			if strings.Contains(path, "synchronization") || strings.Contains(path, "auditLogs") {
				n += count
			}
		}
		if n > 5 {
			w.t.Errorf("%d calls", n)
		}
	})
}
