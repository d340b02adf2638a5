package alerts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/alerts"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// fixture is an organisation with one connection, a clock that goes on when it is told to, and a channel that remembers.
type fixture struct {
	*testing.T
	db        *store.DB
	org, conn string
	ahead     time.Duration // how far the clock is ahead of the database's
	mail      *recorder
}

// recorder is a channel that keeps what it is given, or fails.
type recorder struct {
	name string
	mu   sync.Mutex
	got  []alerts.Message
	fail error
}

func (r *recorder) Name() string { return r.name }

func (r *recorder) Send(_ context.Context, m alerts.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.got = append(r.got, m)
	return nil
}

// told returns what was told since the last time, as "what kind subject".
func (r *recorder) told() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, m := range r.got {
		out = append(out, fmt.Sprintf("%s %s %s", m.What, m.Kind, m.Subject))
	}
	r.got = nil
	slices.Sort(out)
	return strings.Join(out, "; ")
}

func each(t *testing.T, test func(f *fixture)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		f := &fixture{T: t, db: db, mail: &recorder{name: "email"}}
		f.org, f.conn = f.organisation("acme")
		test(f)
	})
}

func (f *fixture) organisation(name string) (org, conn string) {
	f.Helper()
	org = roster.NewID()
	f.commit(org, roster.Cause{}, roster.OrgCreate{ID: org, Name: name, SCIM: true})
	conn = f.commit(org, roster.Cause{}, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t",
		Schedules: []roster.Schedule{{Mode: roster.ModeDelta, Cron: "@every 1h", TimeZone: "UTC"}}})[0].ID
	return org, conn
}

func (f *fixture) commit(org string, cause roster.Cause, changes ...roster.Change) []roster.Outcome {
	f.Helper()
	outs, err := roster.New(f.db).Commit(context.Background(), org, cause, changes)
	f.ok(err)
	for _, o := range outs {
		if o.Err != nil {
			f.Fatal(o.Err)
		}
	}
	return outs
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) now() time.Time {
	f.Helper()
	now, err := f.db.Now(context.Background())
	f.ok(err)
	return now.Add(f.ahead)
}

// replica is one of several that share the database.
func (f *fixture) replica(channels ...alerts.Channel) *alerts.Alerts {
	if channels == nil {
		channels = []alerts.Channel{f.mail}
	}
	return alerts.New(alerts.Config{
		Store: f.db, Channels: channels, Remind: 24 * time.Hour,
		Crossed: func(_ string, removed, had int) bool { return removed > 5 && removed*20 > had },
		Now: func(ctx context.Context) (time.Time, error) {
			now, err := f.db.Now(ctx)
			return now.Add(f.ahead), err
		},
	})
}

// after lets some time go by, has a replica look and deliver, and returns what was told.
func (f *fixture) after(d time.Duration) string {
	f.Helper()
	f.ahead += d
	a := f.replica()
	f.ok(a.Look(context.Background()))
	f.ok(a.Deliver(context.Background()))
	return f.mail.told()
}

// open returns the open alerts of an organisation.
func (f *fixture) open(org string) []roster.Alert {
	f.Helper()
	found, err := f.db.Alerts(context.Background(), org, false)
	f.ok(err)
	return found
}

// ran has a run of a connection end in some way.
func (f *fixture) ran(org, conn string, end func(r *roster.Run)) *roster.Run {
	f.Helper()
	ctx := context.Background()
	f.commit(org, roster.Cause{}, roster.RunRequest{Connection: conn, Mode: roster.ModeFull, By: "operator"})
	r, err := f.db.ClaimRun(ctx, "test", time.Minute)
	f.ok(err)
	if r == nil || r.Connection != conn {
		f.Fatalf("claimed %+v", r)
	}
	end(r)
	f.ok(f.db.FinishRun(ctx, r, store.Ending{}))
	return r
}

func failed(fault string) func(*roster.Run) {
	return func(r *roster.Run) {
		r.State, r.Error, r.Fault = roster.RunFailed, "Graph did not accept the credentials (401)", fault
	}
}

func ended(state roster.RunState) func(*roster.Run) {
	return func(r *roster.Run) { r.State, r.Complete = state, state == roster.RunDone }
}

