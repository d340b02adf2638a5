package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

func TestAPausedConnectionRefusesRunsThatWriteAndSaysHowToResume(t *testing.T) {
	each(t, func(b *bench) {
		ctx := t.Context()
		b.connection("entra", "t1")
		_, err := b.local.PauseConnection(ctx, "acme", "entra", client.AskPause{})
		b.refused(err, 400, "invalid", "reason: say why")
		_, err = b.local.PauseConnection(ctx, "acme", "entra", client.AskPause{Reason: "r", For: "soon"})
		b.refused(err, 400, "invalid", `for: "soon" is not understood`)
		_, err = b.local.PauseConnection(ctx, "acme", "entra", client.AskPause{Reason: "r", For: "2h", Until: "2030-01-01"})
		b.refused(err, 400, "invalid", "not both")
		_, err = b.local.PauseConnection(ctx, "acme", "entra", client.AskPause{Reason: "r", Until: "2020-01-01"})
		b.refused(err, 400, "invalid", "2020-01-01 00:00 UTC is past already")
		_, err = b.local.PauseConnection(ctx, "acme", "other", client.AskPause{Reason: "r"})
		b.refused(err, 404, "not_found", `no connection "other"`)
		_, err = b.local.ResumeConnection(ctx, "acme", "entra")
		b.refused(err, 409, "conflict", "not paused: there is nothing to resume")

		c, err := b.local.PauseConnection(ctx, "acme", "entra", client.AskPause{Reason: "moving the tenant", For: "2h"})
		b.ok(err)
		if c.State != "paused" || c.Paused == nil || c.Paused.Until == nil || c.Paused.By != "local operator" || c.Paused.Reason != "moving the tenant" {
			t.Errorf("paused: %+v, %+v", c, c.Paused)
		}
		for _, ask := range []client.AskResync{{}, {Connection: "entra"}} {
			_, err = b.local.Resync(ctx, "acme", ask)
			b.refused(err, 409, "conflict", "paused until ", "moving the tenant", "rosterd connection resume entra")
		}
		if _, err := b.local.Diff(ctx, "acme", client.AskDiff{Connection: "entra"}); err != nil {
			t.Errorf("a dry run is refused: %v", err)
		}
		status, err := b.local.Status(ctx)
		b.ok(err)
		if s := status.Connections[0]; s.State != "paused" || s.Paused == nil {
			t.Errorf("the status has %+v", s)
		}
		b.connection("okta", "t2")
		runs, err := b.local.Resync(ctx, "acme", client.AskResync{})
		if err != nil || len(runs.Runs) != 1 || runs.Runs[0].Connection != "okta" {
			t.Errorf("a resync of all runs %+v, %v", runs, err)
		}

		woken := b.runs.wakes()
		if c, err = b.local.ResumeConnection(ctx, "acme", "entra"); err != nil || c.State != "ok" || c.Paused != nil || b.runs.wakes() == woken {
			t.Errorf("resumed: %+v, %v", c, err)
		}
		if _, err := b.local.Resync(ctx, "acme", client.AskResync{Connection: "entra"}); err != nil {
			t.Errorf("refused after it was resumed: %v", err)
		}
		b.told("connection.paused", "moving the tenant", "local operator")
		b.told("connection.resumed", "local operator")
	})
}

// told holds that an event of a type says all of these, its actor's name among them.
func (b *bench) told(typ string, says ...string) {
	b.t.Helper()
	events, _, err := b.db.Events(context.Background(), b.acme, store.List{})
	b.ok(err)
	for i := range events {
		e := &events[i]
		all := e.Reason + " " + e.Actor.Name
		missing := false
		for _, text := range says {
			missing = missing || !strings.Contains(all, text)
		}
		if e.Type == typ && !missing {
			return
		}
	}
	b.t.Errorf("no event %s with %v", typ, says)
}

