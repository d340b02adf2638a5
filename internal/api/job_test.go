package api_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// Diagnose makes the runner one that can check connections.
func (r *runner) Diagnose(_ context.Context, _, connection string) ([]roster.Finding, error) {
	if r.err != nil {
		return nil, r.err
	}
	return []roster.Finding{
		{Check: "connection", State: roster.FindingOK, Text: connection}, {Check: "job", State: roster.FindingFail, Text: "quarantined", Fix: "restart it"},
	}, nil
}

// A connection shows what the last run read of the IdP's own job, in the status and in the lists.
func TestTheStateOfTheIdPsOwnJobIsShown(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		since := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
		save := func(j roster.Job) {
			b.commit(roster.Cause{}, roster.RunRequest{Connection: conn, Mode: roster.ModeFull, By: "test"})
			run, err := b.db.ClaimRun(ctx, "test", time.Minute)
			b.ok(err)
			b.ok(b.db.SaveJob(ctx, run, j))
			run.State = roster.RunDone
			b.ok(b.db.FinishRun(ctx, run, store.Ending{}))
		}
		show := func() (client.ConnectionStatus, client.Connection) {
			status, err := b.local.Status(ctx)
			b.ok(err)
			shown, err := b.local.Connection(ctx, "acme", "entra")
			b.ok(err)
			if listed := list(b, b.local.Connections(ctx, "acme", client.ListOptions{})); (listed[0].Job == nil) != (shown.Job == nil) || (listed[0].Quarantine == nil) != (shown.Quarantine == nil) {
				b.t.Errorf("listed %+v, shown %+v", listed[0], shown)
			}
			return status.Connections[0], shown
		}
		if s, c := show(); s.Job != nil || s.Quarantine != nil || c.Job != nil || c.Quarantine != nil {
			b.t.Errorf("before any run: %+v, %+v", s, c)
		}
		save(roster.Job{ID: "scim.1", Target: "another tenant", State: roster.JobActive})
		if s, c := show(); s.Job != nil || c.Job != nil {
			b.t.Errorf("of another target: %+v, %+v", s, c)
		}
		save(roster.Job{ID: "scim.1", Target: "t1", State: roster.JobQuarantined, ReadAt: since, Failures: 2, Problem: "grant it",
			Quarantine: &roster.Quarantine{Reason: "TooManyDeletes", Since: since, Message: "many"}, Cycle: &roster.JobCycle{Failed: true, Ended: since, Escrowed: 3}})
		s, c := show()
		if s.Quarantine == nil || s.Quarantine.Reason != "TooManyDeletes" || !s.Quarantine.Since.Equal(since) || s.Quarantine.NextAttempt != nil || s.Quarantine.Message != "many" {
			b.t.Errorf("quarantine %+v", s.Quarantine)
		}
		if j := c.Job; j == nil || j.State != "quarantined" || j.LastSteadyState != nil || j.Failures != 2 || j.Problem != "grant it" || !j.LastCycle.Failed || j.LastCycle.Escrowed != 3 || j.LastCycle.Began != nil {
			b.t.Errorf("job %+v", c.Job)
		}
		b.commit(roster.Cause{}, roster.ConnectionDetach{ID: conn, Reason: "it left the configuration"})
		if s, c := show(); s.Job != nil || s.Quarantine != nil || c.Job != nil {
			b.t.Errorf("detached: %+v, %+v", s, c)
		}
		_, err := b.local.Connection(ctx, "acme", "nobody")
		b.refused(err, http.StatusNotFound, "not_found", "nobody")
	})
}

func TestAConnectionIsDiagnosed(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		got, err := b.local.DiagnoseConnection(ctx, "acme", "entra")
		b.ok(err)
		if got.OK || got.Organisation != "acme" || got.Connection != "entra" || got.Kind != "entra" || len(got.Checks) != 2 ||
			got.Checks[0] != (client.Finding{Check: "connection", State: "ok", Text: conn}) || got.Checks[1].Fix != "restart it" {
			b.t.Errorf("got %+v", got)
		}
		b.commit(roster.Cause{}, roster.ConnectionSync{Name: "push", Kind: roster.KindSCIM, Target: "push only"})
		_, err = b.local.DiagnoseConnection(ctx, "acme", "push")
		b.refused(err, http.StatusBadRequest, "invalid", "doctor scim")
	})
}
