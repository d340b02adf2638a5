package store_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// scene is what a delta finds stored: people linked to objects of the same name, and teams with some of them.
type scene struct {
	*fixture
	run   *roster.Run
	stage *store.Stage
	ids   map[string]string // our ids by the IdP's
}

func eachScene(t *testing.T, mode roster.Mode, test func(s *scene)) {
	t.Helper()
	each(t, func(f *fixture) {
		s := &scene{fixture: f, ids: map[string]string{}}
		s.run = f.claimed(mode)
		var err error
		s.stage, err = f.db.OpenStage(context.Background(), s.run)
		f.ok(err)
		defer func() { f.ok(s.stage.Close(context.Background())) }()
		test(s)
	})
}

// claimed asks for a run and takes it.
func (f *fixture) claimed(mode roster.Mode) *roster.Run {
	f.Helper()
	f.commit(roster.Cause{}, roster.RunRequest{Connection: f.conn, Mode: mode, By: "test"})
	run, err := f.db.ClaimRun(context.Background(), "test", time.Minute)
	f.ok(err)
	return run
}

func (s *scene) cause() roster.Cause { return roster.Cause{By: roster.ByRun, Connection: s.conn} }

func (s *scene) link(typ roster.ObjectType, object string) *roster.Link {
	return &roster.Link{Connection: s.conn, Type: typ, ObjectID: object, State: roster.LinkOn}
}

func (s *scene) people(objects ...string) {
	s.Helper()
	for _, o := range objects {
		s.ids[o] = s.commit(s.cause(), roster.MemberCreate{Attributes: roster.Attributes{"userName": o + "@x"}, Active: true,
			Link: s.link(roster.TypeMember, o)})[0].ID
	}
}

// team makes a team of the group's name with members.
func (s *scene) team(group string, members ...string) {
	s.Helper()
	s.ids[group] = s.commit(s.cause(), roster.TeamCreate{DisplayName: group, Link: s.link(roster.TypeTeam, group)})[0].ID
	for _, m := range members {
		s.commit(s.cause(), roster.MembershipSet{TeamID: s.ids[group], MemberID: s.ids[m], Present: true})
	}
}

func (s *scene) off(object string) {
	s.Helper()
	s.commit(push(s.conn), roster.MemberEdit{ID: s.ids[object], Edit: func(roster.Member) (roster.Attributes, *bool, error) {
		no := false
		return nil, &no, nil
	}})
}

// seenOff has a run have seen somebody off in the IdP.
func (s *scene) seenOff(object string) {
	s.Helper()
	l := *s.link(roster.TypeMember, object)
	l.TargetID, l.State = s.ids[object], roster.LinkOff
	s.commit(s.cause(), roster.LinkSet{Link: l})
}

func (s *scene) assigned(users, groups []string) {
	s.Helper()
	s.ok(s.stage.PutScope(context.Background(), "member", users))
	s.ok(s.stage.PutScope(context.Background(), "team", groups))
}

func (s *scene) put(change func(*roster.WantedMember), objects ...string) {
	s.Helper()
	for _, o := range objects {
		w := roster.WantedMember{ObjectID: o, Enabled: true, Values: map[string]string{"userName": o + "@x"}}
		if change != nil {
			change(&w)
		}
		s.ok(s.stage.PutMembers(context.Background(), []roster.WantedMember{w}))
	}
}

func (s *scene) joined(group string, people ...string) {
	s.Helper()
	s.ok(s.stage.PutMemberships(context.Background(), group, 1, people, false))
}

func (s *scene) left(group string, people ...string) {
	s.Helper()
	s.ok(s.stage.PutMemberships(context.Background(), group, 1, people, true))
}

