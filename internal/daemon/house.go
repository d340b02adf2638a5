package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

const (
	// tombstonesFor is how long it is remembered that a membership ended: longer than any run, or any held plan.
	tombstonesFor = 30 * 24 * time.Hour
	// dropAtOnce bounds what is dropped of an organisation in one round; the next one goes on.
	dropAtOnce = 50_000
)

// tidy gives the warnings of tokens that expire, and drops what has been kept for long enough. Any number of replicas may
// do so at once.
func (d *Daemon) tidy(ctx context.Context) {
	if err := d.warnOfTokens(ctx); err != nil && ctx.Err() == nil {
		d.log.Warn("look for tokens that expire", "error", err)
	}
	if err := d.dropOld(ctx); err != nil && ctx.Err() == nil {
		d.log.Warn("drop what is too old to be kept", "error", err)
	}
}

// warnOfTokens announces tokens some days before they expire, each time once: whoever commits the event says it.
func (d *Daemon) warnOfTokens(ctx context.Context) error {
	tokens, err := d.db.ExpiringTokens(ctx, roster.FirstWarning)
	if err != nil {
		return err
	}
	cause := roster.Cause{Actor: roster.Actor{Kind: roster.ActorSystem, Name: "rosterd"}}
	now, err := d.db.Now(ctx)
	if err != nil {
		return err
	}
	for i := range tokens {
		t := &tokens[i]
		if t.WarningDue(now) == 0 { // the commit asks again, under a lock
			continue
		}
		outs, err := d.roster.Commit(ctx, t.Org, cause, []roster.Change{roster.TokenWarn{ID: t.ID}})
		if err != nil {
			return err
		}
		if outs[0].Result == roster.Applied {
			d.log.LogAttrs(ctx, slog.LevelWarn, "a SCIM token expires soon", slog.String("organisation", t.Org),
				slog.String("token", t.Name), slog.Int("days", outs[0].Token.Warned), slog.Time("expires_at", t.ExpiresAt))
		}
	}
	return nil
}

// dropOld enforces the retention of the request log and of runs, and drops memberships that ended long ago.
func (d *Daemon) dropOld(ctx context.Context) error {
	orgs, err := d.db.Organisations(ctx)
	if err != nil {
		return err
	}
	now, err := d.db.Now(ctx)
	if err != nil {
		return err
	}
	keep, history := d.opts.Config.RequestLog, d.opts.Config.History
	for i := range orgs {
		requests, err := d.db.DropRequests(ctx, orgs[i].ID, now.Add(-keep.Keep), keep.MaxRows, dropAtOnce)
		if err != nil {
			return err
		}
		ended, err := d.db.DropTombstones(ctx, orgs[i].ID, now.Add(-tombstonesFor), dropAtOnce)
		if err != nil {
			return err
		}
		runs, err := d.db.DropHistory(ctx, orgs[i].ID, store.History{
			Runs: now.Add(-history.Runs), Actions: now.Add(-history.Actions), Least: history.MinRuns}, dropAtOnce)
		if err != nil {
			return err
		}
		if requests+ended+runs > 0 {
			d.log.LogAttrs(ctx, slog.LevelDebug, "dropped what was too old to be kept",
				slog.String("organisation", orgs[i].Name), slog.Int("requests", requests), slog.Int("memberships", ended), slog.Int("runs", runs))
		}
	}
	return nil
}
