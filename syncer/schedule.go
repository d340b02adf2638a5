package syncer

import (
	"context"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// schedule asks for the runs that are due, and for those that look again at what was left unsettled, until the context ends. Every replica does: of those that see a schedule due,
// one moves it on. The time is the database's; the machine's own clock only measures the waiting.
func (s *Syncer) schedule(ctx context.Context) {
	for ctx.Err() == nil {
		wait := s.AskDue(ctx)
		s.AskFollowUps(ctx)
		s.AskLifelines(ctx)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// AskDue asks for the runs of the schedules that are due now, and returns how long to wait before looking again: until
// the next one where that comes sooner than the usual look.
func (s *Syncer) AskDue(ctx context.Context) time.Duration {
	wait := s.cfg.Poll
	due, now, err := s.cfg.Store.DueSchedules(ctx, wait)
	if err != nil {
		if ctx.Err() == nil {
			s.cfg.Log.Error("look for due schedules", "error", err)
		}
		return wait
	}
	for i := range due {
		left := due[i].Next.Add(due[i].Delay()).Sub(now)
		if until, holds := due[i].Blackouts().Holds(now); holds { // it stays due, and is caught up once
			left = wait
			if !until.IsZero() {
				left = until.Sub(now)
			}
		}
		if left > 0 {
			wait = min(wait, left)
			continue
		}
		s.ask(ctx, &due[i])
	}
	return wait
}

// ask asks for the run of a schedule that is due.
func (s *Syncer) ask(ctx context.Context, due *roster.Schedule) {
	log := s.cfg.Log.With("connection", due.Connection, "mode", due.Mode, "due", due.Next)
	cause := roster.Cause{Actor: roster.Actor{Kind: roster.ActorSystem, Name: roster.BySchedule}}
	request := roster.RunRequest{Connection: due.Connection, Mode: due.Mode, By: roster.BySchedule, Due: due.Next}
	outs, err := s.cfg.Roster.Commit(ctx, due.Org, cause, []roster.Change{request})
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		log.Error("ask for a run that is due", "error", err)
		return
	}
	switch out := outs[0]; {
	case out.Result == roster.Stale: // another replica was quicker, or an earlier schedule has taken it along
	case out.Err != nil:
		log.Error("ask for a run that is due", "error", out.Err)
	case out.Run == nil:
		log.Debug("a run was due, but the connection may not run")
	case out.Run.State == roster.RunQueued:
		log.Info("a run is due", "run", out.Run.ID, "note", out.Run.Note)
		s.Wake()
	default:
		log.Info("a run was due and is skipped", "run", out.Run.ID, "note", out.Run.Note)
	}
}
