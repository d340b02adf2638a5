package roster_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
)

// together commits changes at the same time, each in a transaction of its own, and returns what became of them.
func (b *bench) together(cause roster.Cause, changes ...roster.Change) []roster.Outcome {
	b.t.Helper()
	outs, errs := make([]roster.Outcome, len(changes)), make([]error, len(changes))
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, c := range changes {
		all.Go(func() {
			<-start
			got, err := b.r.Commit(context.Background(), b.org, cause, []roster.Change{c})
			if errs[i] = err; err == nil {
				outs[i] = got[0]
			}
		})
	}
	close(start)
	all.Wait()
	for i := range changes {
		if errs[i] != nil || outs[i].Err != nil {
			b.t.Fatalf("%T: %v, %v", changes[i], errs[i], outs[i].Err)
		}
	}
	return outs
}

// Whichever of the two comes first, and also when neither sees the other: a push that names somebody and the one that brings
// them end with the person in the team.
func TestAMemberNamedWhileTheyArriveIsInTheTeam(t *testing.T) {
	const rounds = 15
	renamed := func(b *bench, name, externalID string) roster.Change {
		m := b.create(b.a, name, "")
		return roster.MemberEdit{ID: m.ID, Edit: func(roster.Member) (roster.Attributes, *bool, error) {
			return person(name, externalID), nil, nil
		}}
	}
	for name, pair := range map[string]func(b *bench, name, value string) (names, arrives roster.Change){
		"a new team, a new member": func(_ *bench, name, value string) (names, arrives roster.Change) {
			return roster.TeamCreate{DisplayName: "Eng", Members: []string{value}},
				roster.MemberCreate{Attributes: person(name, value), Active: true}
		},
		"a team that awaits others": func(b *bench, name, value string) (names, arrives roster.Change) {
			return roster.TeamEdit{ID: b.team(b.a, "Eng", "x").ID, Add: []string{value}},
				roster.MemberCreate{Attributes: person(name, value), Active: true}
		},
		"the whole list, and the externalId comes": func(b *bench, name, value string) (names, arrives roster.Change) {
			return roster.TeamEdit{ID: b.team(b.a, "Eng").ID, Replace: true, Set: []string{"x", value}}, renamed(b, name, value)
		},
		"a list that names them again": func(b *bench, name, value string) (names, arrives roster.Change) {
			return roster.TeamEdit{ID: b.team(b.a, "Eng", value).ID, Replace: true, Set: []string{value, "x"}},
				roster.MemberCreate{Attributes: person(name, value), Active: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				for i := range rounds {
					name := fmt.Sprintf("u%d@x.com", i)
					names, arrives := pair(b, name, fmt.Sprint("o", i))
					outs := b.together(push(b.a), names, arrives)
					b.want("members", b.seen(b.a, outs[0].ID), name)
				}
			})
		})
	}
}

func TestAGroupNamedWhileItArrivesIsInTheTeam(t *testing.T) {
	each(t, func(b *bench) {
		for i := range 15 {
			value := fmt.Sprint("g", i)
			outs := b.together(push(b.a), roster.TeamCreate{DisplayName: "Outer", Members: []string{value}},
				roster.TeamCreate{DisplayName: "Inner", ExternalID: value})
			b.want("members", b.seen(b.a, outs[0].ID), "[Inner]")
		}
	})
}

// Many who name and many who come, all at once, end without waiting for each other in a circle.
func TestManyWhoAreNamedAndComeAtOnceAreAllInTheTeams(t *testing.T) {
	each(t, func(b *bench) {
		var changes []roster.Change
		var values, people []string
		for i := range 20 {
			name := fmt.Sprintf("u%02d@x.com", i)
			values, people = append(values, fmt.Sprint("o", i)), append(people, name)
			changes = append(changes, roster.MemberCreate{Attributes: person(name, values[i]), Active: true})
		}
		var teams []string
		for i := range 4 {
			teams = append(teams, b.team(b.a, fmt.Sprint("T", i)).ID)
			changes = append(changes, roster.TeamEdit{ID: teams[i], Add: values}, roster.TeamEdit{ID: teams[i], Replace: true, Set: values})
		}
		b.together(push(b.a), changes...)
		for _, id := range teams {
			b.want("members", b.seen(b.a, id), people...)
		}
		b.want("remembered", b.remembered())
	})
}
