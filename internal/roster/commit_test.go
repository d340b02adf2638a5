package roster_test

import (
	"context"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// bench is an organisation with two connections on a real store.
type bench struct {
	t    *testing.T
	db   *store.DB
	r    *roster.Roster
	org  string
	a, b string // connections
}

func each(t *testing.T, test func(b *bench)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		b := &bench{t: t, db: db, r: roster.New(db), org: roster.NewID()}
		b.must(roster.Cause{}, roster.OrgCreate{ID: b.org, Name: "acme", SCIM: true})
		managed := []string{roster.AttrUserName, roster.AttrDisplayName, roster.AttrWorkEmail}
		b.a = b.must(roster.Cause{}, roster.ConnectionSync{Name: "a", Kind: roster.KindEntra, Target: "ta", Managed: managed})[0].ID
		b.b = b.must(roster.Cause{}, roster.ConnectionSync{Name: "b", Kind: roster.KindEntra, Target: "tb", Managed: managed})[0].ID
		test(b)
	})
}

func (b *bench) commit(cause roster.Cause, changes ...roster.Change) []roster.Outcome {
	b.t.Helper()
	outs, err := b.r.Commit(context.Background(), b.org, cause, changes)
	if err != nil {
		b.t.Fatal(err)
	}
	return outs
}

func (b *bench) must(cause roster.Cause, changes ...roster.Change) []roster.Outcome {
	b.t.Helper()
	outs := b.commit(cause, changes...)
	for i, o := range outs {
		if o.Err != nil {
			b.t.Fatalf("change %d (%T): %s: %v", i, changes[i], o.Result, o.Err)
		}
	}
	return outs
}

func push(connection string) roster.Cause {
	return roster.Cause{By: roster.ByPush, Connection: connection, Actor: roster.Actor{Kind: roster.ActorToken, Name: "t"}}
}

func operator() roster.Cause {
	return roster.Cause{By: roster.ByOperator, Actor: roster.Actor{Kind: roster.ActorOperator, Name: "op"}}
}

func person(userName, externalID string) roster.Attributes {
	a := roster.Attributes{"userName": userName, "displayName": userName}
	if externalID != "" {
		a["externalId"] = externalID
	}
	return a
}

func active(on bool) func(roster.Member) (roster.Attributes, *bool, error) {
	return func(roster.Member) (roster.Attributes, *bool, error) { return nil, &on, nil }
}

func (b *bench) create(connection, userName, externalID string) *roster.Member {
	b.t.Helper()
	return b.must(push(connection), roster.MemberCreate{Attributes: person(userName, externalID), Active: true})[0].Member
}

func (b *bench) member(id string) roster.Member {
	b.t.Helper()
	for _, status := range []string{"", "deleted"} {
		all, _, err := b.db.Members(context.Background(), b.org, store.List{Status: status})
		if err != nil {
			b.t.Fatal(err)
		}
		for _, m := range all {
			if m.ID == id {
				return m
			}
		}
	}
	b.t.Fatalf("no member %s", id)
	return roster.Member{}
}

func TestMembersArrivePendingAndOwnedByTheTokensConnection(t *testing.T) {
	each(t, func(b *bench) {
		m := b.member(b.create(b.a, "Ada@Example.com", "x1").ID)
		if m.Status != roster.Pending || m.Connection != b.a || m.Source != roster.SourceSCIM || m.UserName() != "Ada@Example.com" {
			b.t.Errorf("got %+v", m)
		}
	})
}

func TestUserNameIsUniqueWithoutRegardToCase(t *testing.T) {
	each(t, func(b *bench) {
		b.create(b.a, "ada@example.com", "")
		out := b.commit(push(b.b), roster.MemberCreate{Attributes: person("ADA@example.com", ""), Active: true})[0]
		if out.Result != roster.Refused || out.Err.Code != roster.Conflict || out.Err.Detail == "" {
			b.t.Errorf("got %+v, want a conflict whose detail names the owner", out)
		}
	})
}

