package daemon

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// runMetrics are what is counted of runs, of what connections ask their identity providers, and of the database's commits.
// Organisation and connection are names.
type runMetrics struct {
	names     *orgNames
	runs      *prometheus.CounterVec
	phases    *prometheus.HistogramVec
	found     *prometheus.CounterVec
	actions   *prometheus.CounterVec
	takeovers *prometheus.CounterVec
	calls     *prometheus.CounterVec
	callTimes *prometheus.HistogramVec
	waits     *prometheus.CounterVec
	commits   *prometheus.HistogramVec
}

func newRunMetrics(orgs *orgNames) *runMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"organisation", "connection"}, labels...))
	}
	return &runMetrics{
		names: orgs,
		runs:  counter("rosterd_runs_total", "Runs that ended, by mode and state; a held one ends again once it is approved.", "mode", "state"),
		phases: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rosterd_run_phase_duration_seconds", Help: "How long runs waited in the queue (queued) and took in each phase.",
			Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600},
		}, []string{"organisation", "connection", "mode", "phase"}),
		found: counter("rosterd_drift_found_total", "Differences that runs found, by kind and what is to be done; dry runs are left out.",
			"kind", "action"),
		actions: counter("rosterd_run_actions_total", "Actions of runs that ended, by what became of them; dry runs are left out.",
			"kind", "state"),
		takeovers: counter("rosterd_run_takeovers_total", "Runs that were taken over from a holder that stopped, died or lost its lease."),
		calls: counter("rosterd_idp_requests_total",
			"Requests to identity providers, every try counted, by class of status; 429 apart; error: no answer came.", "code"),
		callTimes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rosterd_idp_request_duration_seconds", Help: "How long identity providers took to begin an answer.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"organisation", "connection"}),
		waits: counter("rosterd_idp_retry_after_seconds_total", "How long identity providers asked to be left alone, by Retry-After."),
		commits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rosterd_database_commit_duration_seconds", Help: "How long the transactions of pushes, runs and operators took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"result"}),
	}
}

func (m *runMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.runs, m.phases, m.found, m.actions, m.takeovers, m.calls, m.callTimes, m.waits, m.commits}
}

// declare makes the series of a connection that alerts look at, so that what happens first is an increase.
func (m *runMetrics) declare(org, connection string) {
	for _, mode := range []roster.Mode{roster.ModeFull, roster.ModeDelta} {
		for _, state := range []roster.RunState{roster.RunDone, roster.RunPartial, roster.RunHeld, roster.RunFailed, roster.RunCancelled} {
			m.runs.WithLabelValues(org, connection, string(mode), string(state))
		}
	}
	for _, code := range []string{"2xx", "4xx", "429", "5xx", "error"} {
		m.calls.WithLabelValues(org, connection, code)
	}
	m.waits.WithLabelValues(org, connection)
	m.takeovers.WithLabelValues(org, connection)
}

// took counts a phase of a run.
func (m *runMetrics) took(run *roster.Run, phase string, took time.Duration) {
	m.phases.WithLabelValues(m.names.of(run.Org), run.ConnectionName, string(run.Mode), phase).Observe(took.Seconds())
}

// ended counts a run and what it found.
func (m *runMetrics) ended(run *roster.Run, tallies []store.Tally) {
	org, conn := m.names.of(run.Org), run.ConnectionName
	m.runs.WithLabelValues(org, conn, string(run.Mode), string(run.State)).Inc()
	if run.Mode == roster.ModeDry {
		return
	}
	for _, t := range tallies {
		// What is still planned was not come to, or only looked at, and is found again.
		if t.Kind == roster.LinkKind || t.State == roster.ActionPlanned {
			continue
		}
		m.actions.WithLabelValues(org, conn, string(t.Kind), string(t.State)).Add(float64(t.N))
		if run.Approver == "" { // what was approved was counted when it was found
			m.found.WithLabelValues(org, conn, string(t.Kind), string(t.Action)).Add(float64(t.N))
		}
	}
}

// tookOver counts a run that another holder had begun.
func (m *runMetrics) tookOver(run *roster.Run) {
	m.takeovers.WithLabelValues(m.names.of(run.Org), run.ConnectionName).Inc()
}

// called counts one request to an identity provider.
func (m *runMetrics) called(org, connection string, res *http.Response, took time.Duration) {
	m.calls.WithLabelValues(org, connection, statusClass(res)).Inc()
	m.callTimes.WithLabelValues(org, connection).Observe(took.Seconds())
	if res == nil || (res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable) {
		return
	}
	if n, err := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 31); err == nil {
		m.waits.WithLabelValues(org, connection).Add(float64(n))
	}
}

func statusClass(res *http.Response) string {
	switch {
	case res == nil:
		return "error"
	case res.StatusCode == http.StatusTooManyRequests:
		return "429"
	case res.StatusCode < 100 || res.StatusCode > 599:
		return "other"
	}
	return strconv.Itoa(res.StatusCode/100) + "xx"
}

// committed counts a transaction.
func (m *runMetrics) committed(result string, took time.Duration) {
	m.commits.WithLabelValues(result).Observe(took.Seconds())
}

// orgNames remembers the names of organisations, which don't change.
type orgNames struct {
	db    *store.DB
	mu    sync.Mutex
	known map[string]string
}

// of is an organisation's name, or its id if that can't be found out now.
func (o *orgNames) of(id string) string {
	o.mu.Lock()
	name, known := o.known[id]
	o.mu.Unlock()
	if known {
		return name
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	org, err := o.db.Organisation(ctx, id)
	if err != nil {
		return id
	}
	o.mu.Lock()
	o.known[id] = org.Name
	o.mu.Unlock()
	return org.Name
}
