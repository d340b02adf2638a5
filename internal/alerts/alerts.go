// Package alerts tells operators what needs them: it looks at what holds (a plan waits for approval, runs fail, a token
// expires), keeps an alert of each, and sends what is new of them to the configured channels. Alerts are worked out from
// what is stored, again and again, so that a crash loses none and any number of replicas tells of each once.
package alerts

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

const (
	// firstLook leaves the scheduler the time to ask for what was missed while no daemon ran.
	firstLook = 15 * time.Second
	// lookEvery is how often it is looked at what holds, besides after each run.
	lookEvery = time.Minute
	// sendEvery is how often a channel looks for what is due, besides after each look.
	sendEvery = 5 * time.Second
	// sendTime bounds one attempt, and lease how long it keeps others from the same one.
	sendTime = 30 * time.Second
	lease    = 2 * time.Minute
	// tryFor is how long a delivery is tried, at first after leastWait, then after twice as long each time.
	tryFor    = 24 * time.Hour
	leastWait = 30 * time.Second
	mostWait  = time.Hour
	// tidyEvery is how often what is too old is dropped.
	tidyEvery = time.Hour
	// keepFor is how long an alert that has ended is kept.
	keepFor = 90 * 24 * time.Hour
)

// Channel is a way to tell people.
type Channel interface {
	// Name is the channel's in the configuration.
	Name() string
	// Send tells one message. Its error is shown to operators and holds no secret.
	Send(ctx context.Context, m Message) error
}

// Config says what Alerts works with.
type Config struct {
	Store    *store.DB
	Log      *slog.Logger
	Channels []Channel
	Remind   time.Duration // how often an open alert is told of again; 0: never
	// Crossed reports whether removing so many of the members that a connection had crosses the limit of its runs.
	Crossed func(connection string, removed, had int) bool
	// Now is the time that all is judged by; nil: the database's.
	Now func(ctx context.Context) (time.Time, error)
}

// Alerts looks at what holds, and tells of it.
type Alerts struct {
	cfg  Config
	look chan struct{}   // wakes the look
	send []chan struct{} // wakes each channel

	mu      sync.Mutex
	cancel  context.CancelFunc
	done    sync.WaitGroup
	stopped bool
	tidied  time.Time // when what is too old was last dropped
}

// New returns an Alerts. It does nothing until Start.
func New(cfg Config) *Alerts {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = cfg.Store.Now
	}
	if cfg.Crossed == nil {
		cfg.Crossed = func(string, int, int) bool { return false }
	}
	a := &Alerts{cfg: cfg, look: make(chan struct{}, 1)}
	for range cfg.Channels {
		a.send = append(a.send, make(chan struct{}, 1))
	}
	return a
}

// Start starts looking and sending. A second call, or one after Stop, does nothing.
func (a *Alerts) Start(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cancel != nil || a.stopped {
		return
	}
	ctx, a.cancel = context.WithCancel(ctx)
	a.done.Go(func() { a.keepLooking(ctx) })
	for i := range a.cfg.Channels {
		a.done.Go(func() { a.keepSending(ctx, i) })
	}
}

// Stop stops both and waits for them. What was under way is tried again later, by whoever runs then.
func (a *Alerts) Stop() {
	a.mu.Lock()
	a.stopped = true
	if a.cancel != nil {
		a.cancel()
	}
	a.mu.Unlock()
	a.done.Wait()
}

// Wake has it looked at what holds now: a run has ended.
func (a *Alerts) Wake() { wake(a.look) }

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (a *Alerts) keepLooking(ctx context.Context) {
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-a.look:
		}
		if err := a.Look(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Log.Error("look for alerts", "error", err)
		}
		for _, c := range a.send {
			wake(c)
		}
		timer.Reset(lookEvery)
	}
}