// holds has a run hold so many removals of members.
func (f *fixture) holds(org, conn string, n int) *roster.Run {
	f.Helper()
	return f.ran(org, conn, func(r *roster.Run) {
		_, err := f.db.StartPlan(context.Background(), r)
		f.ok(err)
		var actions []roster.RunAction
		for i := range n {
			actions = append(actions, roster.RunAction{Run: r.ID, N: int64(i + 1), State: roster.ActionHeld, Drift: roster.Drift{
				Kind: roster.OrphanedMember, Action: roster.ActDeactivate, Reason: fmt.Sprint(i)}})
		}
		f.ok(f.db.AddActions(context.Background(), r, actions))
		r.State = roster.RunHeld
		r.Held = []roster.HeldLimit{{Limit: "members", Actions: n, Of: 100, Ceiling: 500, Floor: 5, Percent: 5, Window: "run", Text: "it would remove 12 of 100 members"}}
	})
}

// Three replicas look at once, and what holds is told of once; when it holds no more, that is told once too.
func TestAHeldRunIsToldOfOnceOverThreeReplicasAndThenResolved(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		run := f.holds(f.org, f.conn, 12)
		together := func() string {
			var all sync.WaitGroup
			for range 3 {
				a := f.replica()
				all.Go(func() {
					for range 3 {
						if err := errors.Join(a.Look(ctx), a.Deliver(ctx)); err != nil {
							f.Error(err)
						}
					}
				})
			}
			all.Wait()
			return f.after(0) // of two looks at once only the later one counts, so one more makes sure
		}
		if got, want := together(), "opened run_held entra"; got != want {
			t.Fatalf("told %q, want %q", got, want)
		}
		open := f.open(f.org)
		if len(open) != 1 || open[0].Title != "run held on entra (12 removals)" || open[0].Details["run"] != run.ID {
			t.Fatalf("open: %+v", open)
		}
		for _, want := range []string{"it would remove 12 of 100 members", "rosterd runs show " + run.ID, "rosterd runs approve " + run.ID} {
			if !strings.Contains(open[0].Text, want) {
				t.Errorf("no %q in\n%s", want, open[0].Text)
			}
		}
		// While what was approved is applied, nothing is over yet, and the figures stay.
		f.commit(f.org, roster.Cause{By: roster.ByOperator}, roster.RunApprove{ID: run.ID, By: "ada"})
		applying, err := f.db.ClaimRun(ctx, "test", time.Minute)
		f.ok(err)
		if got := together(); got != "" || f.open(f.org)[0].Title != open[0].Title {
			t.Errorf("while it is applied: told %q, open %+v", got, f.open(f.org))
		}
		applying.State, applying.Approval = roster.RunDone, false
		f.ok(f.db.FinishRun(ctx, applying, store.Ending{}))
		if got, want := together(), "resolved run_held entra"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		if got := f.after(time.Hour); got != "" || len(f.open(f.org)) != 0 {
			t.Errorf("afterwards %q is told, %+v is open", got, f.open(f.org))
		}
	})
}

func TestWhatComesAndGoesIsOneAlertToldOfTwiceAtMost(t *testing.T) {
	each(t, func(f *fixture) {
		fails := func() { f.ran(f.org, f.conn, failed("bad_credentials")) }
		works := func() { f.ran(f.org, f.conn, ended(roster.RunDone)) }
		for i, step := range []struct {
			do   func()
			wait time.Duration
			want string
		}{
			{fails, 0, "opened run_failing entra"},
			{works, time.Minute, "resolved run_failing entra"},
			{fails, time.Minute, "opened run_failing entra"}, // people were told that it is over
			{works, time.Minute, ""},
			{fails, time.Minute, ""},
			{works, time.Minute, ""},
			{func() {}, 9 * time.Minute, ""},
			{func() {}, 2 * time.Minute, "resolved run_failing entra"}, // quiet for ten minutes
			{fails, 20 * time.Minute, "opened run_failing entra"},
		} {
			step.do()
			if got := f.after(step.wait); got != step.want {
				t.Errorf("step %d: told %q, want %q", i, got, step.want)
			}
		}
		all, err := f.db.Alerts(context.Background(), f.org, true)
		f.ok(err)
		if len(all) != 2 || all[0].Reopened != 2 || all[0].State != roster.AlertResolved || all[1].State != roster.AlertOpen {
			t.Errorf("alerts: %+v", all)
		}
	})
}