func TestDeactivationSuspendsMembershipsAndReactivationGivesThemBack(t *testing.T) {
	each(t, func(b *bench) {
		m := b.create(b.a, "ada@example.com", "")
		team := b.must(push(b.a), roster.TeamCreate{DisplayName: "Eng", Members: []string{m.ID}})[0].Team
		count := func() int {
			names, err := b.db.MemberNames(context.Background(), b.org, []string{team.ID})
			if err != nil {
				b.t.Fatal(err)
			}
			return len(names[team.ID])
		}
		if count() != 1 {
			b.t.Fatal("the member is not in the team")
		}
		b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: active(false)})
		if got := b.member(m.ID); got.Status != roster.Deactivated || count() != 0 {
			b.t.Errorf("status %s, members %d, want deactivated and none", got.Status, count())
		}
		b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: active(true)})
		if got := b.member(m.ID); got.Status != roster.Pending || count() != 1 {
			b.t.Errorf("status %s, members %d, want pending and one", got.Status, count())
		}
	})
}

func TestComingBack(t *testing.T) {
	for name, tc := range map[string]struct {
		before, after string
		linked        bool
		same          bool
	}{
		"same externalId":                  {"x1", "x1", false, true},
		"same externalId, linked":          {"x1", "x1", true, true},
		"another externalId":               {"x1", "x2", false, false},
		"neither has one, never linked":    {"", "", false, true},
		"neither has one, but was linked":  {"", "", true, false},
		"only the deleted one had one":     {"x1", "", false, false},
		"only the one created now has one": {"", "x1", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				m := b.create(b.a, "ada@example.com", tc.before)
				if tc.linked {
					b.must(roster.Cause{By: roster.ByRun, Connection: b.a}, roster.LinkSet{Event: "made",
						Link: roster.Link{Connection: b.a, Type: roster.TypeMember, ObjectID: "o1", TargetID: m.ID, State: roster.LinkOn}})
				}
				b.must(push(b.a), roster.MemberDelete{ID: m.ID})
				again := b.must(push(b.a), roster.MemberCreate{Attributes: person("ADA@example.com", tc.after), Active: true})[0].Member
				if (again.ID == m.ID) != tc.same {
					b.t.Errorf("restored: %t, want %t", again.ID == m.ID, tc.same)
				}
			})
		})
	}
}

func TestTheLastOwnerIsNeverDeprovisioned(t *testing.T) {
	each(t, func(b *bench) {
		m := b.must(operator(), roster.MemberInvite{Email: "owner@example.com", Role: roster.RoleOwner})[0].Member
		b.must(operator(), roster.MemberAdopt{ID: m.ID, Connection: b.a})
		for what, change := range map[string]roster.Change{
			"deactivate": roster.MemberEdit{ID: m.ID, Edit: active(false)}, "delete": roster.MemberDelete{ID: m.ID},
		} {
			if out := b.commit(push(b.a), change)[0]; out.Err == nil || out.Err.Code != roster.Forbidden {
				b.t.Errorf("%s: %+v, want forbidden", what, out)
			}
		}
		if out := b.commit(operator(), roster.MemberSetStatus{ID: m.ID})[0]; out.Err == nil || out.Err.Code != roster.Forbidden {
			b.t.Errorf("by the operator: %+v, want forbidden", out)
		}
		b.must(operator(), roster.MemberInvite{Email: "second@example.com", Role: roster.RoleOwner})
		b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: active(false)})
	})
}

func TestAnotherConnectionsPersonIsNotSeen(t *testing.T) {
	each(t, func(b *bench) {
		m := b.create(b.a, "ada@example.com", "")
		if out := b.commit(push(b.b), roster.MemberEdit{ID: m.ID, Edit: active(false)})[0]; out.Err == nil || out.Err.Code != roster.NotFound {
			b.t.Errorf("got %+v, want not found", out)
		}
	})
}

