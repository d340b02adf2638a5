package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

func TestDriftOverTimeAndTimings(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		b.commit(roster.Cause{}, roster.RunRequest{Connection: conn, Mode: roster.ModeFull, By: "test"})
		run, err := b.db.ClaimRun(ctx, "test", time.Minute)
		b.ok(err)
		run.State, run.Timings = roster.RunDone, roster.Timings{Pull: 1500 * time.Millisecond, Plan: 20 * time.Millisecond}
		b.ok(b.db.FinishRun(ctx, run, store.Ending{Tallies: []store.Tally{
			{Kind: roster.StaleMember, Action: roster.ActUpdate, State: roster.ActionApplied, N: 3},
			{Kind: roster.StaleMember, Action: roster.ActUpdate, State: roster.ActionHeld, N: 2},
			{Kind: roster.ConflictKind, Action: roster.ActNone, State: roster.ActionListed, N: 1},
		}}))
		b.now = time.Now()
		shown, err := b.local.Run(ctx, run.ID, false)
		b.ok(err)
		if took := shown.Timings; took == nil || took.Pull != 1.5 || took.Plan != 0.02 || took.Apply != 0 || took.Queued < 0 || shown.PlanDropped {
			b.t.Errorf("timings %+v", took)
		}
		for _, tc := range []struct {
			ask     client.DriftOptions
			bucket  string
			buckets int
		}{
			{client.DriftOptions{}, "day", 31}, {client.DriftOptions{Since: "48h"}, "hour", 49}, {client.DriftOptions{Since: "48h", Bucket: "day"}, "day", 3},
			{client.DriftOptions{Since: "0001-01-01T00:00:00Z"}, "day", 31}, // the zero time is nobody's beginning
		} {
			got, err := b.local.Drift(ctx, "acme", "entra", tc.ask)
			b.ok(err)
			last := got.Buckets[len(got.Buckets)-1]
			if got.Bucket != tc.bucket || len(got.Buckets) != tc.buckets || got.Connection != "entra" || got.Organisation != "acme" ||
				!got.Since.Equal(got.Buckets[0].Start) || got.Totals["stale_member"] != (client.DriftCount{Found: 5, Applied: 3, Held: 2}) ||
				got.Totals["conflict"] != (client.DriftCount{Listed: 1}) || last.Start.After(got.Until) {
				b.t.Errorf("%+v: %d buckets, %+v", tc.ask, len(got.Buckets), got)
			}
		}
		for ask, says := range map[client.DriftOptions]string{
			{Since: "soon"}:                  "since: \"soon\" is neither a time",
			{Since: "2999-01-01T00:00:00Z"}:  "has not come yet",
			{Since: "90d", Bucket: "minute"}: "neither hour nor day",
			{Since: "90d", Bucket: "hour"}:   "bucket=day",
			{Since: "9999d"}:                 "more than 1000 buckets",
		} {
			_, err := b.local.Drift(ctx, "acme", "entra", ask)
			b.refused(err, http.StatusBadRequest, "invalid", says)
		}
		_, err = b.local.Drift(ctx, "acme", "nosuch", client.DriftOptions{})
		b.refused(err, http.StatusNotFound, "not_found", "no connection")
		_, err = b.client(client.Options{Server: b.url, APIKey: b.key("beta", "viewer")}).Drift(ctx, "acme", "entra", client.DriftOptions{})
		b.refused(err, http.StatusNotFound, "not_found", "no organisation")
	})
}
