package daemon

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/syncer"
)

// syncConfiguration brings organisations and connections in line with the configuration, and opens what they pull from.
func (d *Daemon) syncConfiguration(ctx context.Context) (map[string]syncer.Source, error) {
	if err := d.firstOrganisation(ctx); err != nil {
		return nil, err
	}
	orgs, err := d.organisations(ctx)
	if err != nil {
		return nil, err
	}
	entries := map[string][]*config.Connection{}
	for i := range d.opts.Config.Connections {
		c := &d.opts.Config.Connections[i]
		key := roster.Fold(c.Organisation)
		if _, ok := orgs[key]; !ok {
			org, err := d.createOrganisation(ctx, c.Organisation, false)
			if err != nil {
				return nil, err
			}
			orgs[key] = org
		}
		entries[orgs[key]] = append(entries[orgs[key]], c)
	}
	sources := map[string]syncer.Source{}
	for _, org := range orgs {
		if err := d.syncConnections(ctx, org, entries[org], sources); err != nil {
			return nil, err
		}
	}
	return sources, nil
}

func (d *Daemon) organisations(ctx context.Context) (map[string]string, error) {
	all, err := d.db.Organisations(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, o := range all {
		out[roster.Fold(o.Name)] = o.ID
	}
	return out, nil
}

// firstOrganisation makes the default organisation where there is none at all.
func (d *Daemon) firstOrganisation(ctx context.Context) error {
	all, err := d.db.Organisations(ctx)
	if err != nil || len(all) > 0 {
		return err
	}
	_, err = d.createOrganisation(ctx, DefaultOrganisation, true)
	return err
}

func (d *Daemon) createOrganisation(ctx context.Context, name string, scim bool) (string, error) {
	id := roster.NewID()
	_, err := d.commit(ctx, id, roster.OrgCreate{ID: id, Name: name, SCIM: scim})
	if roster.CodeOf(err) == roster.Conflict { // another replica was quicker
		org, err := d.db.Organisation(ctx, name)
		return org.ID, err
	}
	return id, err
}

// commit makes one change as the daemon itself.
func (d *Daemon) commit(ctx context.Context, org string, c roster.Change) (roster.Outcome, error) {
	cause := roster.Cause{Actor: roster.Actor{Kind: roster.ActorSystem, Name: "configuration"}, Reason: "the daemon started"}
	outs, err := d.roster.Commit(ctx, org, cause, []roster.Change{c})
	if err != nil {
		return roster.Outcome{}, err
	}
	if outs[0].Err != nil {
		return outs[0], outs[0].Err
	}
	return outs[0], nil
}

// syncConnections detaches what left the configuration, then brings its entries in.
func (d *Daemon) syncConnections(ctx context.Context, org string, entries []*config.Connection, sources map[string]syncer.Source) error {
	named := map[string]bool{}
	for _, e := range entries {
		named[e.Name] = true
	}
	stored, err := d.db.Connections(ctx, org)
	if err != nil {
		return err
	}
	for _, c := range stored {
		if named[c.Name] {
			continue
		}
		if _, err := d.commit(ctx, org, roster.ConnectionDetach{ID: c.ID, Reason: "it left the configuration"}); err != nil {
			return err
		}
	}
	for _, e := range entries {
		src, sync, err := d.open(e)
		if err != nil {
			return fmt.Errorf("connection %s of %s: %w", e.Name, e.Organisation, err)
		}
		out, err := d.commit(ctx, org, sync)
		if err != nil {
			return fmt.Errorf("connection %s of %s: %w", e.Name, e.Organisation, err)
		}
		if src != nil {
			sources[out.ID] = *src
		}
		if c := out.Connection; c != nil && c.State == roster.ConnectionDetached {
			d.log.Warn("the connection is detached: no run starts", "connection", c.Name, "reason", c.DetachedReason)
		}
		if w := e.Schedule; w != nil && w.Full == "" {
			d.log.Warn("the connection's schedule has no full run: what the identity provider never reports as a change is found by `rosterd resync` only",
				"connection", e.Name)
		}
	}
	return nil
}

// open makes of a connection's entry what it pulls from, and what is kept of it. A push-only one has no source.
func (d *Daemon) open(e *config.Connection) (*syncer.Source, roster.ConnectionSync, error) {
	sync := roster.ConnectionSync{
		Name: e.Name, Kind: roster.ConnectionKind(e.Kind), AdoptLocal: e.Policy.AdoptLocal == config.AdoptByEmail, Settle: e.Policy.Settle,
		Schedules: schedules(e.Schedule),
	}
	m, err := e.MappingOf()
	if err != nil {
		return nil, sync, err
	}
	openKind, known := openers()[sync.Kind]
	if !known {
		return nil, sync, fmt.Errorf("kind %s is not known", e.Kind)
	}
	is, err := openKind(e, m, way{&http.Client{Transport: d.transport(e)}, d.limits}, d.log.With("part", string(e.Kind), "connection", e.Name))
	if err != nil {
		return nil, sync, err
	}
	sync.Target = is.target
	if is.source == nil {
		return nil, sync, nil
	}
	sync.Settings, sync.Managed = m.Fingerprint()+is.scope, m.Managed()
	is.source.Match = e.Match
	is.source.Mapping, is.source.Delta, is.source.Deadline = m, deltas(e.Schedule), e.Policy.PullDeadline
	if e.Policy.DryRun && e.Schedule != nil && e.Schedule.Full != "" {
		sync.Schedules = slices.DeleteFunc(sync.Schedules, func(s roster.Schedule) bool { return s.Mode == roster.ModeDelta })
		is.source.Delta = false // each of its runs reads everything, so the full schedule says how often
	}
	if is.source.Delta {
		is.source.Lifeline = e.Schedule.Lifeline
	}
	is.source.DryRun, is.source.Policy, is.source.Limits = e.Policy.DryRun, e.Policy.Drift, limits(&e.Policy.Guards)
	return is.source, sync, nil
}

// deltas reports whether runs start by themselves, so that full ones take a cursor: for the deltas that are scheduled, and
// for those that look again at what a run left unsettled.
func deltas(c *config.Schedule) bool { return c != nil }

func schedules(c *config.Schedule) []roster.Schedule {
	if c == nil {
		return nil
	}
	var out []roster.Schedule
	for mode, cron := range map[roster.Mode]string{roster.ModeDelta: c.Delta, roster.ModeFull: c.Full} {
		if cron != "" {
			out = append(out, roster.Schedule{Mode: mode, Cron: cron, TimeZone: c.TimeZone, Jitter: c.Jitter, Blackout: c.Blackout})
		}
	}
	return out
}
