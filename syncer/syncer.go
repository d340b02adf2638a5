// Package syncer decides when and where runs happen: it asks for those that are due, claims queued runs by a lease, pulls
// into staging, has the planner judge what differs, holds the plan against the guard, applies it in batches, and writes
// down what came of it.
package syncer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/reconcile"
)

// Source is what a connection pulls from.
type Source struct {
	Reader   connectors.Reader
	Mapping  mapping.Mapping
	Match    []string // the rules of a first link that the connection uses; empty: all
	Evidence string   // what evidence is said to come from: "graph", "okta", "scim"
	// Delta: the connection has a schedule, so a full run is to leave a cursor for the deltas that come after it.
	Delta bool
	// RestartJob: a job of the IdP's own that is in quarantine is restarted once its cause is gone, at most once in this
	// time; 0: never.
	RestartJob time.Duration
	// Lifeline is how often a delta runs while runs take the place of pushes; 0: no more often than the schedule says.
	Lifeline time.Duration
	// Deadline is how long a run may read everything; a delta has a twelfth of it. 0: 6 hours.
	Deadline time.Duration
	// Policy says what runs do with each kind of drift, and Limits what they may do unasked; nil: the syncer's own limits.
	Policy reconcile.Policy
	Limits *reconcile.Limits
	// DryRun: every run of the connection is a dry one.
	DryRun bool
}

// limits are the guards of one connection.
func (s *Syncer) limits(src *Source) reconcile.Limits {
	if src.Limits != nil {
		return *src.Limits
	}
	return s.cfg.Limits
}

// Config says what a Syncer works with.
type Config struct {
	Store   *store.DB
	Roster  *roster.Roster
	Sources map[string]Source // by connection id
	Log     *slog.Logger
	Holder  string           // names this process in leases
	Limits  reconcile.Limits // zero: the defaults
	Workers int              // runs at once; 0: 2
	Lease   time.Duration    // how long a lease lasts without being renewed; 0: 15 s
	Poll    time.Duration    // how often a worker looks for runs that nobody told it of; 0: 1 s
	// Calls bounds a run's calls to the IdP, Looks those of its objects that are looked at a second time; 0: the defaults.
	Calls, Looks int
	// Batch is how many changes one commit carries; 0: 1000.
	Batch int
	One   time.Duration // how long the resync of one person may take; 0: 90 s
	// FollowUp is the least time after which what a run left unsettled is looked at again, where settle is shorter; 0: 1 min.
	FollowUp time.Duration
	Meter    Meter // nil: nothing is measured
	// Ended is called when a run that was worked here has ended or was given back; nil: nobody is told. It must not block.
	Ended func()
}

// Syncer works runs off.
type Syncer struct {
	cfg  Config
	wake chan struct{}

	mu      sync.Mutex
	cancel  context.CancelFunc
	done    sync.WaitGroup
	stopped bool
	warned  map[string]time.Time // by connection: when WatchPushes last warned of it
}

// ErrStopped is why a run stops when the daemon does: it is given back and redone later.
var ErrStopped = errors.New("the daemon is stopping")

var errCancelled = errors.New("cancelled")

// New returns a Syncer. It does nothing until Start.
func New(cfg Config) (*Syncer, error) {
	if cfg.Limits == (reconcile.Limits{}) {
		cfg.Limits = reconcile.DefaultLimits()
	}
	if err := cfg.Limits.Validate(); err != nil {
		return nil, fmt.Errorf("the guard's limits: %w", err)
	}
	for id, src := range cfg.Sources {
		if src.Limits == nil {
			continue
		}
		if err := src.Limits.Validate(); err != nil {
			return nil, fmt.Errorf("the guard's limits of connection %s: %w", id, err)
		}
	}
	for _, d := range []struct {
		v *int
		n int
	}{{&cfg.Workers, 2}, {&cfg.Calls, 200_000}, {&cfg.Looks, 2000}, {&cfg.Batch, 1000}} {
		if *d.v == 0 {
			*d.v = d.n
		}
	}
	if cfg.Meter == nil {
		cfg.Meter = unmetered{}
	}
	if cfg.Lease == 0 {
		cfg.Lease = 15 * time.Second
	}
	if cfg.Poll == 0 {
		cfg.Poll = time.Second
	}
	if cfg.One == 0 {
		cfg.One = 90 * time.Second
	}
	if cfg.FollowUp == 0 {
		cfg.FollowUp = time.Minute
	}
	return &Syncer{cfg: cfg, wake: make(chan struct{}, 1), warned: map[string]time.Time{}}, nil
}

// Start starts the workers and the scheduler. A second call, or one after Stop, does nothing.
func (s *Syncer) Start(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil || s.stopped {
		return
	}
	ctx, s.cancel = context.WithCancel(ctx)
	for range s.cfg.Workers {
		s.done.Go(func() { s.work(ctx) })
	}
	s.done.Go(func() { s.schedule(ctx) })
}

// Stop stops both and waits for them: a run in progress stops at its next safe point and is given back.
func (s *Syncer) Stop() {
	s.mu.Lock()
	s.stopped = true
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	s.done.Wait()
}

// Wake tells the workers that a run was queued or approved.
func (s *Syncer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// work claims runs, one after another, until the context ends.
func (s *Syncer) work(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		if s.WorkOne(ctx) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// WorkOne claims one run and works it off, in the caller's goroutine; it reports whether there was one.
func (s *Syncer) WorkOne(ctx context.Context) bool {
	run, err := s.cfg.Store.ClaimRun(ctx, s.cfg.Holder, s.cfg.Lease)
	if err != nil {
		if ctx.Err() == nil {
			s.cfg.Log.Error("claim a run", "error", err)
		}
		return false
	}
	if run == nil {
		return false
	}
	s.Wake() // there may be more for the other workers
	w := &worker{Syncer: s, run: run, log: s.cfg.Log.With("run", run.ID, "connection", run.ConnectionName)}
	w.work(ctx)
	if s.cfg.Ended != nil {
		s.cfg.Ended()
	}
	return true
}

// source returns what a connection is read by.
func (s *Syncer) source(connection string) (Source, error) {
	src, ok := s.cfg.Sources[connection]
	if !ok {
		return Source{}, roster.Errorf(roster.Conflict, "the connection has no entry in the configuration that this daemon was started with")
	}
	return src, nil
}

// Test checks that a connection's credentials work and that every permission a pull needs is granted.
func (s *Syncer) Test(ctx context.Context, _ string, connection string) (string, error) {
	src, err := s.source(connection)
	if err != nil {
		return "", err
	}
	tester, ok := src.Reader.(connectors.Tester)
	if !ok {
		return "", roster.Errorf(roster.Invalid, "this kind of connection can't be tested")
	}
	if err := tester.Test(connectors.OnceAsked(ctx)); err != nil {
		return "", roster.Errorf(roster.Unavailable, "%s", explain(err))
	}
	return strings.Join(append([]string{"the credentials work, and every permission that a pull needs is granted"}, jobGaps(ctx, src.Reader)...), ". "), nil
}

// explain returns an error's words for a person. Errors of connectors are made for that and hold no secret.
func explain(err error) string {
	var ce *connectors.Error
	if errors.As(err, &ce) {
		return ce.Error()
	}
	return err.Error()
}
