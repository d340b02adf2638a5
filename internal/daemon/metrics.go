package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/web"
	"github.com/rosterd/rosterd/scimserver"
)

const (
	// mostExpiries bounds the series of tokens. Where there are more, those that expire last have none.
	mostExpiries = 10_000
	// scrapeTime bounds what one reading of the metrics asks of the database; Prometheus itself waits 10 s.
	scrapeTime = 5 * time.Second
	// scrapesAtOnce is one for each of two servers that read, and two more.
	scrapesAtOnce = 4
)

// metrics are what Prometheus reads of one daemon. Label values are from fixed sets, but for the names of organisations and
// tokens, which operators give.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	refused   *prometheus.CounterVec
	runs      *runMetrics
	own       []prometheus.Collector // all that tell of rosterd itself
}

func newMetrics(version string, db *store.DB, orgs *orgNames) (*metrics, error) {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		runs:     newRunMetrics(orgs),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rosterd_scim_requests_total", Help: "SCIM requests that were answered; a bulk request is one.",
		}, []string{"method", "resource", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rosterd_scim_request_duration_seconds", Help: "How long SCIM requests took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .6, 1, 2.5, 5, 10, 30}, // Okta's test gives up at 0.6
		}, []string{"method", "resource"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rosterd_scim_tokens_refused_total", Help: "SCIM requests whose token was not taken.",
		}, []string{"reason"}),
	}
	for _, reason := range scimserver.RefusedReasons() { // so that the first refusal is an increase
		m.refused.WithLabelValues(reason)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rosterd_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version(), "database": db.Kind()},
	})
	build.Set(1)
	m.own = append(m.runs.all(), build, m.requests, m.durations, m.refused, newTokenExpiries(db), newGauges(db))
	all := append(slices.Clone(m.own), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for name, pool := range db.Pools() {
		all = append(all, collectors.NewDBStatsCollector(pool, name))
	}
	for _, c := range all {
		if err := m.registry.Register(c); err != nil {
			return nil, fmt.Errorf("register a metric: %w", err)
		}
	}
	return m, nil
}

// request counts a SCIM request.
func (m *metrics) request(method, resource string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, resource, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(method, resource).Observe(took.Seconds())
}

// tokenExpiries reads when tokens expire each time that it is asked: a token may be made or disabled by any replica.
type tokenExpiries struct {
	db   *store.DB
	desc *prometheus.Desc
}

func newTokenExpiries(db *store.DB) *tokenExpiries {
	return &tokenExpiries{db: db, desc: prometheus.NewDesc("rosterd_token_expires_timestamp_seconds",
		"When a SCIM token expires, or has, in seconds since 1970. A disabled one, and one that never expires, has none.",
		[]string{"organisation", "token"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *tokenExpiries) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect implements prometheus.Collector. Without an answer of the database the other metrics are still served.
func (c *tokenExpiries) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	expiries, err := c.db.TokenExpiries(ctx, mostExpiries)
	if err != nil {
		to <- prometheus.NewInvalidMetric(c.desc, err)
		return
	}
	for _, e := range expiries {
		metric, err := prometheus.NewConstMetric(c.desc, prometheus.GaugeValue, float64(e.ExpiresAt.Unix()), e.Organisation, e.Token)
		if err != nil {
			metric = prometheus.NewInvalidMetric(c.desc, err)
		}
		to <- metric
	}
}

// listenForMetrics takes the address of metrics_listen, if there is one.
func (d *Daemon) listenForMetrics(ctx context.Context) (err error) {
	address := d.opts.Config.MetricsListen
	if address == "" {
		return nil
	}
	if d.metricsAt, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err != nil {
		return fmt.Errorf("metrics_listen: listen on %s: %w", address, err)
	}
	d.log.Info("metrics are served", "url", d.MetricsURL())
	return nil
}

// MetricsURL is where Prometheus reads; "" without metrics_listen.
func (d *Daemon) MetricsURL() string {
	if d.metricsAt == nil {
		return ""
	}
	return "http://" + d.metricsAt.Addr().String() + "/metrics"
}

// metricsServer builds the server of the metrics; nil: there is none.
func (d *Daemon) metricsServer() *http.Server {
	if d.metricsAt == nil {
		return nil
	}
	log := d.log.With("part", "metrics")
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.observer.metrics.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
	}))
	return &http.Server{
		Handler: web.Recover(log, nil, mux), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