func TestALinkedConnectionsPushChangesOnlyTheLinksState(t *testing.T) {
	each(t, func(b *bench) {
		m := b.create(b.a, "ada@example.com", "")
		b.must(operator(), roster.LinkSet{Event: "made",
			Link: roster.Link{Connection: b.b, Type: roster.TypeMember, ObjectID: "o9", TargetID: m.ID, State: roster.LinkOn}})
		out := b.must(push(b.b), roster.MemberEdit{ID: m.ID, Edit: active(false)})[0]
		if out.Result != roster.Unchanged || b.member(m.ID).Status != roster.Pending {
			b.t.Errorf("got %s and %s, want what is stored", out.Result, b.member(m.ID).Status)
		}
		// The link is off now, so the owner's loss deactivates; with the link on, ownership would pass on.
		b.must(push(b.b), roster.MemberEdit{ID: m.ID, Edit: active(true)})
		b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: active(false)})
		if got := b.member(m.ID); got.Status != roster.Pending || got.Connection != b.b {
			b.t.Errorf("got %s owned by %s, want the member passed on to b", got.Status, got.Connection)
		}
	})
}

func TestTheFirstWriteOfABoundTokenClaims(t *testing.T) {
	each(t, func(b *bench) {
		m := b.create("", "ada@example.com", "")
		if got := b.member(m.ID); got.Connection != "" {
			b.t.Fatalf("owned by %s, want unclaimed", got.Connection)
		}
		b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: active(true)})
		if got := b.member(m.ID); got.Connection != b.a {
			b.t.Errorf("owned by %q, want claimed", got.Connection)
		}
	})
}

func TestAPushThatMeetsALocalMemberNamesTheWayOut(t *testing.T) {
	each(t, func(b *bench) {
		b.must(operator(), roster.MemberInvite{Email: "ada@example.com", Role: roster.RoleMember})
		out := b.commit(push(b.a), roster.MemberCreate{Attributes: person("Ada@example.com", ""), Active: true})[0]
		if out.Err == nil || out.Err.Code != roster.Conflict {
			b.t.Fatalf("got %+v, want a conflict", out)
		}
	})
}

func TestADeleteByABoundTokenClaimsTheTeam(t *testing.T) {
	each(t, func(b *bench) {
		team := b.must(push(""), roster.TeamCreate{DisplayName: "Eng", ExternalID: "e1"})[0].ID
		if got := b.must(push(b.a), roster.TeamDelete{ID: team})[0].Team.Connection; got != b.a {
			b.t.Errorf("owned by %q after the delete", got)
		}
		if got := b.must(push(b.b), roster.TeamCreate{DisplayName: "Eng", ExternalID: "e1"})[0].ID; got == team {
			b.t.Error("another connection's create brought it back")
		}
	})
}

func TestThePolicyByEmailAdoptsByEmailOnly(t *testing.T) {
	each(t, func(b *bench) {
		b.must(roster.Cause{}, roster.ConnectionSync{Name: "a", Kind: roster.KindEntra, Target: "ta", AdoptLocal: true})
		local := b.must(operator(), roster.MemberInvite{Email: "loc@x.com", Role: roster.RoleMember})[0].ID
		attrs := person("loc@x.com", "")
		attrs.Set(roster.AttrWorkEmail, "somebody.else@x.com")
		if o := b.commit(push(b.a), roster.MemberCreate{Attributes: attrs, Active: true})[0]; o.Result != roster.Refused || o.Err.Code != roster.Conflict {
			b.t.Errorf("by userName: %s, %v", o.Result, o.Err)
		}
		attrs.Set(roster.AttrWorkEmail, "LOC@x.com")
		if o := b.must(push(b.a), roster.MemberCreate{Attributes: attrs, Active: true})[0]; o.ID != local {
			b.t.Errorf("by email: %s, want %s", o.ID, local)
		}
	})
}

func TestUserNamesCanBeSwappedInOneBatch(t *testing.T) {
	each(t, func(b *bench) {
		x, y := b.create(b.a, "x@example.com", ""), b.create(b.a, "y@example.com", "")
		mx, my := b.member(x.ID), b.member(y.ID)
		b.must(roster.Cause{By: roster.ByRun, Connection: b.a},
			roster.MemberPatch{ID: x.ID, Version: mx.AsOf(), Values: map[string]string{roster.AttrUserName: "y@example.com"}},
			roster.MemberPatch{ID: y.ID, Version: my.AsOf(), Values: map[string]string{roster.AttrUserName: "x@example.com"}})
		mx, my = b.member(x.ID), b.member(y.ID)
		if mx.UserName() != "y@example.com" || my.UserName() != "x@example.com" {
			b.t.Errorf("got %s and %s", mx.UserName(), my.UserName())
		}
	})
}

