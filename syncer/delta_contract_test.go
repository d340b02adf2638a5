package syncer_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// What a delta may say beyond what the connectors that there are say: the contract of connectors.DeltaSink.

// told is a connector whose delta says what a test has it say.
type told struct {
	connectors.DeltaReader
	connectors.Reader
	connectors.OneReader
	since connectors.Since
	say   func(s connectors.DeltaSink) error
	next  string
	err   error
}

func (r *told) Delta(ctx context.Context, since connectors.Since, s connectors.DeltaSink) (string, error) {
	r.since = since
	if _, err := s.Stamp(ctx); err != nil {
		return "", err
	}
	if err := r.say(s); err != nil {
		return "", err
	}
	return r.next, r.err
}

// story tells a delta to a sink; its first error stays.
type story struct {
	connectors.DeltaSink
	w   *world
	err error
}

func (s *story) do(f func(ctx context.Context, at connectors.Stamp) error) {
	ctx := context.Background()
	at, err := s.Stamp(ctx)
	if s.err = errors.Join(s.err, err); s.err == nil {
		s.err = f(ctx, at)
	}
}

func (s *story) users(users ...connectors.User) {
	s.do(func(ctx context.Context, at connectors.Stamp) error { return s.Users(ctx, at, users) })
}

func (s *story) came(group string, ids ...string) {
	s.do(func(ctx context.Context, at connectors.Stamp) error { return s.Members(ctx, at, group, ids) })
}

func (s *story) went(group string, ids ...string) {
	s.do(func(ctx context.Context, at connectors.Stamp) error { return s.Left(ctx, at, group, ids) })
}

func (s *story) ends(kind connectors.CollectionKind, id string, count int, whole bool) {
	s.do(func(ctx context.Context, at connectors.Stamp) error {
		c := connectors.Collection{Kind: kind, ID: id, Began: at, Count: count, Whole: whole}
		if !whole {
			c.Err = "it broke off"
		}
		return s.Collection(ctx, c)
	})
}

// assignments says the tenant's own list, without some ids.
func (s *story) assignments(but ...string) {
	var users, groups []string
	for _, a := range s.w.tenant.Assignments() {
		switch {
		case slices.Contains(but, a.PrincipalID):
		case a.Group:
			groups = append(groups, a.PrincipalID)
		default:
			users = append(users, a.PrincipalID)
		}
	}
	s.do(func(ctx context.Context, at connectors.Stamp) error { return s.Assigned(ctx, at, users, groups) })
	s.ends(connectors.Assignments, "", len(users)+len(groups), true)
}

// tells has the next deltas say what a story says.
func (w *world) tells(say func(s *story)) *told {
	w.t.Helper()
	r := &told{next: "next", say: func(sink connectors.DeltaSink) error {
		s := &story{DeltaSink: sink, w: w}
		say(s)
		return s.err
	}}
	w.reader(func(real wholeReader) connectors.Reader {
		if again, ok := real.(*told); ok {
			r.DeltaReader, r.Reader, r.OneReader = again.DeltaReader, again.Reader, again.OneReader
		} else {
			r.DeltaReader, r.Reader, r.OneReader = real, real, real
		}
		return r
	})
	return r
}

func (w *world) userOf(id string) connectors.User {
	w.t.Helper()
	u, ok := w.tenant.User(id)
	if !ok {
		w.t.Fatalf("no user %s", id)
	}
	return connectors.User{ObjectID: id, Enabled: !u.Disabled, Attributes: map[string]string{"userPrincipalName": u.UserPrincipalName,
		"mail": u.Mail, "displayName": u.DisplayName, "givenName": u.GivenName, "surname": u.Surname}}
}

// Who joined or left a group need not be handed over besides, nor the group.
func TestADeltaOfMembershipsAlone(t *testing.T) {
	eachWorld(t, 40, 3, func(w *world) {
		w.withCursor()
		teams := w.tenant.DesiredTeams()
		in, out := w.objectOf(w.stranger(teams[0])), teams[0].Members[0]
		w.ok(w.tenant.AddToGroup(teams[0].ObjectID, in), w.tenant.Assign(out), w.tenant.RemoveFromGroup(teams[0].ObjectID, out))
		w.tells(func(s *story) {
			s.assignments()
			s.came(teams[0].ObjectID, in, "nobody we know")
			s.came("no group that we know", in)
			s.went(teams[0].ObjectID, out, "nobody we know")
		})
		w.tenant.ResetRequests()
		w.deltaDoes("missing_membership add "+w.upn(in)+" in "+teams[0].DisplayName, "extra_membership remove "+w.upn(out)+" in "+teams[0].DisplayName)
		if asked := w.tenant.Requests(); len(asked) > 0 {
			w.t.Errorf("looked again: %v", asked)
		}
		w.converged()
	})
}

