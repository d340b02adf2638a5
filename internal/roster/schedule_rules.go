package roster

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// syncSchedules brings a connection's schedules in line with the configuration. One whose expression and zone are as they
// were keeps its due time, so that what was missed while no daemon ran can be seen.
func (b *batch) syncSchedules(ctx context.Context, conn *Connection, wanted []Schedule) (changed bool, err error) {
	stored, err := b.tx.Schedules(ctx, b.org, conn.ID)
	if err != nil {
		return false, err
	}
	for i := range stored {
		if scheduleOf(wanted, stored[i].Mode) == nil {
			b.rows.DropSchedules = append(b.rows.DropSchedules, stored[i])
			changed = true
		}
	}
	for _, s := range wanted {
		s.Org, s.Connection = b.org, conn.ID
		was := scheduleOf(stored, s.Mode)
		switch {
		case was == nil || was.Cron != s.Cron || was.TimeZone != s.TimeZone || was.Next.IsZero():
			t, err := s.timetable()
			if err != nil {
				return false, Errorf(Invalid, "the %s schedule of connection %s: %v", s.Mode, conn.Name, err)
			}
			s.Next = t.After(b.tx.Now())
		case was.Jitter != s.Jitter || !slices.Equal(was.Blackout, s.Blackout):
			jitter, blackout := s.Jitter, s.Blackout
			s = *was
			s.Jitter, s.Blackout = jitter, blackout
		default:
			continue
		}
		b.rows.Schedules = append(b.rows.Schedules, ScheduleRow{Schedule: s, New: was == nil})
		changed = true
	}
	return changed, nil
}

func scheduleOf(all []Schedule, mode Mode) *Schedule {
	for i := range all {
		if all[i].Mode == mode {
			return &all[i]
		}
	}
	return nil
}

// dropSchedules removes the schedules of a connection that has no entry in the configuration any more.
func (b *batch) dropSchedules(ctx context.Context, connection string) error {
	all, err := b.tx.Schedules(ctx, b.org, connection)
	b.rows.DropSchedules = append(b.rows.DropSchedules, all...)
	return err
}

// requestDue asks for the run of a schedule that has come due, and moves the schedule on in the same commit, so that it
// is neither lost nor doubled: who comes second finds it moved. The outcome has no run where the connection may not run
// now.
func (b *batch) requestDue(ctx context.Context, conn *Connection, c RunRequest) (Outcome, error) {
	all, err := b.tx.Schedules(ctx, b.org, conn.ID)
	if err != nil {
		return Outcome{}, err
	}
	s := scheduleOf(all, c.Mode)
	if s == nil || !s.Next.Equal(c.Due) || s.Next.After(b.tx.Now()) {
		return stale("the schedule")
	}
	if _, holds := s.Blackouts().Holds(b.tx.Now()); holds {
		return stale("the schedule") // it stays due, and is caught up once the window has ended
	}
	out, err := b.fire(ctx, conn, s, c)
	b.putSchedule(s)
	if err != nil || out.Run == nil || c.Mode != ModeFull || out.Run.State != RunQueued {
		return out, err
	}
	// The full run sees what a delta that is due by now would see.
	if delta := scheduleOf(all, ModeDelta); delta != nil && !delta.Next.After(b.tx.Now()) {
		if _, err := b.moveOn(delta); err == nil {
			b.putSchedule(delta)
		}
	}
	return out, nil
}

func (b *batch) putSchedule(s *Schedule) {
	b.rows.Schedules = append(b.rows.Schedules, ScheduleRow{Schedule: *s})
}

// fire moves a due schedule on and decides what comes of it. In time, it is skipped where a run is queued or running that
// sees as much, and a full run takes the place of a queued delta. However many due times were missed, they are caught up
// by one run, which is never skipped: what runs now may have read before they passed.
func (b *batch) fire(ctx context.Context, conn *Connection, s *Schedule, c RunRequest) (Outcome, error) {
	late := b.tx.Now().Sub(c.Due) - s.Delay()
	n, err := b.moveOn(s)
	if err != nil {
		return refuse(Errorf(Internal, "the %s schedule of connection %s: %v", s.Mode, conn.Name, err))
	}
	if conn.State != ConnectionOK || conn.Kind == KindSCIM || conn.PausedAt(b.tx.Now()) != nil {
		return Outcome{Result: Applied}, nil
	}
	open, err := b.tx.OpenRuns(ctx, b.org, conn.ID)
	if err != nil {
		return Outcome{}, err
	}
	note := catchUp(n, c.Due, late)
	if other := blocking(open, c.Mode); other != nil && note == "" {
		return b.skip(ctx, conn, s, other)
	}
	return b.queueRun(ctx, conn, queuedRun(open, c.Mode), c, note)
}

// moveOn sets a schedule to its first due time after now, and returns how many have passed.
func (b *batch) moveOn(s *Schedule) (n int, err error) {
	t, err := s.timetable()
	if err != nil {
		s.Next = time.Time{} // said once; the next start of a daemon sets it right
		return 0, err
	}
	n, s.Next = t.passed(s.Next, b.tx.Now())
	return n, nil
}

// blocking returns the open run that sees as much as a run of a mode would. A run that only applies what was approved
// reads nothing, and a dry one repairs nothing.
func blocking(open []Run, mode Mode) *Run {
	for i := range open {
		r := &open[i]
		if r.State == RunHeld || r.Approval {
			continue
		}
		if r.Mode == ModeFull || r.Mode == mode {
			return r
		}
	}
	return nil
}

// skip records that a due time was skipped for another run: in one row for each such run, however many there are.
func (b *batch) skip(ctx context.Context, conn *Connection, s *Schedule, other *Run) (Outcome, error) {
	now := b.tx.Now()
	r := Run{
		ID: NewID(), Org: b.org, Connection: conn.ID, ConnectionName: conn.Name, Mode: s.Mode, State: RunCancelled,
		RequestedBy: BySchedule, CreatedAt: now,
	}
	if s.SkipFor == other.ID {
		was, err := b.tx.Run(ctx, b.org, s.SkipRun)
		switch {
		case err == nil:
			r = was
		case CodeOf(err) == NotFound:
			s.Skips = 0
		default:
			return Outcome{}, err
		}
	} else {
		s.Skips = 0
	}
	s.SkipFor, s.SkipRun = other.ID, r.ID
	s.Skips++
	r.FinishedAt = now
	r.Note = fmt.Sprintf("skipped: run %s was still %s when it was due", other.ID, other.State)
	if s.Skips > 1 {
		r.Note += fmt.Sprintf("; %d due times skipped", s.Skips)
	}
	b.rows.Runs = append(b.rows.Runs, r)
	return Outcome{Result: Applied, ID: r.ID, Run: &r}, nil
}

// inBlackout returns when the window ends in which a connection's schedules start no run now.
func (b *batch) inBlackout(ctx context.Context, conn *Connection) (until time.Time, holds bool, err error) {
	all, err := b.tx.Schedules(ctx, b.org, conn.ID)
	if err != nil || len(all) == 0 {
		return until, false, err
	}
	until, holds = all[0].Blackouts().Holds(b.tx.Now())
	return until, holds, nil
}
