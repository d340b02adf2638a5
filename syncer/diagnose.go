package syncer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

const (
	// diagnosisCalls bounds what a check of a connection asks of the IdP.
	diagnosisCalls = 500
	// jobIdle is from when on a job that should run is said not to: Entra's runs every 40 minutes or so.
	jobIdle = 24 * time.Hour
)

// diagnosis is one check of a connection while it goes on.
type diagnosis struct {
	*Syncer
	conn   roster.Connection
	org    string // its name, for the commands that fixes recommend
	source Source
	now    time.Time
	found  []roster.Finding
	scope  connectors.Scope // by which of the job's rules runs read
}

// Diagnose checks a connection against its IdP: that a pull would work, what the IdP's own job is doing, what that failed
// at of late, and whether it maps as the connection does. What goes wrong at the IdP is a finding; an error is ours.
func (s *Syncer) Diagnose(ctx context.Context, org, connection string) ([]roster.Finding, error) {
	src, err := s.source(connection)
	if err != nil {
		return nil, err
	}
	d := &diagnosis{Syncer: s, source: src}
	if d.conn, err = s.cfg.Store.Connection(ctx, org, connection); err != nil {
		return nil, err
	}
	o, err := s.cfg.Store.Organisation(ctx, org)
	if err != nil {
		return nil, err
	}
	d.org = o.Name
	if d.now, err = s.cfg.Store.Now(ctx); err != nil {
		return nil, err
	}
	d.run(connectors.WithBudget(connectors.OnceAsked(ctx), connectors.NewBudget(diagnosisCalls)))
	return d.found, ctx.Err()
}

func (d *diagnosis) run(ctx context.Context) {
	job, has := d.source.Reader.(connectors.JobReader)
	if !d.checkConnection(ctx) {
		if has {
			d.skip("job", "not asked for before the above is mended")
		}
		return
	}
	if has {
		d.checkJob(ctx, job)
	}
	if doctor, ok := d.source.Reader.(connectors.Diagnoser); ok {
		more, err := doctor.Diagnose(ctx)
		for _, f := range more {
			d.add(f.Check, roster.FindingState(f.State), f.Text, f.Fix)
		}
		if err != nil {
			d.failed("set-up", roster.FindingFail, err)
		}
	}
}

// checkConnection reports whether the IdP can be asked at all.
func (d *diagnosis) checkConnection(ctx context.Context) bool {
	tester, ok := d.source.Reader.(connectors.Tester)
	if !ok {
		d.skip("connection", "this kind of connection can't be tested")
		return true
	}
	err := tester.Test(ctx)
	if err == nil {
		d.ok("connection", "the credentials work, and every permission that a pull needs is granted")
		return true
	}
	d.failed("connection", roster.FindingFail, err)
	return connectors.FaultOf(err) == connectors.MissingPermission
}

// checkJob goes on from the job to its log and its mapping.
func (d *diagnosis) checkJob(ctx context.Context, reader connectors.JobReader) {
	job, err := reader.Job(ctx)
	switch {
	case connectors.FaultOf(err) == connectors.MissingPermission:
		d.failed("job", roster.FindingWarn, err)
		return
	case err != nil:
		d.failed("job", roster.FindingFail, err)
		return
	case job == nil:
		d.warn("job", "the application has no provisioning job: nothing is pushed, and runs alone bring changes",
			"set it up in the portal: Enterprise applications, the application, Provisioning, with rosterd's SCIM base URL and a token")
		return
	}
	d.judgeJob(job)
	d.checkLog(ctx, job)
	d.checkSchema(ctx, job)
}

func (d *diagnosis) judgeJob(j *connectors.Job) {
	switch j.State {
	case connectors.JobQuarantined:
		d.judgeQuarantine(j.Quarantine)
	case connectors.JobPaused:
		d.warn("job", "the provisioning job is switched off: nothing is pushed, and runs alone bring changes", "start it in the portal: Provisioning, Start provisioning")
	case connectors.JobNotSetUp:
		d.warn("job", "the provisioning job is not set up", "finish it in the portal: Provisioning, Admin Credentials, Test Connection")
	case connectors.JobNotRun:
		d.warn("job", "the provisioning job has not run yet", "start it in the portal: Provisioning, Start provisioning; the first cycle may take hours")
	case connectors.JobUnknown:
		d.warn("job", "the provisioning job is in a state that is not known here", "see the portal: Provisioning, Overview")
	case connectors.JobActive:
		d.judgeCycles(j)
	}
	if j.Settings["SkipOutOfScopeDeletions"] == "True" {
		d.warn("job", "SkipOutOfScopeDeletions is on: the job never switches off who leaves the scope, and runs of this connection do",
			"switch it off (Graph: PATCH the job's synchronizationJobSettings), or expect the orphaned_member that runs find")
	}
}

