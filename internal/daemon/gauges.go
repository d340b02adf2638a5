package daemon

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// mostConnections bounds the series of connections.
const mostConnections = 2000

// gauges read how connections and the database stand each time that they are asked: every replica shows the same.
type gauges struct {
	db *store.DB

	queued, queuedSince, running, held, heldSince, parked, lastRun, lastComplete, lastFull, quarantined, waiting, size *prometheus.Desc
}

func newGauges(db *store.DB) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"organisation", "connection"}, labels...), nil)
	}
	return &gauges{
		db:          db,
		queued:      desc("rosterd_runs_queued", "Runs that wait for a worker."),
		queuedSince: desc("rosterd_runs_queued_since_timestamp_seconds", "When the run was asked for that has waited longest; none waits: no series."),
		running:     desc("rosterd_runs_running", "Runs that are worked off, or whose holder died and that are to be taken over."),
		held:        desc("rosterd_held_plans", "Held plans that are open."),
		heldSince:   desc("rosterd_held_plans_since_timestamp_seconds", "When the oldest open held plan was made; none is open: no series."),
		parked:      desc("rosterd_objects_parked", "Objects of the identity provider that no run could settle yet, and each tries again."),
		lastRun: desc("rosterd_connection_last_run_timestamp_seconds",
			"When a full or delta run last ended as done, partial or held."),
		lastComplete: desc("rosterd_connection_last_complete_run_timestamp_seconds", "When a full run last ended so that had read everything."),
		lastFull:     desc("rosterd_drift_last_full", "Differences that the last full run, or dry run, found, by kind.", "kind"),
		quarantined:  desc("rosterd_idp_job_quarantined", "1: the identity provider's own job was in quarantine when a run last looked; no job is known: no series."),
		waiting:      prometheus.NewDesc("rosterd_events_waiting", "Change events that have no number yet, and are not in the feed.", nil, nil),
		size:         prometheus.NewDesc("rosterd_database_size_bytes", "How large the database is.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.queued, g.queuedSince, g.running, g.held, g.heldSince, g.parked, g.lastRun, g.lastComplete, g.lastFull, g.quarantined, g.waiting, g.size} {
		to <- d
	}
}

// Collect implements prometheus.Collector. Without an answer of the database the other metrics are still served.
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		metric, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, v, labels...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(d, err)
		}
		to <- metric
	}
	if n, err := g.db.EventsWaiting(ctx); err == nil {
		send(g.waiting, float64(n))
	} else {
		to <- prometheus.NewInvalidMetric(g.waiting, err)
	}
	if n, err := g.db.Size(ctx); err == nil {
		send(g.size, float64(n))
	} else {
		to <- prometheus.NewInvalidMetric(g.size, err)
	}
	all, err := g.db.Gauges(ctx, mostConnections)
	if err != nil {
		to <- prometheus.NewInvalidMetric(g.queued, err)
		return
	}
	for i := range all {
		c := &all[i]
		since := func(d *prometheus.Desc, t time.Time) {
			if !t.IsZero() {
				send(d, float64(t.UnixMilli())/1000, c.Organisation, c.Connection)
			}
		}
		send(g.queued, float64(c.Queued), c.Organisation, c.Connection)
		send(g.running, float64(c.Running), c.Organisation, c.Connection)
		send(g.held, float64(c.Held), c.Organisation, c.Connection)
		send(g.parked, float64(c.Parked), c.Organisation, c.Connection)
		since(g.queuedSince, c.QueuedSince)
		since(g.heldSince, c.HeldSince)
		since(g.lastRun, c.LastRun)
		since(g.lastComplete, c.LastComplete)
		if c.Job != nil {
			in := 0.0
			if c.Job.State == roster.JobQuarantined {
				in = 1
			}
			send(g.quarantined, in, c.Organisation, c.Connection)
		}
		if c.LastFull == nil {
			continue
		}
		for _, kind := range driftKinds() {
			send(g.lastFull, float64(c.LastFull[kind]), c.Organisation, c.Connection, string(kind))
		}
	}
}
