package syncer

import (
	"context"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// WatchPushes warns where pushes alone have taken the access of more members within a day than a run might. Pushes are
// never refused by a guard: the warning is for the operator. Each connection is warned of once a day.
func (s *Syncer) WatchPushes(ctx context.Context) error {
	orgs, err := s.cfg.Store.Organisations(ctx)
	if err != nil {
		return err
	}
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return err
	}
	for _, o := range orgs {
		off, err := s.cfg.Store.PushedOff(ctx, o.ID, now.Add(-24*time.Hour))
		if err != nil {
			return err
		}
		for connection, n := range off {
			if err := s.watch(ctx, o, connection, n, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Syncer) watch(ctx context.Context, o roster.Organisation, connection string, n int, now time.Time) error {
	live, _, err := s.cfg.Store.Owned(ctx, o.ID, connection)
	if err != nil {
		return err
	}
	if !s.cfg.Limits.Members.Crossed(n, live+n) {
		return nil
	}
	s.mu.Lock()
	due := now.Sub(s.warned[connection]) >= 24*time.Hour
	if due {
		s.warned[connection] = now
	}
	s.mu.Unlock()
	if due {
		s.cfg.Log.Warn("pushes alone have deactivated or deleted more members within a day than a run might",
			"organisation", o.Name, "connection", connection, "members", n, "of", live+n)
	}
	return nil
}
