package syncer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/syncer"
)

// eachLifeline runs a test with a connection that has both schedules and has run once, so that a delta can follow.
func eachLifeline(t *testing.T, test func(w *timed)) {
	t.Helper()
	eachTimed(t, func(w *timed) {
		w.source(func(src *syncer.Source) { src.Delta, src.Lifeline = true, 5*time.Minute })
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			w.joins(name + ".direct@contoso.example")
		}
		w.baseline()
		test(w)
	})
}

// source changes what the connection is read by.
func (s *timed) source(change func(src *syncer.Source)) {
	src := s.cfg.Sources[s.conn]
	change(&src)
	s.cfg.Sources[s.conn] = src
	s.syncer = s.another("test")
}

// lifeline is the one that the connection is on, as "cause: reason"; empty: none.
func (s *timed) lifeline() string {
	s.t.Helper()
	open, err := s.db.Lifelines(context.Background(), s.org)
	s.ok(err)
	l, on := open[s.conn]
	if !on {
		return ""
	}
	return string(l.Cause) + ": " + l.Reason
}

func (s *timed) wantLifeline(when, want string) {
	s.t.Helper()
	if got := s.lifeline(); got != want {
		s.t.Errorf("%s the lifeline is %q, want %q", when, got, want)
	}
}

// past are the lifelines, the newest first, as "cause, ended".
func (s *timed) past() []string {
	s.t.Helper()
	all, err := s.db.LifelinesOf(context.Background(), s.org, s.conn, 10)
	s.ok(err)
	var out []string
	for _, l := range all {
		ended, _, _ := strings.Cut(l.Ended, " at ")
		out = append(out, string(l.Cause)+", "+ended)
	}
	return out
}

// later makes everything that is known of pushes older, as if so much time had passed since.
func (s *timed) later(d time.Duration) {
	s.t.Helper()
	all, _, err := s.db.Members(context.Background(), s.org, store.List{})
	s.ok(err)
	s.ok(s.db.InTx(context.Background(), func(tx roster.Tx) error {
		rows := &roster.Rows{}
		for _, m := range all {
			if !m.PushedAt.IsZero() {
				m.PushedAt = m.PushedAt.Add(-d)
				rows.Members = append(rows.Members, roster.MemberRow{Member: m})
			}
		}
		watch, open, err := tx.PushWatch(context.Background(), s.org, s.conn)
		if err != nil {
			return err
		}
		if !watch.MissedAt.IsZero() {
			watch.MissedAt = watch.MissedAt.Add(-d)
			rows.PushWatches = []roster.PushWatch{watch}
		}
		if open != nil {
			open.Since = open.Since.Add(-d)
			rows.Lifelines = []roster.Lifeline{*open}
		}
		return tx.Write(context.Background(), s.org, rows)
	}))
}

// pushes has a push change somebody's name here, as the IdP has it.
func (s *timed) pushes(i int) {
	s.t.Helper()
	p := s.somebody(i)
	name := "Pushed " + roster.NewID()[30:]
	s.ok(s.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.DisplayName = name }))
	s.pushName(s.members()[p.UserPrincipalName].ID, name)
}

// renames changes somebody in the IdP, and nobody pushes it.
func (s *timed) renames(i int) {
	s.t.Helper()
	s.ok(s.tenant.UpdateUser(s.somebody(i).ObjectID, func(u *idpsim.User) { u.DisplayName = "Renamed " + roster.NewID()[30:] }))
}

// asks asks for what lifelines need, and returns the connection's open run.
func (s *timed) asks(every time.Duration) *roster.Run {
	s.t.Helper()
	s.source(func(src *syncer.Source) { src.Lifeline = every })
	s.syncer.AskLifelines(context.Background())
	return s.queued()
}

func (s *timed) told() []string {
	s.t.Helper()
	events, _, err := s.db.Events(context.Background(), s.org, store.List{Limit: 200, Search: "connection.lifeline"})
	s.ok(err)
	var out []string
	for _, e := range events {
		if strings.HasPrefix(e.Type, "connection.lifeline") {
			out = append(out, e.Type)
		}
	}
	return out
}

// While the IdP's own job is in quarantine, runs take the place of its pushes at once; they go on doing so until the job
// is out of it and has pushed again.
func TestAQuarantineMakesRunsTheLifeline(t *testing.T) {
	eachLifeline(t, func(w *timed) {
		w.wantLifeline("before", "")
		w.tenant.SetQuarantine(idpsim.BaseEscrowThreshold, "Too many failures.")
		w.run(roster.ModeDry)
		w.wantLifeline("after a dry run", "")
		w.run(roster.ModeDelta)
		if got := w.lifeline(); !strings.HasPrefix(got, "quarantine: the identity provider's own job is in quarantine: "+string(idpsim.BaseEscrowThreshold)+", since 20") {
			w.t.Fatalf("the lifeline is %q", got)
		}
		since := w.lifeline()
		w.pushes(0) // a job in quarantine still pushes now and then
		w.run(roster.ModeDelta)
		w.wantLifeline("still in quarantine", since)
		w.tenant.LiftQuarantine()
		w.run(roster.ModeDelta)
		w.wantLifeline("out of quarantine, with no push since", since)
		w.pushes(1)
		w.run(roster.ModeDelta)
		w.wantLifeline("after a push", "")
		if got, want := w.past(), []string{"quarantine, a push came"}; !slices.Equal(got, want) {
			w.t.Errorf("the history is %q, want %q", got, want)
		}
		if got, want := w.told(), []string{"connection.lifeline_began", "connection.lifeline_ended"}; !slices.Equal(got, want) {
			w.t.Errorf("told of %q, want %q", got, want)
		}
		before := w.dump()
		w.run(roster.ModeDelta)
		if w.dump() != before {
			w.t.Error("a run that finds all well writes something")
		}
	})
}