func (s *scene) want(what string, got []string, err error, want ...string) {
	s.Helper()
	s.ok(err)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func objectsOf(cands []roster.MemberCandidate, err error) ([]string, error) {
	var out []string
	for i := range cands {
		out = append(out, cands[i].ObjectID)
	}
	return out, err
}

func teamsOf(cands []roster.TeamCandidate, err error) ([]string, error) {
	var out []string
	for i := range cands {
		out = append(out, cands[i].ObjectID)
	}
	return out, err
}

func pairsOf(cands []roster.MembershipCandidate, err error) ([]string, error) {
	var out []string
	for i := range cands {
		c := &cands[i]
		s := c.TeamObject + "/" + c.MemberObject
		if c.There && !c.Enabled {
			s += " off"
		}
		if c.Left {
			s += " left"
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out, err
}

func withScope(w *roster.WantedMember) { w.Scope = "assigned directly" }
func disabled(w *roster.WantedMember)  { w.Enabled = false }
func keep(w *roster.WantedMember)      { w.Enabled, w.Keep = false, true }
func goneFrom(w *roster.WantedMember)  { w.Enabled, w.Gone = false, "deleted" }

// Invariant 2: who is in scope as far as a delta and the store know is not looked at, and everybody else is.
func TestWhomNothingPutsInScope(t *testing.T) {
	ctx := context.Background()
	eachScene(t, roster.ModeDelta, func(s *scene) {
		s.people("assigned", "stored", "left", "unlisted", "relisted", "joined", "elsewhere", "nowhere", "gone", "disabled", "seen-off", "off",
			"changed", "changed-in", "changed-kept", "told", "left-and-back", "once-in")
		s.team("in", "stored", "left", "changed-in", "gone", "left-and-back")
		s.team("whole", "unlisted", "relisted")
		s.team("out", "elsewhere")
		s.off("off")
		s.seenOff("seen-off")
		s.commit(push(s.conn), roster.TeamEdit{ID: s.ids["in"], Add: []string{s.ids["once-in"]}}, roster.TeamEdit{ID: s.ids["in"], Remove: []string{s.ids["once-in"]}})
		s.assigned([]string{"assigned"}, []string{"in", "whole", "new"})
		s.left("in", "left", "left-and-back")
		s.joined("in", "left-and-back")
		s.joined("whole", "relisted")
		s.joined("new", "joined")
		s.joined("out", "nowhere")
		s.ok(s.stage.PutLists(ctx, []string{"whole", "new"}))
		s.put(nil, "changed", "changed-in", "stranger")
		s.put(keep, "changed-kept")
		s.put(withScope, "told")
		s.put(goneFrom, "gone")
		s.put(disabled, "disabled")
		s.ok(s.stage.GrantScopes(ctx))
		var all []string
		for after := ""; ; { // one a page
			page, err := objectsOf(s.stage.UngrantedMembers(ctx, after, 1))
			s.ok(err)
			if len(page) == 0 {
				break
			}
			after = page[0]
			all = append(all, after)
		}
		s.want("ungranted", all, nil, "left", "unlisted", "elsewhere", "nowhere", "changed", "changed-kept", "once-in", "seen-off")
		got, err := s.stage.UnknownScopes(ctx, "", 100)
		s.want("of unknown scope", got, err, "changed", "changed-kept", "stranger")
		s.ok(s.stage.SetScope(ctx, "changed", "by a look"))
		s.ok(s.stage.SetScope(ctx, "stranger", ""))
		got, err = s.stage.UnknownScopes(ctx, "", 100)
		s.want("of unknown scope after looks", got, err, "changed-kept")
		got, err = objectsOf(s.stage.Members(ctx, "", 100))
		s.want("to be judged", got, err, "changed", "changed-in", "told", "gone", "disabled")
	})
}

func TestADeltaKnowsWhoIsLinkedOnAndLive(t *testing.T) {
	eachScene(t, roster.ModeDelta, func(s *scene) {
		s.people("on", "off", "seen-off")
		s.off("off")
		s.seenOff("seen-off")
		known, err := s.stage.KnownUsers(context.Background(), []string{"on", "off", "seen-off", "stranger"})
		s.ok(err)
		if len(known) != 1 || !known["on"] {
			s.Errorf("known: %v", known)
		}
	})
}

// An unlinked person who left is nobody's; of a full run a person need not say why they are in scope.
func TestWhoIsJudged(t *testing.T) {
	for mode, want := range map[roster.Mode][]string{
		roster.ModeDelta: {"gone", "in", "off-unlinked"},
		roster.ModeFull:  {"gone", "in", "off-unlinked", "plain"},
	} {
		eachScene(t, mode, func(s *scene) {
			s.people("gone")
			s.put(goneFrom, "gone", "gone-unlinked")
			s.put(withScope, "in")
			s.put(disabled, "off-unlinked")
			s.put(nil, "plain")
			got, err := objectsOf(s.stage.Members(context.Background(), "", 100))
			s.want(string(mode), got, err, want...)
		})
	}
}

// Who is kept is compared like anybody who is on, if they are live, and otherwise left alone.
func TestWhoIsKeptIsCompared(t *testing.T) {
	eachScene(t, roster.ModeFull, func(s *scene) {
		s.people("same", "renamed", "seen-off", "off")
		s.off("off")
		for _, o := range []string{"same", "seen-off", "off"} {
			l := *s.link(roster.TypeMember, o)
			l.TargetID, l.Seen = s.ids[o], roster.Fingerprint(map[string]string{"userName": o + "@x"})
			if o == "seen-off" {
				l.State = roster.LinkOff
			}
			s.commit(s.cause(), roster.LinkSet{Link: l})
		}
		s.put(keep, "same", "seen-off", "off")
		s.put(func(w *roster.WantedMember) { keep(w); w.Values["userName"] = "other@x" }, "renamed")
		got, err := objectsOf(s.stage.Members(context.Background(), "", 100))
		s.want("kept", got, err, "renamed", "seen-off")
	})
}

func TestAMemberIsFoundByOurIdThatTheIdPKeeps(t *testing.T) {
	eachScene(t, roster.ModeFull, func(s *scene) {
		id := s.member(roster.Attributes{"userName": "ada@x"})
		deleted := s.member(roster.Attributes{"userName": "bob@x"})
		s.commit(push(s.conn), roster.MemberDelete{ID: deleted})
		byID := func(id string) func(*roster.WantedMember) {
			return func(w *roster.WantedMember) { w.MemberID, w.Scope = id, "assigned" }
		}
		s.put(byID(id), "o1")
		s.put(byID(deleted), "o2")
		s.put(byID("no id"), "o3")
		cands, err := s.stage.Members(context.Background(), "", 100)
		s.ok(err)
		if len(cands) != 3 || len(cands[0].Matches) != 1 || !cands[0].Matches[0].ByID || len(cands[1].Matches)+len(cands[2].Matches) != 0 {
			s.Errorf("got %+v", cands)
		}
		looked := roster.MemberCandidate{ObjectID: "o4", There: &roster.WantedMember{ObjectID: "o4", MemberID: id, Values: map[string]string{}}}
		s.ok(s.stage.FillMatches(context.Background(), &looked))
		if len(looked.Matches) != 1 || !looked.Matches[0].ByID {
			s.Errorf("after a look-up: %+v", looked.Matches)
		}
	})
}

// Invariant 11.
func TestOurIdOfAnotherOrganisationMatchesNobody(t *testing.T) {
	eachScene(t, roster.ModeFull, func(s *scene) {
		other := roster.NewID()
		outs, err := roster.New(s.db).Commit(context.Background(), other, roster.Cause{}, []roster.Change{
			roster.OrgCreate{ID: other, Name: "other"}, roster.MemberCreate{Attributes: roster.Attributes{"userName": "x@x"}, Active: true}})
		s.ok(err)
		s.put(func(w *roster.WantedMember) { w.MemberID = outs[1].ID }, "o1")
		cands, err := s.stage.Members(context.Background(), "", 100)
		s.ok(err)
		if len(cands[0].Matches) != 0 {
			s.Errorf("got %+v", cands[0].Matches)
		}
	})
}

// A userName is given up only by one who is judged in this run and renamed.
func TestWhoseObjectWantsAnotherName(t *testing.T) {
	for name, tc := range map[string]struct {
		mode   roster.Mode
		change func(*roster.WantedMember)
		off    bool
		want   string
	}{
		"on":                        {roster.ModeFull, nil, false, "new@x"},
		"disabled":                  {roster.ModeFull, disabled, false, ""},
		"kept and live":             {roster.ModeFull, keep, false, "new@x"},
		"kept and off":              {roster.ModeFull, keep, true, ""},
		"in scope by a delta":       {roster.ModeDelta, withScope, false, "new@x"},
		"of unknown scope, a delta": {roster.ModeDelta, nil, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			eachScene(t, tc.mode, func(s *scene) {
				s.people("holder")
				if tc.off {
					s.off("holder")
				}
				s.put(func(w *roster.WantedMember) {
					if w.Values["userName"] = "new@x"; tc.change != nil {
						tc.change(w)
					}
				}, "holder")
				s.put(func(w *roster.WantedMember) { w.Values["userName"], w.Scope = "holder@x", "assigned" }, "taker")
				c := []roster.MemberCandidate{{ObjectID: "taker", There: &roster.WantedMember{ObjectID: "taker",
					Values: map[string]string{"userName": "holder@x"}}}}
				s.ok(s.stage.FillMembers(context.Background(), c))
				if len(c[0].Matches) != 1 || c[0].Matches[0].LinkedWants != tc.want {
					s.Errorf("got %+v", c[0].Matches)
				}
			})
		})
	}
}

func TestTheTeamsOfADeltaAreThoseInScope(t *testing.T) {
	ctx := context.Background()
	eachScene(t, roster.ModeDelta, func(s *scene) {
		s.team("unchanged")
		s.team("unassigned")
		s.team("read-unassigned")
		s.ok(s.stage.PutTeams(ctx, []roster.WantedTeam{{ObjectID: "new", DisplayName: "New"}, {ObjectID: "read-unassigned", DisplayName: "R"}}))
		s.assigned(nil, []string{"unchanged", "new"})
		got, err := teamsOf(s.stage.Teams(ctx, "", 100))
		s.want("to be judged", got, err, "new")
		got, err = teamsOf(s.stage.SilentTeams(ctx, "", 100))
		s.want("silent", got, err, "unassigned", "read-unassigned")
	})
}

func TestTheMembershipsOfADelta(t *testing.T) {
	ctx := context.Background()
	eachScene(t, roster.ModeDelta, func(s *scene) {
		s.people("a", "b", "c", "d", "off", "seen-off")
		s.team("known", "a", "b", "c")
		s.team("whole", "a", "b", "c")
		s.team("out", "a")
		s.off("off")
		s.seenOff("seen-off")
		s.ok(s.stage.PutTeams(ctx, []roster.WantedTeam{{ObjectID: "whole", DisplayName: "whole"}, {ObjectID: "known", DisplayName: "known"},
			{ObjectID: "new", DisplayName: "new"}}))
		s.assigned(nil, []string{"known", "whole", "new"})
		s.joined("known", "a", "d", "seen-off", "stranger", "staged", "staged-off")
		s.left("known", "b", "nobody", "off")
		s.joined("whole", "a")
		s.left("whole", "b")
		s.joined("new", "a", "staged")
		s.joined("unknown", "a")
		s.joined("out", "d")
		s.put(withScope, "staged")
		s.put(func(w *roster.WantedMember) { disabled(w); withScope(w) }, "staged-off")
		s.ok(s.stage.PutLists(ctx, []string{"whole", "new"}))
		got, err := pairsOf(s.stage.JoinedMemberships(ctx, "", "", 100))
		s.want("joined", got, err, "known/d", "known/seen-off off", "known/staged", "known/staged-off off", "new/a", "new/staged")
		got, err = pairsOf(s.stage.ExtraMemberships(ctx, "", "", 100))
		s.want("extra, of lists read whole alone", got, err, "whole/b", "whole/c")
		got, err = pairsOf(s.stage.LeftMemberships(ctx, "", "", 100))
		s.want("left", got, err, "known/b left")
		moved, err := s.stage.Moved(ctx)
		s.ok(err)
		if want := map[string][2]int{"known": {6, 3}, "unknown": {1, 0}, "out": {1, 0}}; !maps.Equal(moved, want) {
			s.Errorf("moved: %v, want %v", moved, want)
		}
	})
}

// The last word about somebody in a group counts.
func TestLeftAndBackAgain(t *testing.T) {
	ctx := context.Background()
	eachScene(t, roster.ModeDelta, func(s *scene) {
		s.people("a", "b")
		s.team("g", "a", "b")
		s.assigned(nil, []string{"g"})
		s.left("g", "a")
		s.joined("g", "a", "b")
		s.left("g", "b")
		got, err := pairsOf(s.stage.LeftMemberships(ctx, "", "", 100))
		s.want("left", got, err, "g/b left")
		got, err = pairsOf(s.stage.JoinedMemberships(ctx, "", "", 100))
		s.want("joined", got, err)
	})
}

func TestOfAKeptPersonOnlyALiveOneIsInTeams(t *testing.T) {
	eachScene(t, roster.ModeFull, func(s *scene) {
		s.people("live")
		s.put(keep, "live")
		s.put(disabled, "off")
		s.team("g")
		s.ok(s.stage.PutTeams(context.Background(), []roster.WantedTeam{{ObjectID: "g", DisplayName: "g"}}))
		s.joined("g", "live", "off")
		got, err := pairsOf(s.stage.MissingMemberships(context.Background(), "", "", 100))
		s.want("missing", got, err, "g/live", "g/off off")
	})
}

// Invariant 8: a holder whose lease has passed on takes nothing away from the one who goes on.
func TestAnEarlierHolderLeavesTheStageAlone(t *testing.T) {
	ctx := context.Background()
	eachScene(t, roster.ModeFull, func(s *scene) {
		first := *s.run
		sleeper, err := s.db.OpenStage(ctx, &first)
		s.ok(err)
		s.ok(s.db.ReleaseLease(ctx, &first))
		run, err := s.db.ClaimRun(ctx, "second", time.Minute)
		s.ok(err)
		stage, err := s.db.OpenStage(ctx, run)
		s.ok(err)
		s.ok(stage.PutMembers(ctx, []roster.WantedMember{{ObjectID: "a", Enabled: true, Values: map[string]string{}}}))
		s.ok(sleeper.Close(ctx))
		got, err := objectsOf(stage.Members(ctx, "", 10))
		s.want("staged", got, err, "a")
		s.ok(stage.Intact(ctx))
		s.ok(stage.Close(ctx))
	})
}

// What an unlogged table loses in a crash must not be taken for silence.
func TestALostStageIsNoticed(t *testing.T) {
	ctx := context.Background()
	eachScene(t, roster.ModeFull, func(s *scene) {
		s.put(nil, "a")
		s.ok(s.stage.Intact(ctx))
		s.ok(s.stage.Lose(ctx))
		if err := s.stage.Intact(ctx); roster.CodeOf(err) != roster.Unavailable || !strings.Contains(fmt.Sprint(err), "is lost") {
			s.Errorf("got %v", err)
		}
	})
}
