package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

func TestAskingForRuns(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		_, err := b.local.Resync(ctx, "acme", client.AskResync{})
		b.refused(err, http.StatusConflict, "conflict", "no connections", "configuration file")
		_, err = b.local.Diff(ctx, "acme", client.AskDiff{})
		b.refused(err, http.StatusConflict, "conflict", "no connections")
		b.connection("entra", "t1")
		dry, err := b.local.Diff(ctx, "acme", client.AskDiff{})
		if err != nil || dry.Mode != "dry" || dry.State != "queued" || dry.Connection != "entra" || dry.Organisation != "acme" ||
			dry.RequestedBy != "local operator" || dry.Actions == nil || dry.Totals == nil || dry.Held != nil || dry.Progress != nil {
			b.t.Errorf("got %+v, %v", dry, err)
		}
		b.connection("okta", "t2")
		b.commit(roster.Cause{}, roster.ConnectionSync{Name: "pushes", Kind: roster.KindSCIM})
		_, err = b.local.Diff(ctx, "acme", client.AskDiff{})
		b.refused(err, http.StatusBadRequest, "invalid", "several connections", "okta")
		_, err = b.local.Resync(ctx, "acme", client.AskResync{Connection: "pushes"})
		b.refused(err, http.StatusBadRequest, "invalid", "push only")
		over := b.remote(b.key("acme", "owner"))
		before := b.runs.wakes()
		runs, err := over.Resync(ctx, "acme", client.AskResync{})
		if err != nil || len(runs.Runs) != 2 || runs.Runs[0].Mode != "full" || runs.Runs[1].RequestedBy != "acme owner" {
			b.t.Errorf("got %+v, %v", runs, err)
		}
		again, err := over.Resync(ctx, "acme", client.AskResync{Connection: "entra"})
		if err != nil || len(again.Runs) != 1 || again.Runs[0].Run != runs.Runs[0].Run {
			b.t.Errorf("got %+v, %v", again, err)
		}
		if woken := b.runs.wakes() - before; woken != 2 {
			b.t.Errorf("woken %d times", woken)
		}
		for o, want := range map[client.ListOptions]int{
			{}: 3, {Limit: 2}: 2, {Connection: "okta"}: 1, {Status: "done"}: 0, {Status: "queued"}: 3, {Organisation: "beta"}: 0, {Organisation: "acme"}: 3,
		} {
			if got := list(b, b.local.Runs(ctx, o)); len(got) != want {
				b.t.Errorf("%+v: %d runs, want %d", o, len(got), want)
			}
		}
		if r, err := over.CancelRun(ctx, dry.Run); err != nil || r.State != "cancelled" || !strings.Contains(r.Error, "acme owner") {
			b.t.Errorf("got %+v, %v", r, err)
		}
		_, err = over.CancelRun(ctx, dry.Run)
		b.refused(err, http.StatusConflict, "conflict", "nothing to cancel")
	})
}

func planned() []roster.RunAction {
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return []roster.RunAction{
		{Phase: 2, State: roster.ActionHeld, Note: "too many", Drift: roster.Drift{
			Kind: roster.OrphanedMember, Action: roster.ActDeactivate, Reason: "gone there",
			Subject:  roster.Subject{Type: roster.TypeMember, ID: "m1", Name: "ada", ObjectID: "o1"},
			Evidence: []roster.Evidence{{Source: "graph", Time: when, Text: "not found"}},
		}},
		{Phase: 1, State: roster.ActionApplied, Drift: roster.Drift{
			Kind: roster.StaleMember, Action: roster.ActUpdate, Reason: "differs: userName", Subject: roster.Subject{Type: roster.TypeMember, ID: "m2"},
			Before: map[string]string{"userName": "a"}, Values: map[string]string{"userName": "b"},
		}},
		{Phase: 3, State: roster.ActionPlanned, Drift: roster.Drift{
			Kind: roster.MissingMembership, Action: roster.ActAdd,
			Subject: roster.Subject{Type: roster.TypeMembership, Name: "ada in Engineers", ObjectID: "g1/o1"},
		}},
		{Phase: 1, State: roster.ActionApplied, Drift: roster.Drift{Kind: roster.LinkKind, Subject: roster.Subject{Type: roster.TypeMember, ID: "m3"}}},
		{Phase: 4, State: roster.ActionListed, Drift: roster.Drift{Kind: roster.ConflictKind, Action: roster.ActNone, Subject: roster.Subject{Type: roster.TypeMember}}},
	}
}