// Of somebody who changed, and who may be in scope by a group that did not, nobody need say so. The store or a look does.
func TestWhoseScopeADeltaDoesNotSay(t *testing.T) {
	eachWorld(t, 40, 3, func(w *world) {
		w.withCursor()
		member, direct := w.member()[0], w.direct()[0]
		outsider, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "outsider@contoso.example"})
		w.ok(err)
		insider := w.joins("insider@contoso.example")
		for _, p := range []string{member.ObjectID, direct.ObjectID} {
			w.ok(w.tenant.UpdateUser(p, func(u *idpsim.User) { u.DisplayName = "Changed" }))
		}
		w.tells(func(s *story) {
			s.assignments(insider) // the list is a little old
			for _, id := range []string{member.ObjectID, direct.ObjectID, outsider.ObjectID, insider} {
				s.users(w.userOf(id))
			}
		})
		w.tenant.ResetRequests()
		w.deltaDoes("stale_member update "+member.UserPrincipalName, "stale_member update "+direct.UserPrincipalName,
			"missing_member create insider@contoso.example")
		if n := w.tenant.Requests()["GET /users/{id}"]; n != 2 {
			w.t.Errorf("%d people were looked at, want those two of whom nothing was known", n)
		}
	})
}

// Where everybody in scope is handed over, silence about a person counts after a look, as in a full run.
func TestADeltaThatSpeaksOfEverybody(t *testing.T) {
	eachWorld(t, 30, 2, func(w *world) {
		w.withCursor()
		p, kept := w.member()[0], w.direct()[1] // p leaves a group, of which nothing is said
		w.leave(p.ObjectID)
		everybody := func(whole bool, but ...string) func(*story) {
			return func(s *story) {
				s.assignments(but...)
				n := 0
				for _, d := range w.tenant.Desired() {
					if !slices.Contains(but, d.ObjectID) {
						u := w.userOf(d.ObjectID)
						u.Scope = "assigned"
						s.users(u)
						n++
					}
				}
				s.ends(connectors.Users, "", n, whole)
			}
		}
		w.tells(everybody(false, p.ObjectID))
		before := w.cursor().Position
		if run, _ := w.delta(); run.State != roster.RunPartial || w.cursor().Position != before || w.statusOf(kept) == roster.Deactivated {
			w.t.Errorf("a list of people that broke off: %s, the cursor moved %t", run.State, w.cursor().Position != before)
		}
		w.tells(everybody(true, p.ObjectID, kept.ObjectID))
		run, _ := w.delta()
		if run.State != roster.RunDone || w.statusOf(p) != roster.Deactivated || w.statusOf(kept) == roster.Deactivated || w.cursor().Position != "next" {
			w.t.Errorf("the delta ended %s; %s, %s", run.State, w.statusOf(p), w.statusOf(kept))
		}
	})
}

// A group whose members the delta should have read and didn't is unknown to the next one, and the run says so.
func TestAGroupThatWasNotReadIsUnknownToTheNextDelta(t *testing.T) {
	for name, say := range map[string]func(s *story, known, broken, fresh string){
		"its list broke off": func(s *story, _, broken, _ string) { s.ends(connectors.Members, broken, 0, false) },
		"a new one's list was never read": func(s *story, known, broken, fresh string) {
			for _, id := range []string{known, broken} {
				s.ends(connectors.Members, id, len(s.w.tenant.Members(id)), true)
				s.came(id, s.w.tenant.Members(id)...)
			}
			_ = fresh
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, 30, 3, func(w *world) {
				w.withCursor()
				known, broken := w.tenant.DesiredTeams()[0].ObjectID, w.tenant.DesiredTeams()[1].ObjectID
				fresh := ""
				if name != "its list broke off" {
					g, err := w.tenant.AddGroup(idpsim.Group{DisplayName: "Fresh"})
					w.ok(err, w.tenant.Assign(g.ObjectID))
					fresh = g.ObjectID
				}
				r := w.tells(func(s *story) {
					s.assignments()
					say(s, known, broken, fresh)
				})
				run, _ := w.delta()
				if run.State != roster.RunPartial || w.cursor().Position != "next" || !slices.Contains(w.cursor().Groups, known) {
					w.t.Errorf("the delta ended %s, cursor %+v", run.State, w.cursor())
				}
				unknown := broken
				if fresh != "" {
					unknown = fresh
				}
				if slices.Contains(w.cursor().Groups, unknown) {
					w.t.Error("the group counts as known")
				}
				r.say = func(s connectors.DeltaSink) error {
					if s.KnownGroup(unknown) || !s.KnownGroup(known) {
						w.t.Errorf("known: %t, %t", s.KnownGroup(unknown), s.KnownGroup(known))
					}
					return errors.New("enough")
				}
				w.run(roster.ModeDelta)
			})
		})
	}
}

