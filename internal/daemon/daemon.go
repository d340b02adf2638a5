// Package daemon is the composition root: it builds every part from the configuration, starts and stops them in order,
// and serves.
package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/alerts"
	"github.com/rosterd/rosterd/internal/api"
	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/web"
	"github.com/rosterd/rosterd/scimserver"
	"github.com/rosterd/rosterd/syncer"
)

// Options says what a daemon is built from.
type Options struct {
	Config    *config.Config
	Version   string
	Out       io.Writer // what a person reads at the start
	Log       *slog.Logger
	Transport http.RoundTripper // under the connectors; nil: Go's default
}

// DefaultOrganisation is made at the first start, with SCIM switched on.
const DefaultOrganisation = "default"

// drainTime is how long open requests may take to finish after SIGTERM.
const drainTime = 25 * time.Second

// Daemon is one rosterd. New makes it ready and listening, Run serves until its context ends.
type Daemon struct {
	opts      Options
	log       *slog.Logger
	db        *store.DB
	roster    *roster.Roster
	syncer    *syncer.Syncer
	limits    *connectors.Limits
	alerts    *alerts.Alerts
	scim      *scimserver.Server
	listener  net.Listener
	socket    net.Listener
	metricsAt net.Listener   // nil without metrics_listen
	observer  *observer      // nil: nothing is measured
	servers   []*http.Server // one for each of listeners
	draining  atomic.Bool
}

// Run builds a daemon and serves until the context ends; it returns nil after a clean stop.
func Run(ctx context.Context, opts Options) error {
	d, err := New(ctx, opts)
	if err != nil {
		return err
	}
	d.greet()
	return d.Run(ctx)
}

// New opens the database, brings what is stored in line with the configuration, and listens. Whoever calls it must call
// Run, which releases everything.
func New(ctx context.Context, opts Options) (_ *Daemon, err error) {
	d := &Daemon{opts: opts, log: opts.Log, limits: connectors.NewLimits()}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	c := opts.Config
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	// The socket comes first: it is also what keeps two daemons off one data directory.
	if d.socket, err = api.ListenUnix(client.SocketPath(c.DataDir)); err != nil {
		return nil, err
	}
	if d.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	if err := d.listenForMetrics(ctx); err != nil {
		return nil, err
	}
	if d.db, err = store.Open(ctx, c.DatabaseURL.Reveal(), c.DataDir, d.log); err != nil {
		return nil, err
	}
	if d.db.Kind() == "sqlite" {
		if err := d.db.FreeLeases(ctx); err != nil {
			return nil, err
		}
	}
	if err := d.observe(ctx); err != nil {
		return nil, err
	}
	sources, err := d.syncConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	if d.alerts, err = d.buildAlerts(sources); err != nil {
		return nil, err
	}
	d.syncer, err = syncer.New(syncer.Config{
		Store: d.db, Roster: d.roster, Sources: sources, Log: d.log.With("part", "syncer"), Holder: holder(), Meter: d.meter(),
		Ended: d.alerts.Wake,
	})
	if err != nil {
		return nil, err
	}
	return d, d.route()
}

func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// listeners are what is served, in the order of servers. The metrics come last: they can be read until all else has
// drained.
func (d *Daemon) listeners() []net.Listener {
	all := []net.Listener{d.listener, d.socket}
	if d.metricsAt != nil {
		all = append(all, d.metricsAt)
	}
	return all
}

