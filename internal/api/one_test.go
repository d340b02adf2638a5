package api_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// saw commits the finished run of one person that the syncer is to return.
func (b *bench) saw(org, conn string, actions ...roster.RunAction) roster.Run {
	b.t.Helper()
	run := roster.Run{
		ID: roster.NewID(), Org: org, Connection: conn, ConnectionName: "entra", Mode: roster.ModeOne, State: roster.RunPartial, RequestedBy: "acme owner",
		Note: "memberships were left as they are", Said: &roster.Said{
			Key: "ada", ObjectID: "o1", MemberID: "m1", There: "in scope", Here: "deactivated", Done: "reactivated",
			Wanted: map[string]string{"displayName": "Ada"}, Stored: map[string]string{"displayName": "A"},
		},
	}
	_, err := b.roster.Commit(context.Background(), org, roster.Cause{Run: &roster.RunCause{ID: run.ID, One: &roster.OneRun{
		Connection: conn, Pin: "t1", Finish: func(_ []roster.Outcome, now time.Time) (roster.Run, []roster.RunAction) {
			run.CreatedAt, run.StartedAt, run.FinishedAt = now, now, now
			return run, actions
		},
	}}}, nil)
	b.ok(err)
	return run
}

func TestOnePerson(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		action := roster.RunAction{N: 1, Phase: 5, State: roster.ActionApplied, Drift: roster.Drift{
			Kind: roster.RedundantSoftDelete, Action: roster.ActReactivate, Reason: "in scope there", Subject: roster.Subject{Type: roster.TypeMember, ID: "m1", Name: "ada"},
		}}
		orgs, err := b.db.Organisations(ctx)
		b.ok(err)
		org := orgs[0].ID
		for _, o := range orgs {
			if o.Name == "acme" {
				org = o.ID
			}
		}
		run := b.saw(org, conn, action)
		b.runs.runs = []roster.Run{run}
		over := b.remote(b.key("acme", "owner"))
		before := b.runs.wakes()

		got, err := over.Resync(ctx, "acme", client.AskResync{User: "ada"})
		b.ok(err)
		if len(got.Runs) != 1 || len(got.Runs[0].Actions) != 1 {
			b.t.Fatalf("got %+v", got)
		}
		r := got.Runs[0]
		if r.Run != run.ID || r.Mode != "one" || r.State != "partial" || !r.Finished() || r.Actions[0].State != "applied" || r.Totals["redundant_soft_delete"] != 1 ||
			r.Note != run.Note || r.Person == nil || *r.Person.MemberID != "m1" || r.Person.ObjectID != "o1" || r.Person.Wanted["displayName"] != "Ada" ||
			r.Person.Stored["displayName"] != "A" || r.Person.There+r.Person.Here+r.Person.Done+r.Person.Key != "in scopedeactivatedreactivatedada" {
			b.t.Errorf("got %+v, person %+v", r, r.Person)
		}
		shown, err := over.Run(ctx, run.ID, true)
		if b.ok(err); !reflect.DeepEqual(shown, r) {
			b.t.Errorf("shown later %+v\nanswered   %+v", shown, r)
		}

		b.runs.asked = nil
		dry, err := b.local.Diff(ctx, "acme", client.AskDiff{User: "Ada@x"})
		if b.ok(err); dry.Run != run.ID {
			b.t.Errorf("got %+v", dry)
		}
		second := b.connection("okta", "t2")
		b.commit(roster.Cause{}, roster.ConnectionSync{Name: "pushes", Kind: roster.KindSCIM})
		_, err = b.local.Diff(ctx, "acme", client.AskDiff{User: "ada"})
		b.refused(err, http.StatusBadRequest, "invalid", "several connections")
		_, err = over.Resync(ctx, "acme", client.AskResync{User: "ada"})
		b.ok(err)
		_, err = over.Resync(ctx, "acme", client.AskResync{User: "ada", Connection: "okta"})
		b.ok(err)
		want := []roster.AskOne{
			{Org: org, Key: "Ada@x", Connections: []string{conn}, Dry: true, By: "local operator"},
			{Org: org, Key: "ada", Connections: []string{conn, second}, By: "acme owner"},
			{Org: org, Key: "ada", Connections: []string{second}, By: "acme owner"},
		}
		if !reflect.DeepEqual(b.runs.asked, want) {
			b.t.Errorf("the syncer was asked %+v\nwant %+v", b.runs.asked, want)
		}
		if b.runs.wakes() != before {
			b.t.Error("the workers were woken")
		}

		_, err = b.local.Resync(ctx, "acme", client.AskResync{User: strings.Repeat("x", 257)})
		b.refused(err, http.StatusBadRequest, "invalid", "user", "256")
		_, err = b.remote(b.key("acme", "viewer")).Diff(ctx, "acme", client.AskDiff{User: "ada"})
		b.refused(err, http.StatusForbidden, "forbidden", "only read")
		b.runs.err = roster.Errorf(roster.Conflict, "several members match")
		_, err = b.local.Resync(ctx, "acme", client.AskResync{User: "ada"})
		b.refused(err, http.StatusConflict, "conflict", "several members match")
	})
}

// A resync of one person is no word on the connection's health, and holds none of its conflicts.
func TestARunOfOnePersonIsNotTheConnectionsLatest(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		full := b.finished(conn, roster.ModeFull, roster.RunDone)
		one := b.saw(full.Org, conn)
		latest, _, err := b.db.LatestRuns(ctx, full.Org)
		if b.ok(err); latest[conn].ID != full.ID {
			b.t.Errorf("the latest run is %s, mode %s", latest[conn].ID, latest[conn].Mode)
		}
		if plan, _, err := b.db.LatestPlan(ctx, full.Org, conn); err != nil || plan != full.ID {
			b.t.Errorf("the latest plan is %s (%v), not %s; the person's was %s", plan, err, full.ID, one.ID)
		}
	})
}