// A group that leaves the assignments is not known any more: when it is back, its members are read again.
func TestAGroupThatWentAndCameBackIsUnknown(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.withCursor()
		g := w.tenant.DesiredTeams()[0]
		w.ok(w.tenant.Unassign(g.ObjectID))
		w.tells(func(s *story) { s.assignments() })
		run, _ := w.delta()
		if slices.Contains(w.cursor().Groups, g.ObjectID) {
			w.t.Errorf("the delta ended %s, and the group is known", run.State)
		}
	})
}

// What is parked is handed to the connector; a group that it should have read and did not stays parked.
func TestWhatIsParkedIsHandedOn(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.withCursor()
		g, p := w.tenant.DesiredTeams()[0], w.direct()[0]
		for _, a := range []roster.RunAction{
			{Drift: roster.Drift{Subject: roster.Subject{Type: roster.TypeTeam, ObjectID: g.ObjectID}}},
			{Drift: roster.Drift{Subject: roster.Subject{Type: roster.TypeMember, ObjectID: p.ObjectID}}},
		} {
			w.park(a)
		}
		r := w.tells(func(s *story) { s.assignments() })
		w.delta()
		if !slices.Equal(r.since.Users, []string{p.ObjectID}) || !slices.Equal(r.since.Groups, []string{g.ObjectID}) {
			w.t.Errorf("handed on: %+v", r.since)
		}
		if got := w.parked(); !slices.Equal(got, []string{"team " + g.ObjectID}) {
			w.t.Errorf("parked: %v", got)
		}
		w.tells(func(s *story) {
			s.assignments()
			s.came(g.ObjectID, g.Members...)
			s.ends(connectors.Members, g.ObjectID, len(g.Members), true)
		})
		w.delta()
		if got := w.parked(); len(got) != 0 {
			w.t.Errorf("parked: %v", got)
		}
	})
}

// park parks an action's object, as a run does in which it was refused.
func (w *world) park(a roster.RunAction) {
	w.t.Helper()
	w.tells(func(s *story) { s.assignments() })
	a.N, a.State, a.Note = 1000, roster.ActionRefused, "refused"
	ctx := context.Background()
	w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: roster.ModeDelta, By: "op"})
	run, err := w.db.ClaimRun(ctx, "test", w.cfg.Lease)
	w.ok(err, w.db.AddActions(ctx, run, []roster.RunAction{a}))
	run.State = roster.RunDone
	w.ok(w.db.FinishRun(ctx, run, store.Ending{Park: true}))
}

// Who is gone is deactivated by the IdP's own word, though no list is whole; of whom nobody here knew nothing is said.
func TestWhoIsGoneByTheIdPsOwnWord(t *testing.T) {
	eachWorld(t, 30, 2, func(w *world) {
		w.withCursor()
		p := w.direct()[0]
		w.ok(w.tenant.DeleteUser(p.ObjectID))
		w.tells(func(s *story) {
			s.ends(connectors.Assignments, "", 0, false)
			s.users(connectors.User{ObjectID: p.ObjectID, Gone: "deleted in the directory"}, connectors.User{ObjectID: "stranger", Gone: "deleted in the directory"})
		})
		_, actions := w.delta()
		w.wantActions(actions, "orphaned_member deactivate "+p.UserPrincipalName)
		if e := actions[0].Drift.Evidence[0]; e.Text != "deleted in the directory" || e.Source != "graph" {
			w.t.Errorf("evidence: %+v", e)
		}
	})
}