func TestRunWithItsPlan(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		run := b.finished(conn, roster.ModeFull, roster.RunHeld, planned()...)
		b.ok(b.db.AddCollection(ctx, &run, store.Collection{Kind: "members", ObjectID: "g1", Name: "Engineers", Error: "503"}))
		b.ok(b.db.AddCollection(ctx, &run, store.Collection{Kind: "users", Whole: true}))
		got, err := b.local.Run(ctx, run.ID, true)
		b.ok(err)
		if got.State != "held" || !got.Complete || len(got.Held) != 1 || got.Held[0].Of != 7 || got.Progress.Pages != 3 || got.StartedAt == nil || got.FinishedAt == nil ||
			strings.Join(got.Incomplete, "|") != "members of Engineers: 503" {
			b.t.Errorf("got %+v", got)
		}
		if text, _ := json.Marshal(got.Totals); string(text) != `{"missing_membership":1,"orphaned_member":1,"stale_member":1}` {
			b.t.Errorf("totals %s", text)
		}
		if len(got.Actions) != 4 {
			b.t.Fatalf("%d actions", len(got.Actions))
		}
		stale, orphan, missing := got.Actions[0], got.Actions[1], got.Actions[2]
		if stale.Kind != "stale_member" || stale.Before["userName"] != "a" || stale.After["userName"] != "b" || stale.State != "applied" || stale.Evidence == nil {
			b.t.Errorf("got %+v", stale)
		}
		if *orphan.Subject.ID != "m1" || orphan.Subject.Type != "member" || orphan.Note != "too many" || orphan.State != "held" ||
			orphan.Evidence[0].Text != "not found" || orphan.Evidence[0].Time.Year() != 2026 {
			b.t.Errorf("got %+v", orphan)
		}
		if missing.Subject.ID != nil || missing.Subject.ObjectID != "g1/o1" || missing.Subject.Type != "membership" {
			b.t.Errorf("got %+v", missing)
		}
		var raw map[string]any
		b.read("/api/v1/runs/"+run.ID, b.key("acme", "viewer"), &raw)
		if actions, ok := raw["actions"].([]any); !ok || len(actions) != 0 {
			b.t.Errorf("actions are %v", raw["actions"])
		}
		_, err = b.local.Run(ctx, "nothing", true)
		b.refused(err, http.StatusNotFound, "not_found", "no run")
	})
}

func TestPlansOfManyPagesAreWhole(t *testing.T) {
	const many = 12_500 // more than one answer holds
	each(t, func(b *bench) {
		actions := make([]roster.RunAction, many)
		for i := range actions {
			actions[i] = roster.RunAction{Phase: i % 3, Note: strconv.Itoa(i % 3), State: roster.ActionPlanned, Drift: roster.Drift{Kind: roster.MissingMember, Action: roster.ActCreate, Version: int64(i)}}
		}
		run := b.finished(b.connection("entra", "t1"), roster.ModeDry, roster.RunDone, actions...)
		got, err := b.local.Run(b.t.Context(), run.ID, true)
		if err != nil || len(got.Actions) != many || got.Totals["missing_member"] != many || got.Held != nil {
			b.t.Errorf("%d actions, %v, %v", len(got.Actions), got.Totals, err)
		}
		phase := 0
		for _, a := range got.Actions {
			at, _ := strconv.Atoi(a.Note)
			if at < phase {
				b.t.Fatalf("an action of phase %d after one of phase %d", at, phase)
			}
			phase = at
		}
	})
}

func TestApproval(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		run := b.finished(conn, roster.ModeFull, roster.RunHeld, planned()...)
		_, err := b.local.ApproveRun(ctx, run.ID, []string{"stale"})
		b.refused(err, http.StatusBadRequest, "invalid", "redundant_soft_delete")
		_, err = b.local.ApproveRun(ctx, run.ID, []string{"missing_team"})
		b.refused(err, http.StatusBadRequest, "invalid", "holds no action")
		before := b.runs.wakes()
		over := b.remote(b.key("acme", "admin"))
		got, err := over.ApproveRun(ctx, run.ID, []string{"orphaned_member"})
		if err != nil || got.Approver != "acme admin" || got.Run != run.ID || got.Totals["orphaned_member"] != 1 || b.runs.wakes() != before+1 {
			b.t.Errorf("got %+v, %v", got, err)
		}
		if full, err := over.Run(ctx, run.ID, true); err != nil || full.Actions[1].State != "approved" {
			b.t.Errorf("got %+v, %v", full, err)
		}
		dry := b.finished(b.connection("okta", "t2"), roster.ModeDry, roster.RunDone)
		if response, p := b.do(http.MethodPost, "/api/v1/runs/"+dry.ID+"/approve", b.key("acme", "owner"), ""); response.StatusCode != http.StatusConflict {
			b.t.Errorf("got %+v", p)
		}
	})
}

