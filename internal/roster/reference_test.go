package roster_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// seen is what a connection's token sees of a team's members: userNames, and groups in brackets.
func (b *bench) seen(connection, team string) []string {
	b.t.Helper()
	out := []string{}
	byID := roster.Filter{Op: roster.Eq, Field: roster.FieldID, Text: team}
	err := b.db.ScimSnapshot(context.Background(), store.View{Org: b.org, Connection: connection}, func(r *store.ScimReader) error {
		page, err := r.Teams(context.Background(), store.Search{Filter: &byID, Limit: 1})
		if err != nil || len(page.Items) == 0 {
			return err
		}
		return r.EachMember(context.Background(), page.Items[0].Team, func(m store.Ref) error {
			if m.Group {
				m.Name = "[" + m.Name + "]"
			}
			out = append(out, m.Name)
			return nil
		})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// remembered returns the values that wait, by team.
func (b *bench) remembered() []string {
	b.t.Helper()
	found, _, err := b.db.PendingReferences(context.Background(), b.org, store.List{})
	if err != nil {
		b.t.Fatal(err)
	}
	out := []string{}
	for _, r := range found {
		out = append(out, r.TeamName+" "+r.Value)
	}
	return out
}

func (b *bench) team(connection, name string, members ...string) *roster.Team {
	b.t.Helper()
	return b.must(push(connection), roster.TeamCreate{DisplayName: name, Members: members})[0].Team
}

func (b *bench) want(what string, got []string, want ...string) {
	b.t.Helper()
	if !slices.Equal(got, want) && len(got)+len(want) > 0 {
		b.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// eventsOf returns the types of the events that were told of a team's memberships.
func (b *bench) eventsOf(team string) []string {
	b.t.Helper()
	storetest.Number(b.t, b.db, b.org)
	events, _, err := b.db.Events(context.Background(), b.org, store.List{})
	if err != nil {
		b.t.Fatal(err)
	}
	out := []string{}
	for _, e := range events {
		if strings.HasPrefix(e.Subject.ID, team+"/") {
			out = append(out, e.Type)
		}
	}
	return out
}

func TestAMemberWhoIsNotKnownIsRememberedUntilTheyCome(t *testing.T) {
	each(t, func(b *bench) {
		ada := b.create(b.a, "ada@x.com", "")
		before := b.team(b.a, "Eng")
		out := b.must(push(b.a), roster.TeamEdit{ID: before.ID, Add: []string{"00u9", ada.ID}})[0]
		if !slices.Equal(out.Remembered, []string{"00u9"}) || out.Team.Version != before.Version+1 {
			b.t.Errorf("remembered %v at version %d", out.Remembered, out.Team.Version)
		}
		b.want("members", b.seen(b.a, before.ID), "ada@x.com")
		b.want("remembered", b.remembered(), "Eng 00u9")

		made := b.must(push(b.a), roster.MemberCreate{Attributes: person("bob@x.com", "00u9"), Active: true})[0]
		if len(made.Joined) != 1 || made.Joined[0].ID != before.ID || made.Joined[0].Version != before.Version+2 {
			b.t.Errorf("joined %+v", made.Joined)
		}
		b.want("members once they came", b.seen(b.a, before.ID), "ada@x.com", "bob@x.com")
		b.want("remembered once they came", b.remembered())
		b.want("events", b.eventsOf(before.ID), "membership.added", "membership.awaited", "membership.added", "membership.arrived")
	})
}

func TestWhatIsRememberedMovesNoVersionAndIsToldOnce(t *testing.T) {
	each(t, func(b *bench) {
		team := b.team(b.a, "Eng", "nobody")
		out := b.must(push(b.a), roster.TeamEdit{ID: team.ID, Add: []string{"nobody", "nobody else"}})[0]
		if out.Team.Version != team.Version || out.Team.Pending != 2 {
			b.t.Errorf("version %d, pending %d", out.Team.Version, out.Team.Pending)
		}
		b.want("remembered", b.remembered(), "Eng nobody", "Eng nobody else")
		b.want("events", b.eventsOf(team.ID), "membership.awaited", "membership.awaited")
		found, _, err := b.db.PendingReferences(context.Background(), b.org, store.List{Limit: 1})
		if err != nil || len(found) != 1 || found[0].TokenName != "t" || found[0].Connection != b.a || found[0].Since.IsZero() {
			b.t.Errorf("listed %+v, %v", found, err)
		}
		_, next, _ := b.db.PendingReferences(context.Background(), b.org, store.List{Limit: 1})
		if more, _, _ := b.db.PendingReferences(context.Background(), b.org, store.List{Limit: 1, After: next}); len(more) != 1 || more[0].Value != "nobody else" {
			b.t.Errorf("the next page: %+v", more)
		}
	})
}

func TestWhatAPushSaysLaterWinsOverWhatIsRemembered(t *testing.T) {
	for name, tc := range map[string]struct {
		edit roster.TeamEdit
		left []string
	}{
		"a removal of one":             {roster.TeamEdit{Remove: []string{"x1"}}, []string{"Eng x2"}},
		"a list with one of them":      {roster.TeamEdit{Replace: true, Set: []string{"x2", "x3"}}, []string{"Eng x2", "Eng x3"}},
		"an empty list":                {roster.TeamEdit{Replace: true}, nil},
		"a removal of somebody else":   {roster.TeamEdit{Remove: []string{"x3"}}, []string{"Eng x1", "Eng x2"}},
		"another name":                 {roster.TeamEdit{DisplayName: ptr("Eng")}, []string{"Eng x1", "Eng x2"}},
		"one more, and the same again": {roster.TeamEdit{Add: []string{"x2", "x3"}}, []string{"Eng x1", "Eng x2", "Eng x3"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				team := b.team(b.a, "Eng", "x1", "x2")
				tc.edit.ID = team.ID
				out := b.must(push(b.a), tc.edit)[0]
				b.want("remembered", b.remembered(), tc.left...)
				if out.Team.Pending != int64(len(tc.left)) {
					b.t.Errorf("the team counts %d", out.Team.Pending)
				}
				told := strings.Join(b.eventsOf(team.ID), " ")
				forgotten := 2
				for _, v := range []string{"Eng x1", "Eng x2"} {
					if slices.Contains(tc.left, v) {
						forgotten--
					}
				}
				if strings.Count(told, "membership.forgotten") != forgotten {
					b.t.Errorf("told as %s", told)
				}
				b.create(b.a, "ada@x.com", "x1")
				want := slices.Contains(tc.left, "Eng x1")
				if got := b.seen(b.a, team.ID); (len(got) == 1) != want {
					b.t.Errorf("members once x1 came: %v, want them in: %t", got, want)
				}
			})
		})
	}
}

func ptr(s string) *string { return &s }

func TestAnObjectIdSentAsAMemberMeansWhoHasItAsExternalId(t *testing.T) {
	each(t, func(b *bench) {
		ada := b.create(b.a, "ada@x.com", "o1")
		b.create(b.a, "one@x.com", "twice")
		b.create(b.a, "two@x.com", "twice")
		team := b.team(b.a, "Eng", "o1", ada.ID, "twice")
		b.want("members", b.seen(b.a, team.ID), "ada@x.com")
		b.want("remembered", b.remembered(), "Eng twice")
		b.must(push(b.a), roster.TeamEdit{ID: team.ID, Remove: []string{"o1"}})
		b.want("members after a removal by it", b.seen(b.a, team.ID))
	})
}

func TestARememberedMemberComesInWhateverBringsThem(t *testing.T) {
	for name, arrive := range map[string]func(b *bench){
		"created": func(b *bench) { b.create(b.a, "ada@x.com", "o1") },
		"created by a run": func(b *bench) {
			b.must(roster.Cause{By: roster.ByRun, Connection: b.a}, roster.MemberCreate{Attributes: person("ada@x.com", "o1"), Active: true})
		},
		"given the externalId": func(b *bench) {
			m := b.create(b.a, "ada@x.com", "")
			b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: func(roster.Member) (roster.Attributes, *bool, error) {
				return person("ada@x.com", "o1"), nil, nil
			}})
		},
		"another connection's, then linked": func(b *bench) {
			m := b.create(b.b, "ada@x.com", "o1")
			if got := b.remembered(); len(got) != 1 {
				b.t.Errorf("put in though the connection doesn't see them: %v", got)
			}
			b.must(operator(), roster.LinkSet{Link: roster.Link{Connection: b.a, Type: roster.TypeMember, ObjectID: "o1", TargetID: m.ID, State: roster.LinkOn}})
		},
		"a local member, adopted": func(b *bench) {
			m := b.must(operator(), roster.MemberInvite{Email: "ada@x.com", Role: roster.RoleMember})[0]
			b.must(operator(), roster.MemberAdopt{ID: m.ID, Connection: b.a})
			b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: func(roster.Member) (roster.Attributes, *bool, error) {
				return person("ada@x.com", "o1"), nil, nil
			}})
		},
		"deactivated, then on": func(b *bench) {
			m := b.must(push(b.a), roster.MemberCreate{Attributes: person("ada@x.com", "o1")})[0]
			b.must(push(b.a), roster.MemberEdit{ID: m.ID, Edit: active(true)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				team := b.team(b.a, "Eng", "o1")
				arrive(b)
				b.want("members", b.seen(b.a, team.ID), "ada@x.com")
				b.want("remembered", b.remembered())
			})
		})
	}
}

