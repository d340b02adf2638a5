package api_test

import (
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// A connection shows that its runs take the place of pushes, since when and why, and afterwards when that was.
func TestALifelineIsShown(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		judge := func(j roster.PushesJudged) {
			j.Connection = conn
			b.commit(roster.Cause{}, j)
		}
		show := func() (client.ConnectionStatus, client.Connection) {
			status, err := b.local.Status(ctx)
			b.ok(err)
			shown, err := b.local.Connection(ctx, "acme", "entra")
			b.ok(err)
			if listed := list(b, b.local.Connections(ctx, "acme", client.ListOptions{})); (listed[0].Lifeline == nil) != (shown.Lifeline == nil) || listed[0].Lifelines != nil {
				b.t.Errorf("listed %+v, shown %+v", listed[0], shown)
			}
			return status.Connections[0], shown
		}
		if s, c := show(); s.Lifeline != nil || c.Lifeline != nil || len(c.Lifelines) != 0 {
			b.t.Errorf("while pushes are healthy: %+v, %+v", s, c)
		}
		judge(roster.PushesJudged{Quarantine: &roster.Quarantine{Reason: "EncounteredBaseEscrowThreshold"}})
		s, c := show()
		if s.Lifeline == nil || s.Lifeline.Since.IsZero() || s.Lifeline.Cause != "quarantine" || s.Lifeline.Until != nil ||
			s.Lifeline.Reason != "the identity provider's own job is in quarantine: EncounteredBaseEscrowThreshold" {
			b.t.Errorf("the lifeline is %+v", s.Lifeline)
		}
		if len(c.Lifelines) != 1 || c.Lifelines[0].Until != nil {
			b.t.Errorf("the lifelines are %+v", c.Lifelines)
		}
		for range 3 {
			judge(roster.PushesJudged{Read: true})
		}
		s, c = show()
		if s.Lifeline != nil || len(c.Lifelines) != 1 || c.Lifelines[0].Until == nil || c.Lifelines[0].Ended != "3 runs in a row found nothing that a push had missed" {
			b.t.Errorf("afterwards: %+v, %+v", s.Lifeline, c.Lifelines)
		}
		for range 11 {
			judge(roster.PushesJudged{Quarantine: &roster.Quarantine{Reason: "Unknown"}})
			for range 3 {
				judge(roster.PushesJudged{Read: true})
			}
		}
		if _, c = show(); len(c.Lifelines) != 10 || c.Lifelines[9].Since.After(c.Lifelines[0].Since) {
			b.t.Errorf("%d lifelines are shown: %+v", len(c.Lifelines), c.Lifelines)
		}
		judge(roster.PushesJudged{Quarantine: &roster.Quarantine{Reason: "Unknown"}})
		b.commit(roster.Cause{}, roster.ConnectionDetach{ID: conn, Reason: "it left the configuration"})
		if s, c = show(); s.Lifeline != nil || c.Lifeline != nil {
			b.t.Errorf("detached: %+v, %+v", s.Lifeline, c.Lifeline)
		}
		b.commit(roster.Cause{}, roster.ConnectionRelease{ID: conn})
		if _, c = show(); len(c.Lifelines) != 0 {
			b.t.Errorf("released: %+v", c.Lifelines)
		}
	})
}

// A connection shows its blackout windows and the next one; what falls due within one starts at its end.
func TestABlackoutIsShown(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		sync := func(windows ...string) client.ConnectionStatus {
			b.commit(roster.Cause{}, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t1", Schedules: []roster.Schedule{
				{Mode: roster.ModeDelta, Cron: "* * * * *", TimeZone: "UTC", Blackout: windows}}})
			status, err := b.local.Status(ctx)
			b.ok(err)
			return status.Connections[0]
		}
		if s := sync(); s.Blackout != nil || s.NextDelta == nil {
			b.t.Errorf("without windows: %+v", s)
		}
		s := sync("2100-01-01")
		if x := s.Blackout; x == nil || x.Now || x.Until != nil || len(x.Windows) != 1 || x.TimeZone != "UTC" {
			b.t.Errorf("before a window: %+v", s.Blackout)
		}
		if x := s.Blackout; x.Next == nil || x.Next.Format("2006-01-02 15:04") != "2100-01-01 00:00" || x.NextUntil.Format("2006-01-02") != "2100-01-02" {
			b.t.Errorf("the next one: %+v", s.Blackout)
		}
		s = sync("2026-01-01..2099-12-31")
		if x := s.Blackout; !x.Now || x.Until == nil || x.Until.Format("2006-01-02") != "2100-01-01" || x.Next != nil {
			b.t.Errorf("within one: %+v", s.Blackout)
		}
		if s.NextDelta == nil || !s.NextDelta.Equal(*s.Blackout.Until) {
			b.t.Errorf("the next delta is at %v, the window ends %v", s.NextDelta, s.Blackout.Until)
		}
		if s = sync("00:00-24:00"); !s.Blackout.Now || s.Blackout.Until != nil || s.NextDelta != nil {
			b.t.Errorf("without end: %+v, next %v", s.Blackout, s.NextDelta)
		}
	})
}