// Where nothing changes in the IdP nothing is pushed: that runs find nothing to repair is a sign of health too.
func TestALifelineEndsOnceRunsFindNothing(t *testing.T) {
	eachLifeline(t, func(w *timed) {
		w.tenant.SetQuarantine(idpsim.BaseEscrowThreshold, "Too many failures.")
		w.run(roster.ModeDelta)
		w.run(roster.ModeDelta)
		w.tenant.LiftQuarantine()
		w.run(roster.ModeDelta)
		w.renames(0)
		w.run(roster.ModeDelta) // found something: the count begins anew
		w.run(roster.ModeDelta)
		w.run(roster.ModeDelta)
		if w.lifeline() == "" {
			w.t.Error("ended after two runs that found nothing")
		}
		w.run(roster.ModeDelta)
		w.wantLifeline("after three", "")
		if got, want := w.past(), []string{"quarantine, 3 runs in a row found nothing that a push had missed"}; !slices.Equal(got, want) {
			w.t.Errorf("the history is %q, want %q", got, want)
		}
	})
}

// That the IdP has changed and nothing came of it for longer than its cycles take means that pushes have stopped.
func TestPushesThatStopMakeRunsTheLifeline(t *testing.T) {
	eachLifeline(t, func(w *timed) {
		w.renames(0)
		w.run(roster.ModeDelta)
		w.later(3 * time.Hour)
		w.run(roster.ModeDelta)
		w.wantLifeline("of a connection that was never pushed to", "")

		w.pushes(1)
		w.run(roster.ModeDelta)
		w.later(3 * time.Hour)
		w.run(roster.ModeDelta)
		w.wantLifeline("of an IdP that has not changed", "")

		w.renames(2)
		w.run(roster.ModeDelta)
		w.wantLifeline("at the first thing that was missed", "")
		w.pushes(3)
		w.later(3 * time.Hour)
		w.run(roster.ModeDelta)
		w.wantLifeline("with a push after what was missed", "")

		w.renames(0)
		w.run(roster.ModeDelta)
		w.later(3 * time.Hour)
		w.renames(1)
		w.run(roster.ModeDelta)
		got := w.lifeline()
		if !strings.HasPrefix(got, "pushes_stopped: pushes stopped: the last one was at 20") ||
			!strings.HasSuffix(got, "and runs found 2 changes in the identity provider since that no push brought") {
			w.t.Fatalf("the lifeline is %q", got)
		}
		w.pushes(2)
		w.run(roster.ModeDelta)
		w.wantLifeline("after a push", "")
	})
}

// In a lifeline a delta follows on the last run after the time that the file says, joined to the run that is queued.
func TestALifelineAsksForDeltas(t *testing.T) {
	eachLifeline(t, func(w *timed) {
		daily := roster.Schedule{Mode: roster.ModeFull, Cron: w.cron, TimeZone: "UTC"}
		dark := daily
		dark.Blackout = []string{"00:00-24:00"}
		if run := w.asks(time.Nanosecond); run != nil {
			w.t.Fatalf("on no lifeline there is a run: %+v", run)
		}
		w.tenant.SetQuarantine(idpsim.BaseEscrowThreshold, "Too many failures.")
		w.run(roster.ModeDelta)
		for name, tc := range map[string]struct {
			every     time.Duration
			schedules []roster.Schedule
			before    roster.Change
			after     roster.Change
		}{
			"too soon":             {every: time.Hour, schedules: []roster.Schedule{daily}},
			"off":                  {every: 0, schedules: []roster.Schedule{daily}},
			"without a schedule":   {every: time.Nanosecond},
			"in a blackout":        {every: time.Nanosecond, schedules: []roster.Schedule{dark}},
			"while it is paused":   {time.Nanosecond, []roster.Schedule{daily}, roster.ConnectionPause{ID: w.conn}, roster.ConnectionResume{ID: w.conn}},
			"while it is detached": {time.Nanosecond, []roster.Schedule{daily}, roster.ConnectionDetach{ID: w.conn, Reason: "test"}, nil},
		} {
			w.declare(tc.schedules...)
			if tc.before != nil {
				w.commit(operator(), tc.before)
			}
			if run := w.asks(tc.every); run != nil {
				w.t.Errorf("%s there is a run: %+v", name, run)
			}
			if tc.after != nil {
				w.commit(operator(), tc.after)
			}
		}
		w.declare(daily)
		run := w.asks(time.Nanosecond)
		if run == nil || run.Mode != roster.ModeDelta || run.RequestedBy != roster.ByLifeline {
			w.t.Fatalf("there is no run: %+v", run)
		}
		if again := w.asks(time.Nanosecond); again == nil || again.ID != run.ID {
			w.t.Errorf("asked twice: %+v", again)
		}
		if done, _ := w.work(run.ID); done.State != roster.RunDone {
			w.t.Errorf("ended %s: %s", done.State, done.Error)
		}
	})
}