func TestARunsActionOnAnObjectThatMovedIsStale(t *testing.T) {
	each(t, func(b *bench) {
		m := b.create(b.a, "x@example.com", "")
		asOf := m.AsOf()
		b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: active(true)}) // a push that changes nothing counts too
		out := b.commit(roster.Cause{By: roster.ByRun, Connection: b.a}, roster.MemberPatch{ID: m.ID, Version: asOf, Status: roster.ActDeactivate})[0]
		if out.Result != roster.Stale {
			b.t.Errorf("got %s, want stale", out.Result)
		}
	})
}

// While the plan was written, a push made the team, and a look-up linked it: the plan's own would be a second one.
func TestARunMakesNoTeamOfAGroupThatIsLinkedMeanwhile(t *testing.T) {
	each(t, func(b *bench) {
		run := roster.Cause{By: roster.ByRun, Connection: b.a}
		link := roster.Link{Connection: b.a, Type: roster.TypeTeam, ObjectID: "g1", State: roster.LinkOn}
		linked := link
		linked.TargetID = b.must(push(b.a), roster.TeamCreate{DisplayName: "Design"})[0].ID
		b.must(run, roster.LinkSet{Link: linked})
		if out := b.commit(run, roster.TeamCreate{DisplayName: "Design", Link: &link})[0]; out.Result != roster.Stale {
			b.t.Errorf("got %s, want stale", out.Result)
		}
		if teams, _, err := b.db.Teams(context.Background(), b.org, store.List{}); err != nil || len(teams) != 1 {
			b.t.Errorf("%d teams, %v", len(teams), err)
		}
	})
}

func TestEventsAreNumberedAndFoldBackToTheObject(t *testing.T) {
	each(t, func(b *bench) {
		m := b.create(b.a, "ada@example.com", "x1")
		b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: func(m roster.Member) (roster.Attributes, *bool, error) {
			a := m.Attributes.Clone()
			a.Set(roster.AttrDisplayName, "Ada L")
			a.Set(roster.AttrExternalID, "")
			return a, nil, nil
		}})
		b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: active(false)})
		storetest.Number(b.t, b.db, b.org)
		events, _, err := b.db.Events(context.Background(), b.org, store.List{})
		if err != nil {
			b.t.Fatal(err)
		}
		doc := foldEvents(b.t, events, m.ID)
		if doc["displayName"] != "Ada L" || doc["status"] != "deactivated" || doc["externalId"] != nil || doc["userName"] != "ada@example.com" {
			b.t.Errorf("folded to %v", doc)
		}
		for i, e := range events {
			if e.Number != int64(i+1) {
				b.t.Errorf("event %d has number %d", i+1, e.Number)
			}
		}
	})
}

func TestReleasingAConnectionIsToldOfEachObject(t *testing.T) {
	each(t, func(b *bench) {
		m := b.create(b.a, "ada@example.com", "x1")
		team := b.must(push(b.a), roster.TeamCreate{DisplayName: "Eng", Members: []string{m.ID}})[0].Team
		b.must(roster.Cause{}, roster.ConnectionDetach{ID: b.a, Reason: "it left the configuration"})
		b.must(operator(), roster.ConnectionRelease{ID: b.a})
		if got := b.member(m.ID); got.Connection != "" {
			b.t.Errorf("owned by %q", got.Connection)
		}
		storetest.Number(b.t, b.db, b.org)
		events, _, err := b.db.Events(context.Background(), b.org, store.List{})
		if err != nil {
			b.t.Fatal(err)
		}
		for _, id := range []string{m.ID, team.ID} {
			if doc := foldEvents(b.t, events, id); doc["connection"] != nil {
				b.t.Errorf("folded to %v", doc)
			}
		}
	})
}