func TestADeletedMemberWhoIsNamedIsInTheTeamOnceTheyComeBack(t *testing.T) {
	each(t, func(b *bench) {
		ada := b.create(b.a, "ada@x.com", "o1")
		b.must(push(b.a), roster.MemberDelete{ID: ada.ID})
		out := b.must(push(b.a), roster.TeamCreate{DisplayName: "Eng", Members: []string{ada.ID}})[0]
		if !slices.Equal(out.Waiting, []string{ada.ID}) || len(out.TeamMembers) != 0 {
			b.t.Errorf("waiting %v, members %v", out.Waiting, out.TeamMembers)
		}
		b.want("members", b.seen(b.a, out.ID))
		b.create(b.a, "ada@x.com", "o1")
		b.want("members once they are back", b.seen(b.a, out.ID), "ada@x.com")
	})
}

func TestNobodyComesIntoATeamThatIsAwayBeforeItIsBack(t *testing.T) {
	each(t, func(b *bench) {
		team := b.must(push(b.a), roster.TeamCreate{DisplayName: "Eng", ExternalID: "g1", Members: []string{"o1", "o2"}})[0].Team
		b.must(push(b.a), roster.TeamDelete{ID: team.ID})
		b.create(b.a, "ada@x.com", "o1")
		b.want("listed while it is away", b.remembered())
		b.want("events while it is away", b.eventsOf(team.ID), "membership.awaited", "membership.awaited")
		back := b.must(push(b.a), roster.TeamCreate{DisplayName: "Eng", ExternalID: "g1"})[0].Team
		if back.ID != team.ID || back.Pending != 1 {
			b.t.Errorf("back as %+v", back)
		}
		b.want("members once it is back", b.seen(b.a, team.ID), "ada@x.com")
		b.want("remembered once it is back", b.remembered(), "Eng o2")
	})
}

