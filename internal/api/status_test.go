package api_test

import (
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func TestStatusSaysWhenConnectionsRunNext(t *testing.T) {
	each(t, func(b *bench) {
		ctx := t.Context()
		every := func(mode roster.Mode, cron string) roster.Schedule {
			return roster.Schedule{Mode: mode, Cron: cron, TimeZone: "UTC"}
		}
		declare := func(name string, schedules ...roster.Schedule) string {
			outs, err := b.roster.Commit(ctx, b.acme, roster.Cause{}, []roster.Change{
				roster.ConnectionSync{Name: name, Kind: roster.KindEntra, Target: name, Schedules: schedules}})
			b.ok(err)
			return outs[0].ID
		}
		declare("both", every(roster.ModeDelta, "@every 10m"), every(roster.ModeFull, "0 3 * * *"))
		declare("full", every(roster.ModeFull, "0 3 * * *"))
		declare("none")
		gone := declare("gone", every(roster.ModeFull, "0 3 * * *"))
		_, err := b.roster.Commit(ctx, b.acme, roster.Cause{}, []roster.Change{roster.ConnectionDetach{ID: gone, Reason: "it left the configuration"}})
		b.ok(err)
		now, err := b.db.Now(ctx)
		b.ok(err)
		status, err := b.local.Status(ctx)
		b.ok(err)
		got := map[string]client.ConnectionStatus{}
		for _, c := range status.Connections {
			got[c.Name] = c
		}
		if c := got["both"]; c.NextDelta == nil || c.NextDelta.Sub(now) > 10*time.Minute || c.NextDelta.Sub(now) < 9*time.Minute || c.NextFull == nil || c.NextFull.Hour() != 3 {
			t.Errorf("both: %+v", c)
		}
		if c := got["full"]; c.NextDelta != nil || c.NextFull == nil {
			t.Errorf("full: %+v", c)
		}
		for _, name := range []string{"none", "gone"} {
			if c := got[name]; c.Name == "" || c.NextDelta != nil || c.NextFull != nil {
				t.Errorf("%s: %+v", name, c)
			}
		}
	})
}