func (a *Alerts) keepSending(ctx context.Context, channel int) {
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	for {
		if err := a.deliver(ctx, a.cfg.Channels[channel]); err != nil && ctx.Err() == nil {
			a.cfg.Log.Error("deliver alerts", "channel", a.cfg.Channels[channel].Name(), "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.send[channel]:
		}
	}
}

// Look looks once at what holds in each organisation, and opens, keeps and resolves alerts accordingly.
func (a *Alerts) Look(ctx context.Context) error {
	orgs, err := a.cfg.Store.Organisations(ctx)
	if err != nil {
		return err
	}
	for i := range orgs {
		if err := a.lookAt(ctx, &orgs[i]); err != nil {
			return fmt.Errorf("look for alerts of organisation %s: %w", orgs[i].Name, err)
		}
	}
	return a.tidy(ctx, orgs)
}

// lookAt looks at one organisation. Where nothing holds and nothing did, it writes nothing.
func (a *Alerts) lookAt(ctx context.Context, org *roster.Organisation) error {
	quiet, err := a.quiet(ctx, org)
	if err != nil || quiet {
		return err
	}
	look, err := a.cfg.Store.BeginLook(ctx, org.ID)
	if err != nil {
		return err
	}
	now, err := a.cfg.Now(ctx)
	if err != nil {
		return err
	}
	holds, err := a.conditions(ctx, org, now)
	if err != nil {
		return err
	}
	rules := roster.AlertRules{Channels: a.channels(), Remind: a.cfg.Remind}
	var was map[string]roster.AlertState
	var changes roster.AlertChanges
	counted, err := a.cfg.Store.UpdateAlerts(ctx, org.ID, look, now.Add(-roster.AlertFlap), func(known []roster.Alert) roster.AlertChanges {
		was = make(map[string]roster.AlertState, len(known))
		for i := range known {
			was[known[i].ID] = known[i].State
		}
		changes = rules.Judge(org.ID, known, holds, now)
		return changes
	})
	if err != nil || !counted {
		return err
	}
	for i := range changes.Alerts {
		c := &changes.Alerts[i]
		log := a.cfg.Log.With("organisation", org.Name, "kind", c.Kind, "subject", c.Subject, "alert", c.ID)
		switch {
		case was[c.ID] == c.State:
		case c.State == roster.AlertOpen:
			log.Warn("an alert is open", "title", c.Title)
		default:
			log.Info("an alert is resolved", "title", c.Title)
		}
	}
	return nil
}

func (a *Alerts) quiet(ctx context.Context, org *roster.Organisation) (bool, error) {
	open, err := a.cfg.Store.Alerts(ctx, org.ID, false)
	if err != nil || len(open) > 0 {
		return false, err
	}
	now, err := a.cfg.Now(ctx)
	if err != nil {
		return false, err
	}
	holds, err := a.conditions(ctx, org, now)
	return len(holds) == 0, err
}

// tidy drops what is too old of all organisations, once in a while.
func (a *Alerts) tidy(ctx context.Context, orgs []roster.Organisation) error {
	now, err := a.cfg.Now(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	due := now.Sub(a.tidied) >= tidyEvery
	if due {
		a.tidied = now
	}
	a.mu.Unlock()
	if !due {
		return nil
	}
	for i := range orgs {
		if err := a.cfg.Store.DropAlerts(ctx, orgs[i].ID, a.channels(), now, now.Add(-tryFor), now.Add(-keepFor)); err != nil {
			return err
		}
	}
	return nil
}

func (a *Alerts) channels() []string {
	names := make([]string, len(a.cfg.Channels))
	for i, c := range a.cfg.Channels {
		names[i] = c.Name()
	}
	return names
}

// Deliver sends what is due now, on every channel.
func (a *Alerts) Deliver(ctx context.Context) error {
	for _, c := range a.cfg.Channels {
		if err := a.deliver(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// deliver sends what is due on one channel, one after another.
func (a *Alerts) deliver(ctx context.Context, c Channel) error {
	for ctx.Err() == nil {
		now, err := a.cfg.Now(ctx)
		if err != nil {
			return err
		}
		d, err := a.cfg.Store.ClaimDelivery(ctx, c.Name(), now, lease)
		if err != nil || d == nil {
			return err
		}
		if err := a.attempt(ctx, c, d); err != nil {
			return err
		}
	}
	return nil
}

// attempt sends one delivery and writes down what came of it.
func (a *Alerts) attempt(ctx context.Context, c Channel, d *roster.AlertDelivery) error {
	m, err := a.message(ctx, d)
	if err == nil {
		sending, done := context.WithTimeout(ctx, sendTime)
		err = c.Send(sending, m)
		done()
	}
	if ctx.Err() != nil {
		return ctx.Err() // the daemon stops: the lease runs out, and another attempt follows
	}
	now, nowErr := a.cfg.Now(ctx)
	if nowErr != nil {
		return nowErr
	}
	log := a.cfg.Log.With("channel", c.Name(), "delivery", d.ID, "alert", d.Alert, "what", d.What, "attempts", d.Attempts)
	switch {
	case err == nil:
		d.SentAt, d.LastError = now, ""
		log.Info("an alert was delivered")
	case now.Sub(d.CreatedAt) >= tryFor:
		d.GaveUpAt, d.LastError = now, clean(err.Error(), mostError)
		log.Error("an alert could not be delivered and is given up", "error", d.LastError)
	default:
		d.NextAt, d.LastError = now.Add(backoff(d.Attempts)), clean(err.Error(), mostError)
		log.Warn("an alert could not be delivered; it is tried again", "error", d.LastError, "next", d.NextAt)
	}
	return a.cfg.Store.EndDelivery(ctx, d)
}

// backoff is how long to wait after so many attempts.
func backoff(attempts int) time.Duration {
	wait := leastWait
	for range attempts - 1 {
		if wait *= 2; wait >= mostWait {
			return mostWait
		}
	}
	return wait
}

// message is what a delivery says: the alert as it is now.
func (a *Alerts) message(ctx context.Context, d *roster.AlertDelivery) (Message, error) {
	alert, err := a.cfg.Store.Alert(ctx, d.Org, d.Alert)
	if err != nil {
		return Message{}, err
	}
	org, err := a.cfg.Store.Organisation(ctx, d.Org)
	if err != nil {
		return Message{}, err
	}
	return Message{
		ID: d.ID, Alert: alert.ID, What: d.What, Organisation: org.Name, Kind: alert.Kind, SubjectType: alert.SubjectType, Subject: alert.Subject,
		Severity: alert.Severity, Title: alert.Title, Text: alert.Text, Details: alert.Details, OpenedAt: alert.OpenedAt, ResolvedAt: alert.ResolvedAt,
	}, nil
}

// Test sends a message on every channel, at once and without another attempt, and says how each fared.
func (a *Alerts) Test(ctx context.Context, organisation string) ([]roster.AlertTest, error) {
	now, err := a.cfg.Now(ctx)
	if err != nil {
		return nil, err
	}
	out := []roster.AlertTest{}
	for _, c := range a.cfg.Channels {
		m := Message{
			ID: roster.NewID(), What: tellTest, Organisation: organisation, Kind: "test", SubjectType: "channel", Subject: c.Name(),
			Severity: roster.SeverityWarning, Title: "test of the channel " + c.Name(), OpenedAt: now,
			Text: "Somebody asked for this message by `rosterd alerts test`. Alerts sent to " + c.Name() + " arrive here.",
		}
		m.Alert = m.ID
		sending, done := context.WithTimeout(ctx, sendTime)
		err := c.Send(sending, m)
		done()
		t := roster.AlertTest{Channel: c.Name(), OK: err == nil}
		if err != nil {
			t.Error = clean(err.Error(), mostError)
		}
		out = append(out, t)
	}
	return out, nil
}