func TestATeamRemembersNoLongerValueThanItCan(t *testing.T) {
	each(t, func(b *bench) {
		var long strings.Builder
		for i := 0; long.Len() <= roster.MaxReference; i++ {
			fmt.Fprintf(&long, "%x", sha256.Sum256([]byte{byte(i)}))
		}
		fits, tooLong := long.String()[:roster.MaxReference], long.String()
		team := b.team(b.a, "Eng", fits)
		b.want("remembered", b.remembered(), "Eng "+fits)
		out := b.commit(push(b.a), roster.TeamEdit{ID: team.ID, Add: []string{tooLong}})[0]
		if out.Result != roster.Refused || out.Err.Code != roster.Invalid {
			b.t.Errorf("a longer one: %+v", out)
		}
	})
}

func TestATeamRemembersNoMoreThanItCan(t *testing.T) {
	each(t, func(b *bench) {
		team := b.team(b.a, "Eng")
		many := make([]string, roster.MaxReferences)
		for i := range many {
			many[i] = fmt.Sprint("u", i)
		}
		b.must(push(b.a), roster.TeamEdit{ID: team.ID, Replace: true, Set: many})
		b.must(push(b.a), roster.TeamEdit{ID: team.ID, Add: many[:10]}) // those that it remembers already
		out := b.commit(push(b.a), roster.TeamEdit{ID: team.ID, Add: []string{"one more"}})[0]
		if out.Result != roster.Refused || out.Err.Code != roster.TooLarge {
			b.t.Errorf("one more: %+v", out)
		}
		b.must(push(b.a), roster.TeamEdit{ID: team.ID, Replace: true, Set: append(many[1:], "one more")})
	})
}

