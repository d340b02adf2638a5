package syncer

import (
	"context"

	"github.com/rosterd/rosterd/internal/roster"
)

// AskFollowUps asks for a delta of each connection whose runs left something unsettled a while ago: what a fresh push kept
// a run from, what two reads disagreed on. Without it that would wait for the next run of the schedule. Every replica may
// ask; they join one run.
func (s *Syncer) AskFollowUps(ctx context.Context) {
	due, err := s.cfg.Store.DueFollowUps(ctx, s.cfg.FollowUp)
	if err != nil {
		if ctx.Err() == nil {
			s.cfg.Log.Error("look for what is to be looked at again", "error", err)
		}
		return
	}
	var dark map[string]bool
	if len(due) > 0 {
		if dark, err = s.cfg.Store.Dark(ctx); err != nil {
			s.cfg.Log.Error("look for blackout windows", "error", err)
			return
		}
	}
	for _, f := range due {
		if dark[f.Connection] {
			continue
		}
		log := s.cfg.Log.With("connection", f.Connection, "objects", f.Objects)
		cause := roster.Cause{Actor: roster.Actor{Kind: roster.ActorSystem, Name: roster.ByFollowUp}}
		request := roster.RunRequest{Connection: f.Connection, Mode: roster.ModeDelta, By: roster.ByFollowUp}
		outs, err := s.cfg.Roster.Commit(ctx, f.Org, cause, []roster.Change{request})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("ask for a run that looks again", "error", err)
		case outs[0].Err != nil:
			log.Debug("a run that looks again was refused", "error", outs[0].Err)
		case outs[0].Created:
			log.Info("a run looks again at what was left unsettled", "run", outs[0].ID)
			s.Wake()
		}
	}
}
