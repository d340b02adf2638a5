package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func TestATeamSaysWhoIsAwaitedInIt(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		okta := b.connection("okta", "t1")
		push := roster.Cause{By: roster.ByPush, Connection: okta, RequestID: "r-1", Actor: roster.Actor{Kind: roster.ActorToken, ID: "t", Name: "idp"}}
		team := b.commit(push, roster.TeamCreate{DisplayName: "Engineers", ExternalID: "g1", Members: []string{"00u1", "00u2"}})[0].Team
		b.commit(push, roster.TeamCreate{DisplayName: "Sales", Members: []string{"00u1"}})
		gone := b.commit(push, roster.TeamCreate{DisplayName: "Gone", Members: []string{"00u1"}})[0].Team
		b.commit(push, roster.TeamDelete{ID: gone.ID})

		if all := list(b, b.local.Teams(ctx, "acme", client.ListOptions{})); len(all) != 2 || all[0].Awaited != 2 || all[1].Awaited != 1 {
			b.t.Errorf("listed %+v", all)
		}
		for _, key := range []string{team.ID, "engineers", "g1"} {
			one, err := b.local.Team(ctx, "acme", key)
			if err != nil || one.ID != team.ID || one.Awaited != 2 || *one.Connection != "okta" || len(one.Members) != 0 {
				b.t.Errorf("%s: %+v, %v", key, one, err)
			}
		}
		awaited := list(b, b.local.Awaited(ctx, "acme", "Engineers", client.ListOptions{}))
		if len(awaited) != 2 || awaited[0].Value != "00u1" || awaited[1].Value != "00u2" || awaited[0].Token != "idp" || awaited[0].Request != "r-1" ||
			time.Since(awaited[0].Since) > time.Hour {
			b.t.Errorf("awaited %+v", awaited)
		}
		if part := list(b, b.local.Awaited(ctx, "acme", "Engineers", client.ListOptions{Limit: 1})); len(part) != 1 {
			b.t.Errorf("of one %+v", part)
		}
		if one, err := b.local.Team(ctx, "acme", gone.ID); err != nil || one.Status != "deleted" || one.Awaited != 0 {
			b.t.Errorf("a deleted one: %+v, %v", one, err)
		}
		b.push(okta, "ada", "ada@example.com")
		b.commit(push, roster.MemberCreate{Attributes: roster.Attributes{"userName": "bob", "externalId": "00u1"}, Active: true})
		if one, err := b.local.Team(ctx, "acme", team.ID); err != nil || one.Awaited != 1 || strings.Join(one.Members, " ") != "bob" {
			b.t.Errorf("once one came: %+v, %v", one, err)
		}
	})
}

func TestATeamIsFoundByWhatNamesItAlone(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		push := roster.Cause{By: roster.ByPush, Actor: roster.Actor{Kind: roster.ActorToken}}
		first := b.commit(push, roster.TeamCreate{DisplayName: "Twice"})[0].Team
		second := b.commit(push, roster.TeamCreate{DisplayName: "Twice"})[0].Team
		_, err := b.local.Team(ctx, "acme", "twice")
		b.refused(err, http.StatusConflict, "conflict", first.ID)
		b.refused(err, http.StatusConflict, "conflict", second.ID)
		b.commit(push, roster.TeamDelete{ID: second.ID})
		if one, err := b.local.Team(ctx, "acme", "Twice"); err != nil || one.ID != first.ID {
			b.t.Errorf("a live one before a deleted one: %+v, %v", one, err)
		}
		for i, key := range []string{"nobody", "a/b", "100%", strings.Repeat("x", 300)} {
			_, err := b.local.Team(ctx, "acme", key)
			b.refused(err, http.StatusNotFound, "not_found", "no team")
			b.refused(listError(b.local.Awaited(ctx, "acme", key, client.ListOptions{})), http.StatusNotFound, "not_found", "no team "+strconv.Quote(key)[:min(2, i+2)])
		}
		_, err = b.local.Team(ctx, "beta", first.ID)
		b.refused(err, http.StatusNotFound, "not_found", "")
	})
}
