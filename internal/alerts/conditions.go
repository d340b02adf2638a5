package alerts

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// What it takes before anybody is told.
const (
	failuresTold = 2 // runs in a row that failed; one, where the credentials or permissions are the reason
	partialTold  = 3 // runs in a row that left something undone
	runsLooked   = max(failuresTold, partialTold)
	pushWindow   = 24 * time.Hour
	heldFor      = 7 * 24 * time.Hour // how long a held plan stays open
)

// facts are what is read of an organisation for its conditions.
type facts struct {
	org         *roster.Organisation
	now         time.Time
	connections []roster.Connection
	last        map[string][]roster.Run // the last runs by connection id, the newest first
	open        []roster.Run
	schedules   []roster.Schedule
	jobs        map[string]roster.Job
	lifelines   map[string]roster.Lifeline
	out         []roster.Condition
}

// conditions works out what holds in an organisation.
func (a *Alerts) conditions(ctx context.Context, org *roster.Organisation, now time.Time) ([]roster.Condition, error) {
	f := &facts{org: org, now: now, last: map[string][]roster.Run{}}
	var err error
	db := a.cfg.Store
	if f.connections, err = db.Connections(ctx, org.ID); err != nil {
		return nil, err
	}
	if f.open, err = db.OpenRuns(ctx, org.ID); err != nil {
		return nil, err
	}
	if f.schedules, err = db.Schedules(ctx, org.ID); err != nil {
		return nil, err
	}
	if f.jobs, err = db.Jobs(ctx, org.ID); err != nil {
		return nil, err
	}
	if f.lifelines, err = db.Lifelines(ctx, org.ID); err != nil {
		return nil, err
	}
	if err := a.ofConnections(ctx, f); err != nil {
		return nil, err
	}
	for i := range f.open {
		r := &f.open[i]
		if r.State != roster.RunHeld && (r.State != roster.RunRunning || !r.Approval) { // one that applies what was approved may hold more
			continue
		}
		held, err := db.HeldActions(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		f.held(r, held)
	}
	tokens, err := db.Tokens(ctx, org.ID)
	if err != nil {
		return nil, err
	}
	for i := range tokens {
		f.ofToken(&tokens[i])
	}
	return f.out, a.pushes(ctx, f)
}

// ofConnections finds what holds of each connection. One that left the configuration and owns nothing is over.
func (a *Alerts) ofConnections(ctx context.Context, f *facts) error {
	for i := range f.connections {
		c := &f.connections[i]
		last, err := a.cfg.Store.LastRuns(ctx, f.org.ID, c.ID, runsLooked)
		if err != nil {
			return err
		}
		f.last[c.ID] = last
		over := false
		if c.State == roster.ConnectionDetached && c.Target == "" && c.Pinned == "" { // it left the configuration
			owned, _, err := a.cfg.Store.Owned(ctx, f.org.ID, c.ID)
			if err != nil {
				return err
			}
			over = owned == 0
		}
		if !over {
			f.ofConnection(c)
		}
	}
	return nil
}

// ofConnection finds what holds of one connection. What its runs did says nothing once it is detached.
func (f *facts) ofConnection(c *roster.Connection) {
	if c.State == roster.ConnectionDetached {
		f.detached(c)
		return
	}
	f.failing(c)
	f.partial(c)
	f.overdue(c)
	f.quarantine(c)
	f.stopped(c)
}

// add notes a condition of a connection.
func (f *facts) add(c *roster.Connection, kind roster.AlertKind, severity roster.Severity, title, text string, details map[string]any) {
	if details == nil {
		details = map[string]any{}
	}
	details["connection"] = c.Name
	f.out = append(f.out, roster.Condition{
		Kind: kind, SubjectType: "connection", SubjectID: c.ID, Subject: c.Name, Severity: severity, Title: title, Text: text, Details: details,
	})
}

func (f *facts) detached(c *roster.Connection) {
	f.add(c, roster.AlertConnectionDetached, roster.SeverityWarning, c.Name+" is detached",
		fmt.Sprintf("No run of the connection %s starts: it is detached, as %s. Pushes by its tokens go on.\n\n"+
			"See it:\n  rosterd connection list --org %s\n\nMend the configuration, or accept a new target:\n  rosterd connection rebind %s --org %s\n\n"+
			"If it is gone for good, make what it owned unclaimed:\n  rosterd connection release %s --org %s",
			c.Name, reasonOf(c), arg(f.org.Name), arg(c.Name), arg(f.org.Name), arg(c.Name), arg(f.org.Name)),
		map[string]any{"reason": c.DetachedReason})
}

func reasonOf(c *roster.Connection) string {
	if c.DetachedReason == "" {
		return "the log of the daemon says"
	}
	return c.DetachedReason
}

func (f *facts) failing(c *roster.Connection) {
	last := f.last[c.ID]
	n := 0
	for n < len(last) && last[n].State == roster.RunFailed {
		n++
	}
	if n == 0 || n < failuresTold && last[0].Fault != "bad_credentials" && last[0].Fault != "missing_permission" {
		return
	}
	r := &last[0]
	which := "The last run of the connection " + c.Name + " failed"
	if n > 1 {
		which = fmt.Sprintf("The last %d runs of the connection %s failed", n, c.Name)
	}
	f.add(c, roster.AlertRunFailing, roster.SeverityCritical, "runs fail on "+c.Name,
		fmt.Sprintf("%s. A %s run of %s says:\n\n%s\n\nUntil that is mended, nothing that pushes miss is repaired.\n\n"+
			"See the run:\n  rosterd runs show %s\n\nAsk the identity provider whether the settings work:\n  rosterd connection test %s --org %s",
			which, r.Mode, inUTC(r.FinishedAt), r.Error, r.ID, arg(c.Name), arg(f.org.Name)),
		map[string]any{"run": r.ID, "error": r.Error, "fault": r.Fault})
}

func (f *facts) partial(c *roster.Connection) {
	last := f.last[c.ID]
	if len(last) < partialTold {
		return
	}
	for _, r := range last[:partialTold] {
		short := r.State == roster.RunPartial || r.State == roster.RunHeld && r.Mode == roster.ModeFull && !r.Complete
		if !short {
			return
		}
	}
	r := &last[0]
	f.add(c, roster.AlertPullPartial, roster.SeverityWarning, fmt.Sprintf("the last %d runs of %s were not complete", partialTold, c.Name),
		fmt.Sprintf("The last %d runs of the connection %s ended partial: something was not read from the identity provider, or not applied. "+
			"What was not read is left as it is.\n\nSee what is missing:\n  rosterd runs show %s", partialTold, c.Name, r.ID),
		map[string]any{"run": r.ID})
}

// overdue finds a schedule that nobody keeps: a due time that passed without a run, or a run that nobody begins.
func (f *facts) overdue(c *roster.Connection) {
	if c.PausedAt(f.now) != nil || f.running(c.ID) {
		return
	}
	for i := range f.schedules {
		s := &f.schedules[i]
		if s.Connection != c.ID {
			continue
		}
		due := s.Next
		for _, r := range f.open {
			if r.Connection == c.ID && r.Mode == s.Mode && r.State == roster.RunQueued && (due.IsZero() || r.CreatedAt.Before(due)) {
				due = r.CreatedAt
			}
		}
		// One that was resumed or configured anew a moment ago is about to be asked for.
		late := s.LateAt(due)
		if late.IsZero() || f.now.Before(late) || f.now.Sub(c.UpdatedAt) < time.Minute {
			continue
		}
		f.add(c, roster.AlertRunOverdue, roster.SeverityWarning, "a "+string(s.Mode)+" run of "+c.Name+" is overdue",
			fmt.Sprintf("A %s run of the connection %s was due at %s and has not begun, though two more were due since. "+
				"Until it runs, nothing that pushes miss is repaired.\n\nSee what runs and what waits:\n  rosterd status\n  rosterd runs list --connection %s",
				s.Mode, c.Name, inUTC(due), arg(c.Name)),
			map[string]any{"mode": string(s.Mode), "due": due.UTC().Format(time.RFC3339), "schedule": s.Cron})
		return
	}
}

// running reports whether a run of a connection is under way.
func (f *facts) running(connection string) bool {
	for _, r := range f.open {
		if r.Connection == connection && r.State == roster.RunRunning {
			return true
		}
	}
	return false
}

// quarantine finds the IdP's own job in quarantine. What was read of another target says nothing.
func (f *facts) quarantine(c *roster.Connection) {
	j, known := f.jobs[c.ID]
	if !known || j.Quarantine == nil || j.Target != c.Target {
		return
	}
	q := j.Quarantine
	var text strings.Builder
	fmt.Fprintf(&text, "The identity provider has put the provisioning job of %s in quarantine: it sends almost nothing by itself.\n\nReason: %s", c.Name, q.Reason)
	if q.Message != "" {
		fmt.Fprintf(&text, ": %s", q.Message)
	}
	details := map[string]any{"reason": q.Reason}
	if !q.Since.IsZero() {
		fmt.Fprintf(&text, "\nSince: %s", inUTC(q.Since))
		details["since"] = q.Since.UTC().Format(time.RFC3339)
	}
	if !q.Next.IsZero() {
		fmt.Fprintf(&text, "\nNext attempt: %s", inUTC(q.Next))
		details["next_attempt"] = q.Next.UTC().Format(time.RFC3339)
	}
	if j.HoldsRemovals() {
		text.WriteString("\n\nThe identity provider holds removals back itself, so runs hold theirs for approval too.")
	} else {
		text.WriteString("\n\nMeanwhile runs repair what it does not send.")
	}
	fmt.Fprintf(&text, "\n\nSee the job:\n  rosterd connection show %s --org %s", arg(c.Name), arg(f.org.Name))
	f.add(c, roster.AlertQuarantine, roster.SeverityCritical, "the provisioning job of "+c.Name+" is in quarantine ("+q.Reason+")", text.String(), details)
}

// stopped finds that runs take the place of pushes that do not come. Where the IdP's job is in quarantine, that says it.
func (f *facts) stopped(c *roster.Connection) {
	l, on := f.lifelines[c.ID]
	if !on || l.Cause != roster.LifelineStopped {
		return
	}
	f.add(c, roster.AlertPushesStopped, roster.SeverityWarning, "the identity provider of "+c.Name+" has stopped sending",
		fmt.Sprintf("The identity provider of the connection %s has changes and sends none of them: %s\n\nSince: %s\n\n"+
			"Meanwhile runs repair what it does not send. Look at its provisioning job, and at what it was answered last:\n"+
			"  rosterd connection show %s --org %s\n  rosterd requests list --org %s --since 24h --status 4xx",
			c.Name, l.Reason, inUTC(l.Since), arg(c.Name), arg(f.org.Name), arg(f.org.Name)),
		map[string]any{"reason": l.Reason, "since": l.Since.UTC().Format(time.RFC3339)})
}

// held notes a plan that waits for approval; held has what it holds by class.
func (f *facts) held(r *roster.Run, held map[roster.Guarded]int) {
	removals, total := 0, 0
	for class, n := range held {
		total += n
		if class == roster.GuardMember || class == roster.GuardMembership || class == roster.GuardTeam {
			removals += n
		}
	}
	figure := counted(removals, "removal")
	if removals == 0 {
		figure = counted(total, "change")
	}
	var text strings.Builder
	fmt.Fprintf(&text, "A %s run of the connection %s found more to do than it may do unasked. It holds %s (%s in all) for approval:\n",
		r.Mode, r.ConnectionName, figure, counted(total, "action"))
	for _, l := range r.Held {
		fmt.Fprintf(&text, "\n- %s", l.Text)
	}
	fmt.Fprintf(&text, "\n\nWhat it does not hold was applied.\n\nSee the plan:\n  rosterd runs show %s\n\nApply it:\n  rosterd runs approve %s\n\nDrop it:\n  rosterd runs cancel %s",
		r.ID, r.ID, r.ID)
	details := map[string]any{"connection": r.ConnectionName, "run": r.ID, "mode": string(r.Mode), "limits": r.Held, "held": held, "removals": removals}
	if !r.FinishedAt.IsZero() {
		until := r.FinishedAt.Add(heldFor)
		fmt.Fprintf(&text, "\n\nWithout an answer it is dropped at %s.", inUTC(until))
		details["open_until"] = until.UTC().Format(time.RFC3339)
	}
	f.out = append(f.out, roster.Condition{
		Kind: roster.AlertRunHeld, SubjectType: "connection", SubjectID: r.Connection, Subject: r.ConnectionName, Of: r.ID,
		Severity: roster.SeverityWarning, Title: "run held on " + r.ConnectionName + " (" + figure + ")", Text: text.String(), Details: details,
	})
}

func (f *facts) ofToken(t *roster.Token) {
	if t.Disabled || t.ExpiresAt.IsZero() {
		return
	}
	c := roster.Condition{
		SubjectType: "token", SubjectID: t.ID, Subject: t.Name,
		Details: map[string]any{"token": t.Name, "token_id": t.ID, "expires_at": t.ExpiresAt.UTC().Format(time.RFC3339), "connection": t.ConnectionName},
	}
	name := clean(t.Name, mostSubject)
	renew := fmt.Sprintf("Make another one, give it to the identity provider, and delete this one once the other is in use:\n"+
		"  rosterd token create --org %s --name NAME --expires 90d\n  rosterd token delete %s --org %s", arg(f.org.Name), arg(t.ID), arg(f.org.Name))
	if t.Expired(f.now) {
		c.Kind, c.Severity, c.Replaces = roster.AlertTokenExpired, roster.SeverityCritical, roster.AlertTokenExpiring
		c.Title = "the SCIM token " + name + " has expired"
		c.Text = fmt.Sprintf("The SCIM token %q has expired at %s: pushes with it are refused.\n\n%s", name, inUTC(t.ExpiresAt), renew)
		f.out = append(f.out, c)
		return
	}
	step := t.WarningStep(f.now)
	if step == 0 {
		return
	}
	left, _ := t.DaysLeft(f.now)
	within := counted(left, "day")
	if left == 0 {
		within = "less than a day"
	}
	c.Kind, c.Severity, c.Step = roster.AlertTokenExpiring, roster.SeverityWarning, fmt.Sprint(step)
	c.Title = fmt.Sprintf("the SCIM token %s expires in %s", name, within)
	c.Text = fmt.Sprintf("The SCIM token %q expires at %s, in %s. From then on pushes with it are refused.\n\n%s", name, inUTC(t.ExpiresAt), within, renew)
	c.Details["days"] = left
	f.out = append(f.out, c)
}

// pushes finds the connections of which pushes alone took away more than a run may. Pushes are never refused by a guard.
func (a *Alerts) pushes(ctx context.Context, f *facts) error {
	off, err := a.cfg.Store.PushedOff(ctx, f.org.ID, f.now.Add(-pushWindow))
	if err != nil {
		return err
	}
	for i := range f.connections {
		c := &f.connections[i]
		n := off[c.ID]
		if n == 0 {
			continue
		}
		live, _, err := a.cfg.Store.Owned(ctx, f.org.ID, c.ID)
		if err != nil {
			return err
		}
		if !a.cfg.Crossed(c.ID, n, live+n) {
			continue
		}
		f.add(c, roster.AlertPushesCrossLimit, roster.SeverityCritical, fmt.Sprintf("pushes took %d of %d members of %s away within a day", n, live+n, c.Name),
			fmt.Sprintf("Within 24 hours pushes alone have deactivated or deleted %d of %d members of the connection %s. That is more than one of its runs "+
				"may do unasked. Pushes are never held, so this is done already.\n\nSee who it was, and which requests:\n"+
				"  rosterd events list --org %s\n  rosterd requests list --org %s --since 24h\n\n"+
				"If the identity provider is right, there is nothing to do.", n, live+n, c.Name, arg(f.org.Name), arg(f.org.Name)),
			map[string]any{"members": n, "of": live + n, "window": "24h"})
	}
	return nil
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// arg is a text as an argument of a shell command.
func arg(text string) string {
	plain := text != ""
	for _, r := range text {
		plain = plain && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.@", r))
	}
	if plain {
		return text
	}
	return "'" + strings.ReplaceAll(clean(text, mostSubject), "'", `'\''`) + "'"
}