func TestAnOpenAlertIsToldOfAgainEachDay(t *testing.T) {
	each(t, func(f *fixture) {
		f.ran(f.org, f.conn, failed("missing_permission"))
		for i, want := range []string{"opened run_failing entra", "", "reminder run_failing entra", "", "reminder run_failing entra"} {
			// What else holds after so long is not what this is about.
			got := strings.Join(slices.DeleteFunc(strings.Split(f.after(time.Duration(min(i, 1))*12*time.Hour), "; "),
				func(s string) bool { return !strings.Contains(s, "run_failing") }), "; ")
			if got != want {
				t.Errorf("after %d half days: told %q, want %q", i, got, want)
			}
		}
	})
}

func TestAChannelThatIsAddedIsToldWhatIsOpen(t *testing.T) {
	each(t, func(f *fixture) {
		f.ran(f.org, f.conn, failed("bad_credentials"))
		f.after(0)
		hook := &recorder{name: "webhook"}
		a := f.replica(f.mail, hook)
		for range 2 {
			f.ok(a.Look(context.Background()))
			f.ok(a.Deliver(context.Background()))
		}
		if mail, hook := f.mail.told(), hook.told(); mail != "" || hook != "opened run_failing entra" {
			t.Errorf("told by mail %q, by webhook %q", mail, hook)
		}
	})
}

func TestAlertsStayWithTheirOrganisation(t *testing.T) {
	each(t, func(f *fixture) {
		other, conn := f.organisation("beta")
		f.ran(other, conn, failed("bad_credentials"))
		f.after(0)
		if mine, theirs := f.open(f.org), f.open(other); len(mine) != 0 || len(theirs) != 1 {
			t.Fatalf("of acme %+v, of beta %+v", mine, theirs)
		}
		if _, err := f.db.Alert(context.Background(), f.org, f.open(other)[0].ID); roster.CodeOf(err) != roster.NotFound {
			t.Errorf("beta's alert read as acme's: %v", err)
		}
	})
}

func TestDeliveriesAreTriedAgainForADayAndThenGivenUp(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		f.mail.fail = errors.New("451 try again later")
		f.ran(f.org, f.conn, failed("bad_credentials"))
		f.after(0)
		delivery := func() roster.AlertDelivery { return f.open(f.org)[0].Deliveries[0] }
		var waits []time.Duration
		for i := range 8 {
			d := delivery()
			if d.Attempts != i+1 || d.LastError != "451 try again later" || d.Done() {
				t.Fatalf("after %d attempts: %+v", i+1, d)
			}
			wait := d.NextAt.Sub(f.now())
			waits = append(waits, wait.Round(10*time.Second))
			f.ahead += wait - 5*time.Second
			f.ok(f.replica().Deliver(ctx))
			if got := delivery().Attempts; got != i+1 {
				t.Fatalf("tried again too early: %d attempts", got)
			}
			f.ahead += 10 * time.Second
			f.ok(f.replica().Deliver(ctx))
		}
		want := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour}
		if !slices.Equal(waits, want) {
			t.Errorf("waits %v, want %v", waits, want)
		}
		f.ahead += 24 * time.Hour
		f.ok(f.replica().Deliver(ctx))
		if d := delivery(); d.GaveUpAt.IsZero() || d.LastError != "451 try again later" {
			t.Errorf("after a day: %+v", d)
		}
		f.mail.fail = nil
		f.ahead += 24 * time.Hour
		f.ok(f.replica().Deliver(ctx))
		if got := f.mail.told(); got != "" {
			t.Errorf("after it was given up %q is told", got)
		}
	})
}

