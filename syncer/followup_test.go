package syncer_test

import (
	"context"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
)

// queued returns the connection's open run; nil: it has none.
func (s *timed) queued() *roster.Run {
	s.t.Helper()
	var found *roster.Run
	s.ok(s.db.InTx(context.Background(), func(tx roster.Tx) error {
		open, err := tx.OpenRuns(context.Background(), s.org, s.conn)
		if len(open) > 0 {
			found = &open[0]
		}
		return err
	}))
	return found
}

// resettle declares the connection anew with another settle time.
func (s *timed) resettle(settle time.Duration, schedules ...roster.Schedule) {
	s.t.Helper()
	c := s.connection()
	s.commit(roster.Cause{}, roster.ConnectionSync{Name: c.Name, Kind: c.Kind, Target: c.Target, Settings: c.Settings, Managed: c.Managed,
		Settle: settle, Schedules: schedules})
}

// follows asks for what is to be looked at again, with a least time of its own, and returns the run; nil: nothing is due.
func (s *timed) follows(least time.Duration) *roster.Run {
	s.t.Helper()
	s.cfg.FollowUp = least
	s.another("scheduler").AskFollowUps(context.Background())
	return s.queued()
}

// What a fresh push keeps a run from is looked at again once the push has settled, and not only by the next run of the
// schedule.
func TestWhatAPushDeferredIsLookedAtAgainSoon(t *testing.T) {
	eachTimed(t, func(w *timed) {
		daily := roster.Schedule{Mode: roster.ModeFull, Cron: w.cron, TimeZone: "UTC"}
		src := w.cfg.Sources[w.conn]
		src.Delta = true
		w.cfg.Sources[w.conn] = src
		w.syncer = w.another("test")
		w.declare(daily)
		w.baseline()
		if run := w.follows(time.Nanosecond); run != nil {
			w.t.Fatalf("with nothing unsettled there is a run: %+v", run)
		}
		p := w.somebody(0)
		m := w.members()[p.UserPrincipalName]
		w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.DisplayName = "Renamed There" }))
		remove := w.tenant.Inject(idpsim.Fault{Path: "/users", Count: 1, BeforeAnswer: func() {
			w.pushName(m.ID, "Pushed Meanwhile") // newer than the page that is being read
		}})
		refuse := w.tenant.Inject(idpsim.Fault{Path: "/users/*", Status: 400, Code: "BadRequest"}) // there is no second look
		w.run(roster.ModeFull)
		refuse()
		remove()
		if parked := w.parked(); len(parked) == 0 {
			w.t.Fatal("the run left nothing unsettled")
		}
		if run := w.follows(time.Nanosecond); run != nil {
			w.t.Errorf("before the push has settled there is a run: %+v", run)
		}
		w.resettle(0, daily)
		if run := w.follows(time.Hour); run != nil {
			w.t.Errorf("before the least time there is a run: %+v", run)
		}
		w.resettle(0)
		if run := w.follows(time.Nanosecond); run != nil {
			w.t.Errorf("a connection without a schedule has a run: %+v", run)
		}
		w.resettle(0, daily)
		run := w.follows(time.Nanosecond)
		if run == nil || run.Mode != roster.ModeDelta || run.RequestedBy != roster.ByFollowUp {
			w.t.Fatalf("there is no run that looks again: %+v", run)
		}
		if again := w.follows(time.Nanosecond); again == nil || again.ID != run.ID {
			w.t.Errorf("asked twice: %+v", again)
		}
		w.work(run.ID)
		if now := w.members()[p.UserPrincipalName]; now.DisplayName() != "Renamed There" {
			w.t.Errorf("looked at again, the name is %q", now.DisplayName())
		}
		if parked := w.parked(); len(parked) != 0 {
			w.t.Errorf("still unsettled: %v", parked)
		}
		if run := w.follows(time.Nanosecond); run != nil {
			w.t.Errorf("with all settled there is a run: %+v", run)
		}
	})
}