func TestConnections(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		ok, failing, held := b.connection("ok", "t1"), b.connection("failing", "t2"), b.connection("held", "t3")
		b.push(ok, "ada", "")
		b.finished(ok, roster.ModeFull, roster.RunDone, planned()...)
		b.finished(failing, roster.ModeFull, roster.RunFailed)
		b.finished(held, roster.ModeFull, roster.RunHeld, planned()...)
		b.finished(held, roster.ModeFull, roster.RunFailed)
		gone := b.connection("gone", "t4")
		b.commit(roster.Cause{}, roster.ConnectionDetach{ID: gone, Reason: "it left the configuration"})
		got := list(b, b.local.Connections(ctx, "acme", client.ListOptions{}))
		states := make([]string, len(got))
		for i, c := range got {
			states[i] = c.Name + " " + c.State + " " + c.Reason
		}
		want := "failing failing the tenant is gone|gone detached it left the configuration|held held a run's plan waits for approval: `rosterd runs list --status held`|ok ok "
		if strings.Join(states, "|") != want {
			b.t.Errorf("got %q", states)
		}
		if got[3].Kind != "entra" || got[3].Target != "t1" || got[3].Members != 1 || got[3].Teams != 0 {
			b.t.Errorf("got %+v", got[3])
		}
		status, err := b.local.Status(ctx)
		b.ok(err)
		if status.Database != b.db.Kind() || status.Version != "v1.2.3" || len(status.Connections) != 4 {
			b.t.Fatalf("got %+v", status)
		}
		c := status.Connections[3]
		if c.Organisation != "acme" || c.Name != "ok" || c.State != "ok" || c.LastRun == nil || c.LastRun.State != "done" || c.LastRun.FinishedAt == nil ||
			c.Drift["stale_member"] != 1 || c.Drift["link"] != 0 || c.Quarantine != nil || c.NextFull != nil {
			b.t.Errorf("got %+v", c)
		}
		if idle := status.Connections[1]; idle.LastRun != nil || idle.Drift == nil || idle.State != "detached" {
			b.t.Errorf("got %+v", idle)
		}
	})
}

func TestConnectionTest(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		b.commit(roster.Cause{}, roster.ConnectionSync{Name: "pushes", Kind: roster.KindSCIM})
		got, err := b.local.TestConnection(ctx, "acme", "entra")
		if err != nil || !got.OK || got.Name != "entra" || got.Message != "it answers" || b.runs.tested[0] != b.acme+" "+conn {
			b.t.Errorf("got %+v, %v, tested %v", got, err, b.runs.tested)
		}
		b.runs.err = errors.New("the client secret has expired")
		if got, err = b.local.TestConnection(ctx, "acme", "entra"); err != nil || got.OK || got.Message != "the client secret has expired" {
			b.t.Errorf("got %+v, %v", got, err)
		}
		_, err = b.local.TestConnection(ctx, "acme", "pushes")
		b.refused(err, http.StatusBadRequest, "invalid", "push only")
		_, err = b.local.TestConnection(ctx, "beta", "entra")
		b.refused(err, http.StatusNotFound, "not_found")
	})
}

func TestRebindRenameRelease(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		b.push(conn, "ada", "")
		_, err := b.local.RebindConnection(ctx, "acme", "entra")
		b.refused(err, http.StatusConflict, "conflict", "not detached")
		_, err = b.local.ReleaseConnection(ctx, "acme", "entra")
		b.refused(err, http.StatusConflict, "conflict", "not detached")
		_, err = b.local.RenameConnection(ctx, "acme", client.RenameConnection{Old: "entra", New: "azure"})
		b.refused(err, http.StatusNotFound, "not_found", "azure")

		b.commit(roster.Cause{}, roster.RunRequest{Connection: conn, Mode: roster.ModeFull})
		run, err := b.db.ClaimRun(ctx, "test", time.Minute)
		b.ok(err)
		run.State = roster.RunDone
		b.ok(b.db.PinTarget(ctx, run, "t1"))
		b.ok(b.db.FinishRun(ctx, run, store.Ending{}))
		b.connection("entra", "t9")
		got, err := b.local.RebindConnection(ctx, "acme", "entra")
		if err != nil || got.State != "ok" || got.Target != "t9" || got.Members != 1 {
			b.t.Errorf("got %+v, %v", got, err)
		}
		b.commit(roster.Cause{}, roster.ConnectionDetach{ID: conn, Reason: "it left"})
		b.connection("azure", "t9")
		got, err = b.local.RenameConnection(ctx, "acme", client.RenameConnection{Old: "entra", New: "azure"})
		if err != nil || got.Name != "azure" || got.State != "ok" || got.Members != 1 {
			b.t.Errorf("got %+v, %v", got, err)
		}
		azure := list(b, b.local.Connections(ctx, "acme", client.ListOptions{}))
		if len(azure) != 1 {
			b.t.Errorf("got %+v", azure)
		}
		found, err := b.db.Connection(ctx, b.acme, "azure")
		b.ok(err)
		b.commit(roster.Cause{}, roster.ConnectionDetach{ID: found.ID, Reason: "it left"})
		got, err = b.local.ReleaseConnection(ctx, "acme", "azure")
		if err != nil || got.State != "detached" || got.Members != 0 {
			b.t.Errorf("got %+v, %v", got, err)
		}
		_, err = b.local.Resync(ctx, "acme", client.AskResync{})
		b.refused(err, http.StatusConflict, "conflict", "azure", "detached")
		_, err = b.local.Resync(ctx, "acme", client.AskResync{Connection: "azure"})
		b.refused(err, http.StatusConflict, "conflict", "detached")
	})
}
