package syncer

import (
	"context"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// judgePushes tells what the run has seen of the connection's pushes: the state of the IdP's own job, and how much it
// repaired that a push should have brought. The run's own result doesn't depend on it.
func (w *worker) judgePushes(ctx context.Context, tallies []store.Tally) {
	if w.run.Mode == roster.ModeDry || w.run.Approval || w.conn.ID == "" {
		return
	}
	seen := roster.PushesJudged{Connection: w.conn.ID}
	if w.job != nil {
		seen.Quarantine = w.job.Quarantine
	}
	switch w.run.State {
	case roster.RunDone, roster.RunPartial, roster.RunHeld:
		seen.Read = true
		if w.conn.Settled { // before that, what differs tells of the set-up and not of pushes
			seen.Missed = repaired(tallies)
		}
	default:
	}
	if seen.Quarantine == nil && seen.Missed == 0 {
		switch watched, err := w.cfg.Store.WatchesPushes(ctx, w.run.Org, w.conn.ID); {
		case err != nil:
			w.log.Error("judge the connection's pushes", "error", err)
			return
		case !watched:
			return
		}
	}
	cause := roster.Cause{
		Actor: roster.Actor{Kind: roster.ActorRun, ID: w.run.ID, Name: w.conn.Name}, Connection: w.conn.ID, ConnectionName: w.conn.Name,
		Run: &roster.RunCause{ID: w.run.ID, Fence: w.run.Fence},
	}
	outs, err := w.cfg.Roster.Commit(ctx, w.run.Org, cause, []roster.Change{seen})
	if err == nil && outs[0].Err != nil {
		err = outs[0].Err
	}
	if err != nil && roster.CodeOf(err) != roster.Fenced {
		w.log.Error("judge the connection's pushes", "error", err)
	}
}

// repaired counts what a run has done that a push should have brought.
func repaired(tallies []store.Tally) int {
	n := 0
	for _, t := range tallies {
		if t.State != roster.ActionApplied || t.Action == roster.ActNone {
			continue
		}
		switch t.Kind {
		case roster.MissingMember, roster.RedundantSoftDelete, roster.OrphanedMember, roster.StaleMember,
			roster.MissingTeam, roster.OrphanedTeam, roster.StaleTeam, roster.MissingMembership, roster.ExtraMembership:
			n += t.N
		default:
		}
	}
	return n
}

// AskLifelines asks for a delta of each connection whose runs take the place of pushes, once its last run is long enough
// ago. Every replica may ask; they join one run.
func (s *Syncer) AskLifelines(ctx context.Context) {
	idle, err := s.cfg.Store.IdleLifelines(ctx)
	var dark map[string]bool
	if err == nil && len(idle) > 0 {
		dark, err = s.cfg.Store.Dark(ctx)
	}
	if err != nil {
		if ctx.Err() == nil {
			s.cfg.Log.Error("look for lifelines", "error", err)
		}
		return
	}
	for i := range idle {
		l := &idle[i]
		src := s.cfg.Sources[l.Connection]
		if src.Lifeline <= 0 || l.Idle < src.Lifeline || dark[l.Connection] {
			continue
		}
		log := s.cfg.Log.With("connection", l.Connection)
		cause := roster.Cause{Actor: roster.Actor{Kind: roster.ActorSystem, Name: roster.ByLifeline}}
		request := roster.RunRequest{Connection: l.Connection, Mode: roster.ModeDelta, By: roster.ByLifeline}
		outs, err := s.cfg.Roster.Commit(ctx, l.Org, cause, []roster.Change{request})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("ask for a run of the lifeline", "error", err)
		case outs[0].Err != nil:
			log.Debug("a run of the lifeline was refused", "error", outs[0].Err)
		case outs[0].Created:
			log.Info("a run takes the place of pushes", "run", outs[0].ID)
			s.Wake()
		}
	}
}