func TestWhatWasToldBeforeGoesFirst(t *testing.T) {
	each(t, func(f *fixture) {
		f.mail.fail = errors.New("421 closing")
		f.ran(f.org, f.conn, failed("bad_credentials"))
		f.after(0)
		f.ran(f.org, f.conn, ended(roster.RunDone))
		f.mail.fail = nil
		if got := f.after(time.Second); got != "" { // the end is due, and what it ends is not yet tried again
			t.Errorf("told %q before what comes first", got)
		}
		f.ahead += time.Minute
		f.ok(f.replica().Deliver(context.Background()))
		f.mail.mu.Lock()
		defer f.mail.mu.Unlock()
		if len(f.mail.got) != 2 || f.mail.got[0].What != roster.TellOpened || f.mail.got[1].What != roster.TellResolved {
			t.Errorf("told %+v", f.mail.got)
		}
	})
}

// A replica that dies while it sends holds the delivery for a while only.
func TestALeaseThatRunsOutIsTakenOver(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		f.ran(f.org, f.conn, failed("bad_credentials"))
		f.ok(f.replica().Look(ctx))
		d, err := f.db.ClaimDelivery(ctx, "email", f.now(), 2*time.Minute)
		f.ok(err)
		if d == nil {
			t.Fatal("nothing is due")
		}
		f.ok(f.replica().Deliver(ctx))
		if got := f.mail.told(); got != "" {
			t.Fatalf("two send at once: %q", got)
		}
		f.ahead += 3 * time.Minute
		f.ok(f.replica().Deliver(ctx))
		if got := f.mail.told(); got != "opened run_failing entra" {
			t.Errorf("told %q", got)
		}
		d.LastError, d.NextAt = "late", f.now() // the first one wakes up, and has nothing more to say
		f.ok(f.db.EndDelivery(ctx, d))
		if got := f.open(f.org)[0].Deliveries[0]; got.SentAt.IsZero() || got.LastError != "" {
			t.Errorf("overwritten: %+v", got)
		}
	})
}

// What an older look saw is no news once a newer one has begun: whoever was slow must not open again what is over.
func TestOnlyTheLatestLookCounts(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		older, err := f.db.BeginLook(ctx, f.org)
		f.ok(err)
		newer, err := f.db.BeginLook(ctx, f.org)
		f.ok(err)
		for look, want := range map[int64]bool{older: false, newer: true} {
			got, err := f.db.UpdateAlerts(ctx, f.org, look, f.now(), func([]roster.Alert) roster.AlertChanges {
				if !want {
					t.Error("the older look decides")
				}
				return roster.AlertChanges{}
			})
			if err != nil || got != want {
				t.Errorf("look %d counts: %t, %v", look, got, err)
			}
		}
	})
}

// What is told to a channel that left the configuration is given up after a day, and what is long over is dropped.
func TestWhatIsTooOldGoes(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		f.mail.fail = errors.New("451 try again later")
		f.ran(f.org, f.conn, failed("bad_credentials"))
		f.after(0)
		f.detach() // so that nothing else is told of
		hook := &recorder{name: "webhook"}
		f.ahead += 25 * time.Hour
		f.ok(f.replica(hook).Look(ctx))
		all, err := f.db.Alerts(ctx, f.org, true)
		f.ok(err)
		if d := all[0].Deliveries[0]; d.GaveUpAt.IsZero() || !strings.Contains(d.LastError, "not in the configuration any more") {
			t.Errorf("to a channel that is gone: %+v", d)
		}
		f.ahead += 91 * 24 * time.Hour
		f.ok(f.replica(hook).Look(ctx))
		all, err = f.db.Alerts(ctx, f.org, true)
		f.ok(err)
		if len(all) != 0 {
			t.Errorf("kept: %+v", all)
		}
	})
}

// Start and Stop may come in any order, and twice.
func TestAlertsStartAndStop(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		never := alerts.New(alerts.Config{Store: db})
		never.Stop()
		never.Start(context.Background())
		never.Stop()
		var all sync.WaitGroup
		a := alerts.New(alerts.Config{Store: db, Channels: []alerts.Channel{&recorder{name: "email"}}})
		for range 4 {
			all.Go(func() { a.Start(context.Background()) })
			all.Go(a.Wake)
		}
		all.Wait()
		a.Stop()
		a.Stop()
	})
}
