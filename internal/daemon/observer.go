package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver"
	"github.com/rosterd/rosterd/syncer"
)

// driftKinds is the closed set.
func driftKinds() []roster.Kind {
	return []roster.Kind{
		roster.MissingMember, roster.RedundantSoftDelete, roster.OrphanedMember, roster.StaleMember, roster.StaleTeam,
		roster.MissingTeam, roster.OrphanedTeam, roster.MissingMembership, roster.ExtraMembership, roster.MissingKey,
		roster.ExtraKey, roster.ConflictKind,
	}
}

// observer tells metrics and traces what happens. A daemon that has neither has no observer, and nothing goes through one.
type observer struct {
	names   *orgNames
	metrics *metrics // nil: none are kept
	traces  *traces  // nil: none are made
}

var (
	_ syncer.Meter     = (*observer)(nil)
	_ scimserver.Meter = (*observer)(nil)
)

// phaseQueued is the wait before the phases of a run.
const phaseQueued = "queued"

// observe builds metrics and traces, where they are wanted, and the roster whose commits they see then.
func (d *Daemon) observe(ctx context.Context) (err error) {
	d.roster = roster.New(d.db)
	tracing := &d.opts.Config.Tracing
	if d.metricsAt == nil && !tracing.On() {
		return nil
	}
	o := &observer{names: &orgNames{db: d.db, known: map[string]string{}}}
	if d.metricsAt != nil {
		if o.metrics, err = newMetrics(d.opts.Version, d.db, o.names); err != nil {
			return err
		}
	}
	if tracing.On() {
		if o.traces, err = newTraces(ctx, tracing, d.opts.Version, d.log.With("part", "traces")); err != nil {
			return err
		}
		d.log = slog.New(tracedLog{d.log.Handler()})
	}
	d.observer = o
	d.roster = roster.New(&commits{o, d.db})
	return nil
}

// meter is what runs are told to; nil: nothing is.
func (d *Daemon) meter() syncer.Meter {
	if d.observer == nil {
		return nil
	}
	return d.observer
}

// pushMeter is likewise for pushes.
func (d *Daemon) pushMeter() scimserver.Meter {
	if d.observer == nil {
		return nil
	}
	return d.observer
}

// traced goes around everything that answers.
func (d *Daemon) traced(next http.Handler) http.Handler {
	if d.observer == nil || d.observer.traces == nil {
		return next
	}
	route := func(path string) (string, bool) { return d.scim.Route(path), d.scim.Serves(path) }
	return d.observer.traces.pushes(d.opts.Config.TrustedProxies, route, next)
}

// stopTraces sends what has not been sent.
func (d *Daemon) stopTraces(ctx context.Context) {
	if d.observer == nil || d.observer.traces == nil {
		return
	}
	if err := d.observer.traces.stop(ctx); err != nil {
		d.log.Warn("send the last traces", "error", err)
	}
}

// Request implements scimserver.Meter.
func (o *observer) Request(method, resource string, status int, took time.Duration) {
	if o.metrics != nil {
		o.metrics.request(method, resource, status, took)
	}
}

// Refused implements scimserver.Meter.
func (o *observer) Refused(reason string) {
	if o.metrics != nil {
		o.metrics.refused.WithLabelValues(reason).Inc()
	}
}

// Admitted implements scimserver.Meter.
func (o *observer) Admitted(ctx context.Context, organisation, token string) {
	if o.traces != nil {
		admitted(ctx, organisation, token)
	}
}

// Work implements syncer.Meter.
func (o *observer) Work(ctx context.Context, run *roster.Run, tookOver bool) (context.Context, []slog.Attr, func(error)) {
	switch {
	case o.metrics == nil:
	case tookOver:
		o.metrics.runs.tookOver(run)
	case !run.Approval && run.Mode != roster.ModeOne:
		o.metrics.runs.took(run, phaseQueued, run.Queued())
	}
	if o.traces == nil {
		return ctx, nil, func(error) {}
	}
	return o.traces.run(ctx, run, o.names.of(run.Org), tookOver)
}

// Phase implements syncer.Meter.
func (o *observer) Phase(ctx context.Context, run *roster.Run, phase string) (context.Context, func(time.Duration, error)) {
	end := func(time.Duration, error) {}
	if o.traces != nil {
		ctx, end = o.traces.phase(ctx, phase)
	}
	return ctx, func(took time.Duration, err error) {
		end(took, err)
		if o.metrics != nil {
			o.metrics.runs.took(run, phase, took)
		}
	}
}

// Ended implements syncer.Meter.
func (o *observer) Ended(run *roster.Run, found []store.Tally) {
	if o.metrics != nil {
		o.metrics.runs.ended(run, found)
	}
}

// transport is what a connection's requests go out by; nil: Go's default.
func (d *Daemon) transport(e *config.Connection) http.RoundTripper {
	if d.observer == nil {
		return d.opts.Transport
	}
	if d.observer.metrics != nil {
		d.observer.metrics.runs.declare(e.Organisation, e.Name)
	}
	next := connectors.BaseTransport(&http.Client{Transport: d.opts.Transport})
	return &transport{observer: d.observer, next: next, org: e.Organisation, connection: e.Name}
}

// transport measures what a connection asks, each try by itself.
type transport struct {
	*observer

	next            http.RoundTripper
	org, connection string
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	end := func(*http.Response) {}
	if t.traces != nil {
		req, end = t.traces.call(req, t.connection)
	}
	began := time.Now()
	res, err := t.next.RoundTrip(req)
	end(res)
	if t.metrics != nil {
		t.metrics.runs.called(t.org, t.connection, res, time.Since(began))
	}
	return res, err
}

// commits measures the transactions of a store.
type commits struct {
	*observer

	next roster.Store
}

// InTx implements roster.Store.
func (c *commits) InTx(ctx context.Context, fn func(roster.Tx) error) error {
	end := func(string) {}
	if c.traces != nil {
		ctx, end = c.traces.commit(ctx)
	}
	began := time.Now()
	err := c.next.InTx(ctx, fn)
	end(resultOf(err))
	if c.metrics != nil {
		c.metrics.runs.committed(resultOf(err), time.Since(began))
	}
	return err
}

// resultOf parts what a rule refused from what went wrong.
func resultOf(err error) string {
	var refused *roster.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refused):
		return "refused"
	}
	return "error"
}