// route builds the servers: TCP for IdPs and API keys, the socket for the operator of this machine, and that of the metrics.
func (d *Daemon) route() (err error) {
	extensions, err := ownSchemas(d.opts.Config.Organisations)
	if err != nil {
		return err
	}
	d.scim, err = scimserver.New(scimserver.Config{
		Roster: d.roster, Store: d.db, Log: d.log.With("part", "scim"), PublicURL: d.opts.Config.PublicURL,
		SkipReads: !d.opts.Config.RequestLog.Reads, Extensions: extensions, Meter: d.pushMeter(),
	})
	if err != nil {
		return err
	}
	management := api.New(api.Config{
		Roster: d.roster, Store: d.db, Runs: d.syncer, Log: d.log.With("part", "api"), Version: d.opts.Version,
		PublicURL: d.URL(), Alerts: d.alerts,
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", d.ready)
	management.Mount(mux)
	// The mux would redirect an IdP's //Users, which no IdP follows for a POST: SCIM gets its requests before it.
	root := web.Proxies(d.opts.Config.TrustedProxies).Before(d.traced(web.Floor(d.log.With("part", "http"), d.scim.Before(mux))))
	for _, h := range []http.Handler{root, api.Trusted(root)} {
		d.servers = append(d.servers, &http.Server{
			Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
			ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
		})
	}
	for _, s := range d.servers {
		s.RegisterOnShutdown(management.EndStreams)
	}
	if s := d.metricsServer(); s != nil {
		d.servers = append(d.servers, s)
	}
	return nil
}

func (d *Daemon) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	switch {
	case d.draining.Load():
		http.Error(w, "stopping", http.StatusServiceUnavailable)
	case d.db.Ping(ctx) != nil:
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
	default:
		_, _ = io.WriteString(w, "ready\n")
	}
}

// URL is where the daemon is reached: public_url, or the address it listens on.
func (d *Daemon) URL() string {
	if u := d.opts.Config.PublicURL; u != "" {
		return strings.TrimSuffix(u, "/")
	}
	return d.LocalURL()
}

// LocalURL is the address that the daemon listens on.
func (d *Daemon) LocalURL() string { return "http://" + d.listener.Addr().String() }

// SCIMBaseURL is what an IdP is given as its tenant URL.
func (d *Daemon) SCIMBaseURL() string { return d.URL() + "/service/v1/scim/v2" }

// Digest is a digest of every row of an organisation that a run could change. Two that are equal show that nothing was
// written in between.
func (d *Daemon) Digest(ctx context.Context, organisation string) (string, error) {
	org, err := d.db.Organisation(ctx, organisation)
	if err != nil {
		return "", err
	}
	rows, err := d.db.Dump(ctx, org.ID)
	sum := sha256.Sum256([]byte(rows))
	return hex.EncodeToString(sum[:]), err
}

// Run serves until the context ends, then drains: open requests finish, a run in progress stops at a safe point and is
// redone later.
func (d *Daemon) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var parts sync.WaitGroup
	parts.Go(func() { d.number(background) })
	parts.Go(func() { d.keepHouse(background) })
	parts.Go(func() { d.scim.KeepLog(background) })
	d.syncer.Start(background)
	d.alerts.Start(background)

	failed := make(chan error, len(d.servers))
	for i, l := range d.listeners() {
		parts.Go(func() {
			if err := d.servers[i].Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve on %s: %w", l.Addr(), err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	d.draining.Store(true)
	d.log.Info("stopping: open requests finish, a run stops at its next safe point")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	for _, s := range d.servers {
		if e := s.Shutdown(drain); e != nil {
			err = errors.Join(err, fmt.Errorf("finish the open requests: %w", e))
		}
	}
	d.syncer.Stop()
	d.alerts.Stop()
	stop()
	parts.Wait()
	if e := d.scim.FlushUsed(drain); e != nil {
		d.log.Warn("note when tokens were used", "error", e)
	}
	d.stopTraces(drain)
	d.close()
	return err
}

func (d *Daemon) close() {
	for _, l := range []net.Listener{d.listener, d.socket, d.metricsAt} {
		if l != nil {
			_ = l.Close()
		}
	}
	if d.db != nil {
		if err := d.db.Close(); err != nil {
			d.log.Warn("close the database", "error", err)
		}
	}
}

// number is the sequencer: it numbers and chains change events after they were committed.
func (d *Daemon) number(ctx context.Context) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := d.db.NumberEvents(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.Warn("number the events", "error", err)
		}
		if n > 0 && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// heldFor is how long a held plan stays open.
const heldFor = 7 * 24 * time.Hour

// keepHouse does what is due each minute.
func (d *Daemon) keepHouse(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if err := d.scim.FlushUsed(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("note when tokens were used", "error", err)
		}
		now, err := d.db.Now(ctx)
		if err == nil {
			err = d.db.ExpireHeld(ctx, now.Add(-heldFor))
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("expire held plans", "error", err)
		}
		if err := d.syncer.WatchPushes(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("watch the pushes", "error", err)
		}
		d.tidy(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// greet prints where IdPs push to and how to make a token, and warns of an address that no IdP can reach.
func (d *Daemon) greet() {
	dir := ""
	if d.opts.Config.DataDir != config.DefaultDataDir {
		dir = " --data-dir " + d.opts.Config.DataDir
	}
	_, _ = fmt.Fprintf(d.opts.Out, `rosterd %s, %s
  SCIM base URL   %s
  make a token    rosterd token create --org %s --name NAME --expires 90d%s
  see members     rosterd members list --org %s%s
`, d.opts.Version, d.db.Kind(), d.SCIMBaseURL(), DefaultOrganisation, dir, DefaultOrganisation, dir)
	public := d.opts.Config.PublicURL
	u, err := url.Parse(public)
	switch {
	case public == "":
		d.log.Warn("public_url is not set: no identity provider can reach this address; set it to the https URL under which rosterd is reached",
			"listening", d.LocalURL())
	case err != nil || u.Scheme != "https":
		d.log.Warn("public_url is not https: identity providers refuse it, and tokens would travel in the clear", "public_url", public)
	}
}