func TestGroupsWithinGroups(t *testing.T) {
	each(t, func(b *bench) {
		ada := b.create(b.a, "ada@x.com", "")
		inner := b.must(push(b.a), roster.TeamCreate{DisplayName: "Inner", ExternalID: "gi", Members: []string{ada.ID}})[0].Team
		outer := b.team(b.a, "Outer", inner.ID)
		b.want("members", b.seen(b.a, outer.ID), "[Inner]")
		if outer.Nested != 1 {
			b.t.Errorf("the team counts %d", outer.Nested)
		}
		teams, err := b.db.TeamsOf(context.Background(), store.View{Org: b.org}, []string{ada.ID})
		if err != nil || len(teams[ada.ID]) != 1 {
			b.t.Errorf("the inner team's member is in %v, %v: a group within a group gives nobody anything", teams, err)
		}
		names, err := b.db.MemberNames(context.Background(), b.org, []string{outer.ID})
		if err != nil || len(names[outer.ID]) != 0 {
			b.t.Errorf("counted as people: %v, %v", names, err)
		}
		again := b.must(push(b.a), roster.TeamEdit{ID: outer.ID, Add: []string{inner.ID}})[0]
		if again.Result != roster.Unchanged || again.Team.Version != outer.Version {
			b.t.Errorf("added again: %s, version %d", again.Result, again.Team.Version)
		}
		// It goes with its group, and comes back with it.
		b.must(push(b.a), roster.TeamDelete{ID: inner.ID})
		b.want("while the inner one is deleted", b.seen(b.a, outer.ID))
		b.must(push(b.a), roster.TeamCreate{DisplayName: "Inner", ExternalID: "gi"})
		b.want("once it is back", b.seen(b.a, outer.ID), "[Inner]")
		// A circle is allowed, as it gives nothing; a group within itself is not.
		b.must(push(b.a), roster.TeamEdit{ID: inner.ID, Add: []string{outer.ID}})
		for _, edit := range []roster.TeamEdit{{Add: []string{inner.ID}}, {Replace: true, Set: []string{"gi"}}} {
			edit.ID = inner.ID
			if out := b.commit(push(b.a), edit)[0]; out.Result != roster.Refused || out.Err.Code != roster.Invalid {
				b.t.Errorf("within itself: %+v", out)
			}
		}
		b.must(push(b.a), roster.TeamEdit{ID: outer.ID, Remove: []string{inner.ID}})
		b.want("after the removal", b.seen(b.a, outer.ID))
		b.want("events", b.eventsOf(outer.ID), "membership.group_added", "membership.group_removed")
	})
}

func TestAListOfTheWholeTeamIsOfItsGroupsToo(t *testing.T) {
	for name, deleted := range map[string]bool{"an active group": false, "a deleted group": true} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				inner := b.must(push(b.a), roster.TeamCreate{DisplayName: "Inner", ExternalID: "gi"})[0].Team
				other := b.team(b.a, "Other")
				outer := b.team(b.a, "Outer", inner.ID)
				if deleted {
					b.must(push(b.a), roster.TeamDelete{ID: inner.ID})
				}
				out := b.must(push(b.a), roster.TeamEdit{ID: outer.ID, Replace: true, Set: []string{other.ID}})[0]
				if len(out.TeamGroups) != 1 || out.TeamGroups[0].ID != other.ID || out.Team.Nested != 1 {
					b.t.Errorf("groups %v, counted %d", out.TeamGroups, out.Team.Nested)
				}
				if deleted {
					b.must(push(b.a), roster.TeamCreate{DisplayName: "Inner", ExternalID: "gi"})
				}
				b.want("members", b.seen(b.a, outer.ID), "[Other]")
			})
		})
	}
}

