package api

import (
	"context"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// lifelinesShown is how many of a connection's lifelines its own page has.
const lifelinesShown = 10

// lifeline is the one that a connection is on; nil: it is on none, or none of its runs starts.
func (h health) lifeline(c *roster.Connection) *client.Lifeline {
	l, on := h.lifelines[c.ID]
	if !on || c.State == roster.ConnectionDetached {
		return nil
	}
	out := wireLifeline(&l)
	return &out
}

func wireLifeline(l *roster.Lifeline) client.Lifeline {
	return client.Lifeline{Since: l.Since, Cause: string(l.Cause), Reason: l.Reason, Until: optionalTime(l.Until), Ended: l.Ended}
}

// lifelines are a connection's latest, the newest first.
func (a *API) lifelines(ctx context.Context, c *roster.Connection) ([]client.Lifeline, error) {
	all, err := a.store.LifelinesOf(ctx, c.Org, c.ID, lifelinesShown)
	if err != nil {
		return nil, err
	}
	out := make([]client.Lifeline, len(all))
	for i := range all {
		out[i] = wireLifeline(&all[i])
	}
	return out, nil
}

// blackout are the windows of a connection's schedules, which have the same; nil: they have none.
func (h health) blackout(c *roster.Connection) *client.Blackout {
	for i := range h.schedules {
		s := &h.schedules[i]
		if s.Connection != c.ID || len(s.Blackout) == 0 {
			continue
		}
		windows := s.Blackouts()
		out := &client.Blackout{Windows: s.Blackout, TimeZone: s.TimeZone}
		until, holds := windows.Holds(h.now)
		if out.Now = holds; holds {
			out.Until = optionalTime(until)
		}
		from, to := windows.Next(h.now)
		if holds && !until.IsZero() && !from.IsZero() && from.Before(until) { // it is a part of the one that holds
			from, to = windows.Next(until)
		}
		out.Next, out.NextUntil = optionalTime(from), optionalTime(to)
		return out
	}
	return nil
}

// starts is when the run of a schedule starts that is due next: at the end of a window that its due time is within.
func starts(s *roster.Schedule) time.Time {
	if until, holds := s.Blackouts().Holds(s.Next); holds {
		return until
	}
	return s.Next
}