func (d *diagnosis) judgeCycles(j *connectors.Job) {
	steady := "never steady yet"
	if !j.SteadySince.IsZero() {
		steady = "last steady " + clock(j.SteadySince)
	}
	last := j.Last
	switch {
	case last == nil:
		d.ok("job", "active, "+steady)
	case last.Failed:
		text := fmt.Sprintf("the last cycle, at %s, failed", clock(last.Ended))
		if j.Failures > 1 {
			text += fmt.Sprintf(", as did %d in a row", j.Failures)
		}
		if last.Error != "" {
			text += ": " + storable(last.Error)
		}
		d.fail("job", text, "rosterd doctor scim --org "+d.org+" tells whether its requests can get through")
	case !last.Ended.IsZero() && d.now.Sub(last.Ended) > jobIdle:
		d.warn("job", "active, but its last cycle ended "+clock(last.Ended), "see the portal: Provisioning, Overview; restart it if nothing moves")
	case last.Escrowed > 0:
		d.warn("job", fmt.Sprintf("active, %s; %d objects failed and wait for another try", steady, last.Escrowed), "see what its log says, below")
	default:
		d.ok("job", "active, "+steady)
	}
}

func (d *diagnosis) judgeQuarantine(q *connectors.Quarantine) {
	text := "in quarantine: " + q.Reason
	if !q.Since.IsZero() {
		text += ", since " + clock(q.Since)
	}
	if !q.Next.IsZero() {
		text += "; it tries again " + clock(q.Next)
	}
	if q.Message != "" {
		text += ". " + storable(q.Message)
	}
	d.fail("job", text, d.quarantineFix(q.Reason))
}

// quarantineFix says what to do about a reason (Entra documentation, "Application provisioning in quarantine status").
func (d *diagnosis) quarantineFix(reason string) string {
	const restart = "then restart it in the portal: Provisioning, Restart provisioning"
	switch reason {
	case roster.TooManyDeletes:
		return "see who would go: rosterd diff --org " + d.org + " --connection " + d.conn.Name + ". If they are meant to, allow the deletions " +
			"in the portal (Provisioning, Overview); if not, mend the assignments. Until then runs hold their removals too"
	case "EncounteredQuarantineException":
		return "its requests are refused: rosterd doctor scim --org " + d.org + " says why; give it a new token by rosterd token create, " + restart
	case "EncounteredBaseEscrowThreshold", "EncounteredTotalEscrowThreshold", "EncounteredEscrowProportionThreshold":
		return "too many objects failed: mend what its log says, below, " + restart
	}
	return "mend what its log says, below, if it says anything, " + restart
}

func (d *diagnosis) add(check string, state roster.FindingState, text, fix string) {
	d.found = append(d.found, roster.Finding{Check: check, State: state, Text: text, Fix: fix})
}

func (d *diagnosis) ok(check, text string)        { d.add(check, roster.FindingOK, text, "") }
func (d *diagnosis) warn(check, text, fix string) { d.add(check, roster.FindingWarn, text, fix) }
func (d *diagnosis) fail(check, text, fix string) { d.add(check, roster.FindingFail, text, fix) }
func (d *diagnosis) skip(check, text string)      { d.add(check, roster.FindingSkip, text, "") }

const again = "ask again in a while; if it stays so, see the daemon's log"

// failed adds what the IdP refused, with its fix apart.
func (d *diagnosis) failed(check string, state roster.FindingState, err error) {
	var ce *connectors.Error
	if errors.As(err, &ce) {
		d.add(check, state, ce.Message, cmp.Or(ce.Fix, again))
		return
	}
	d.add(check, state, err.Error(), again)
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