func TestExclusionsAreMadeListedAndEnded(t *testing.T) {
	each(t, func(b *bench) {
		ctx := t.Context()
		conn := b.connection("entra", "t1")
		ada := b.push(conn, "ada@example.com", "").ID
		ask := client.Exclude{Key: "ada@example.com", For: "3d", Reason: "on trial"}
		for _, tc := range []struct {
			change func(*client.Exclude)
			says   string
		}{
			{func(e *client.Exclude) { e.Reason = " " }, "reason: say why"},
			{func(e *client.Exclude) { e.Reason = strings.Repeat("x", 501) }, "up to 500 characters"},
			{func(e *client.Exclude) { e.For = "" }, "until: say when it ends"},
			{func(e *client.Exclude) { e.For, e.Until = "", "Friday" }, `until: "Friday" is not understood`},
			{func(e *client.Exclude) { e.Key = "bob@example.com" }, `no member "bob@example.com"`},
			{func(e *client.Exclude) { e.Key = "" }, "key: name the member"},
			{func(e *client.Exclude) { e.Connection = "okta" }, `no connection "okta"`},
		} {
			bad := ask
			tc.change(&bad)
			_, err := b.local.Exclude(ctx, "acme", "members", bad)
			status, code := 400, "invalid"
			if strings.HasPrefix(tc.says, "no ") {
				status, code = 404, "not_found"
			}
			b.refused(err, status, code, tc.says)
		}
		_, err := b.local.Include(ctx, "acme", "members", client.Include{Key: ada})
		b.refused(err, 409, "conflict", "ada@example.com is not excluded")
		_, err = b.local.Exclude(ctx, "beta", "members", ask)
		b.refused(err, 404, "not_found", "no member")

		e, err := b.local.Exclude(ctx, "acme", "members", ask)
		b.ok(err)
		if e.ID != ada || e.Name != "ada@example.com" || e.Connection != nil || e.By != "local operator" || e.Until.Sub(b.now) > 72*time.Hour {
			t.Errorf("made %+v", e)
		}
		ask.Connection, ask.For, ask.Until = "entra", "", "2099-12-01"
		if e, err = b.local.Exclude(ctx, "acme", "members", ask); err != nil || e.Connection == nil || !e.Until.Equal(time.Date(2099, 12, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("made %+v, %v", e, err)
		}
		list, err := client.Collect(b.local.Exclusions(ctx, "acme", "members", client.ListOptions{Limit: 2}))
		if err != nil || len(list) != 2 {
			t.Errorf("listed %+v, %v", list, err)
		}
		excluded, err := b.db.ExcludedFrom(ctx, b.acme, conn)
		b.ok(err)
		if x := excluded[ada]; x.Until.Year() != 2099 {
			t.Errorf("of two the longer one counts: %+v", x)
		}
		for _, of := range []string{"beta", "acme"} {
			teams, err := client.Collect(b.local.Exclusions(ctx, of, "teams", client.ListOptions{}))
			if err != nil || len(teams) != 0 {
				t.Errorf("teams of %s: %+v, %v", of, teams, err)
			}
		}
		b.told("member.excluded", "on trial", "local operator", "from runs of connection entra")

		if _, err = b.local.Include(ctx, "acme", "members", client.Include{Key: "ada@example.com"}); err != nil {
			t.Error(err)
		}
		if list, err = client.Collect(b.local.Exclusions(ctx, "acme", "members", client.ListOptions{})); err != nil || len(list) != 0 {
			t.Errorf("after the end: %+v, %v", list, err)
		}
		b.told("member.included", "on trial")
	})
}

func TestTeamsAreExcludedByTheirName(t *testing.T) {
	each(t, func(b *bench) {
		ctx := t.Context()
		_, err := b.roster.Commit(ctx, b.acme, roster.Cause{By: roster.ByPush}, []roster.Change{roster.TeamCreate{DisplayName: "Eng"}})
		b.ok(err)
		e, err := b.local.Exclude(ctx, "acme", "teams", client.Exclude{Key: "Eng", For: "1w", Reason: "reorganised by hand"})
		if err != nil || e.Type != "team" || e.Name != "Eng" {
			t.Fatalf("made %+v, %v", e, err)
		}
		b.told("team.excluded", "reorganised by hand")
		if e, err = b.local.Include(ctx, "acme", "teams", client.Include{Key: "Eng"}); err != nil || e.Name != "Eng" {
			t.Errorf("ended %+v, %v", e, err)
		}
	})
}

func TestReadersExcludeAndPauseNothing(t *testing.T) {
	each(t, func(b *bench) {
		b.connection("entra", "t1")
		key := b.key("acme", "viewer")
		for _, path := range []string{"members/exclude", "members/include", "teams/exclude", "connections/entra/pause", "connections/entra/resume"} {
			response, _ := b.do(http.MethodPost, "/api/v1/orgs/acme/"+path, key, `{"key":"x","for":"1d","reason":"r"}`)
			if response.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d", path, response.StatusCode)
			}
		}
	})
}
