package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// Due times that pass while no daemon runs are caught up by one run, which says so.
func TestE2EScheduleIsCaughtUpOnce(t *testing.T) {
	eachMachine(t, func(m *machine) {
		d := m.directory(idpsim.Config{Seed: 5, Members: 12, Groups: 2})
		m.configure(d.entry("default", "entra") + "    schedule: { full: \"* * * * *\", jitter: 0s }\n")
		m.again()
		if next := m.nextFull(); time.Until(next) > time.Minute+time.Second || time.Until(next) < -time.Minute {
			m.t.Errorf("next due %s", next)
		}
		m.want(exitDone, "resync --org default --wait")
		m.stop()

		since := m.missDueTimes()
		m.again()
		caught := m.caughtUp(1)[0]
		// The minute may have turned since the due time was set back.
		missed := caught.CreatedAt.Truncate(time.Minute).Sub(since)/time.Minute + 1
		want := map[time.Duration]string{
			3: "catch-up: 3 due times since " + since.Format(time.RFC3339) + " had passed",
			4: "catch-up: 4 due times since " + since.Format(time.RFC3339) + " had passed",
		}[missed]
		if caught.Note != want || caught.Mode != "full" || caught.RequestedBy != "schedule" {
			m.t.Errorf("run %+v, want the note %q", caught, want)
		}
		m.finished(caught.Run, "done")
		if shown := m.want(exitDone, "runs show "+caught.Run).out; !strings.Contains(shown, "Note: catch-up: ") {
			m.t.Errorf("it is shown as\n%s", shown)
		}
		m.converged("default", d)
		if next := m.nextFull(); !next.After(caught.CreatedAt) {
			m.t.Errorf("after the catch-up the next run is due %s", next)
		}

		// Started again over no due time there is nothing to catch up; over some, again once.
		m.kill()
		m.again()
		m.nextFull()
		m.kill()
		m.missDueTimes()
		m.again()
		m.caughtUp(2)
		m.stop()
	})
}

// nextFull is when the one connection reads in full next.
func (m *machine) nextFull() time.Time {
	m.t.Helper()
	status := asked[client.Status](m, exitDone, "status")
	if len(status.Connections) != 1 || status.Connections[0].NextFull == nil || status.Connections[0].NextDelta != nil {
		m.t.Fatalf("status %+v", status)
	}
	return *status.Connections[0].NextFull
}

// missDueTimes sets the schedule of a stopped daemon back over three due times, as if it had been down since, and returns
// the first of them.
func (m *machine) missDueTimes() time.Time {
	m.t.Helper()
	driver, source := "sqlite", filepath.Join(m.db.Dir, "data", "rosterd.db")
	if m.db.URL != "" {
		driver, source = "postgres", m.db.URL
	}
	db, err := sqlx.Open(driver, source)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	since := time.Now().UTC().Truncate(time.Minute).Add(-2 * time.Minute)
	result, err := db.ExecContext(m.t.Context(), `UPDATE schedules SET next_due = $1`, since.UnixMicro())
	if err != nil {
		m.t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		m.t.Fatalf("%d schedules, %v", n, err)
	}
	return since
}

// caughtUp waits for runs that caught up, and holds that there are no more of them.
func (m *machine) caughtUp(n int) []client.Run {
	m.t.Helper()
	var caught []client.Run
	m.until("what was missed is caught up", func() bool {
		caught = nil
		for _, r := range asked[[]client.Run](m, exitDone, "runs list --org default") {
			if strings.HasPrefix(r.Note, "catch-up: ") {
				caught = append(caught, r)
			}
		}
		return len(caught) >= n
	})
	if len(caught) > n {
		m.t.Errorf("%d runs caught up: %+v", len(caught), caught)
	}
	return caught
}

// Scheduled deltas of both IdPs go on from the cursor of a full run, and repair what was missed without reading everything.
func TestE2EScheduledDeltas(t *testing.T) {
	eachMachine(t, func(m *machine) {
		const yearly = "    schedule: { delta: \"@yearly\", jitter: 0s }\n"
		d, o := m.directory(idpsim.Config{Seed: 6, Members: 40, Groups: 3}), m.okta(idpsim.OktaConfig{Seed: 7, Members: 40, Groups: 3})
		m.env = append(m.env, "OKTA_API_TOKEN="+o.APIToken())
		m.configure(d.entry("default", "entra")+yearly, o.entry("okta", "settle: 1ms")+yearly)
		m.again()
		m.want(exitDone, "resync --org default --wait")
		m.want(exitDone, "resync --org default --wait")
		m.stop()

		gone, left := d.Desired()[3], o.Desired()[4]
		m.ok(d.DisableUser(gone.ObjectID), o.Deactivate(left.ObjectID))
		m.missDueTimes()
		m.again()
		for _, r := range m.caughtUp(2) {
			if done := m.finished(r.Run, "done"); done.Mode != "delta" || done.Totals["orphaned_member"] != 1 {
				m.t.Errorf("run of %s: %s, %v, %s", done.Connection, done.Mode, done.Totals, done.Note)
			}
		}
		m.is(gone.UserPrincipalName, "deactivated", "entra", m.teamsOf(gone.UserPrincipalName)...)
		m.is(left.UserName, "deactivated", "okta", m.teamsOf(left.UserName)...)
	})
}

func (m *machine) teamsOf(name string) []string {
	m.t.Helper()
	for _, x := range m.members("default") {
		if x.UserName == name {
			return x.Teams
		}
	}
	return nil
}