func TestARememberedGroupComesInToo(t *testing.T) {
	each(t, func(b *bench) {
		outer := b.team(b.a, "Outer", "gi")
		inner := b.must(push(b.a), roster.TeamCreate{DisplayName: "Inner", ExternalID: "gi"})[0].Team
		b.want("members", b.seen(b.a, outer.ID), "[Inner]")
		b.must(push(b.a), roster.TeamDelete{ID: inner.ID})
		b.must(push(b.a), roster.TeamEdit{ID: outer.ID, Replace: true, Set: []string{inner.ID}})
		b.want("remembered while it is deleted", b.remembered(), "Outer "+inner.ID)
		b.must(push(b.a), roster.TeamCreate{DisplayName: "Inner", ExternalID: "gi"})
		b.want("once it is back", b.seen(b.a, outer.ID), "[Inner]")
	})
}

// A push of the whole list speaks of everybody, though it writes only what differs.
func TestAPushOfTheWholeListWritesDifferencesAndMakesPlansStale(t *testing.T) {
	each(t, func(b *bench) {
		var ids []string
		for i := range 5 {
			ids = append(ids, b.create(b.a, fmt.Sprintf("u%d@x.com", i), "").ID)
		}
		team := b.team(b.a, "Eng", ids[:4]...)
		rows := func() string {
			dump, err := b.db.Dump(context.Background(), b.org)
			if err != nil {
				b.t.Fatal(err)
			}
			return strings.Join(slices.DeleteFunc(strings.Split(dump, "\n"), func(l string) bool { return !strings.HasPrefix(l, "memberships ") }), "\n")
		}
		before := rows()
		out := b.must(push(b.a), roster.TeamEdit{ID: team.ID, Replace: true, Set: ids[:4]})[0]
		if rows() != before || out.Result != roster.Unchanged || out.Team.Version != team.Version {
			b.t.Errorf("the same list again: %s, version %d, rows\n%s\nwere\n%s", out.Result, out.Team.Version, rows(), before)
		}
		run := roster.Cause{By: roster.ByRun, Connection: b.a}
		for name, set := range map[string]roster.MembershipSet{
			"a removal planned before the list came": {TeamID: team.ID, MemberID: ids[0], Version: 1},
			"an add planned before the list came":    {TeamID: team.ID, MemberID: ids[4], Present: true},
		} {
			if got := b.commit(run, set)[0]; got.Result != roster.Stale {
				b.t.Errorf("%s: %s", name, got.Result)
			}
		}
		listed := out.Team.Listed(ids[0], &roster.Membership{TeamID: team.ID, MemberID: ids[0], Present: true, Version: 1})
		none := out.Team.Listed(ids[4], nil)
		if listed.Version != 2 || listed.Seq != out.Team.ListedSeq || none.Version != 1 || none.Present || none.Seq != out.Team.ListedSeq {
			b.t.Errorf("as a run sees them: %+v and %+v", listed, none)
		}
		b.must(run, roster.MembershipSet{TeamID: team.ID, MemberID: ids[0], Version: listed.Version},
			roster.MembershipSet{TeamID: team.ID, MemberID: ids[4], Present: true, Version: none.Version})
		b.want("members", b.seen(b.a, team.ID), "u1@x.com", "u2@x.com", "u3@x.com", "u4@x.com")
	})
}

func TestOneMemberMoreOrLessCostsAsManyRowsInALargeTeamAsInASmallOne(t *testing.T) {
	each(t, func(b *bench) {
		var ids []string
		for i := range 300 {
			ids = append(ids, b.create(b.a, fmt.Sprintf("u%d@x.com", i), "").ID)
		}
		lines := func() map[string]bool {
			dump, err := b.db.Dump(context.Background(), b.org)
			if err != nil {
				b.t.Fatal(err)
			}
			out := map[string]bool{}
			for line := range strings.SplitSeq(dump, "\n") {
				out[line] = true
			}
			return out
		}
		for _, size := range []int{1, 299} {
			team := b.team(b.a, "Eng", ids[:size]...)
			for what, edit := range map[string]roster.TeamEdit{
				"one more": {ID: team.ID, Add: []string{ids[299]}}, "one less": {ID: team.ID, Remove: []string{ids[0]}},
			} {
				before := lines()
				b.must(push(b.a), edit)
				written := 0
				for line := range lines() {
					if !before[line] {
						written++
					}
				}
				if written != 3 { // the membership, the team's version, the event
					b.t.Errorf("%s of %d: %d rows written", what, size, written)
				}
			}
		}
	})
}
