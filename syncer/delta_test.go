package syncer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/syncer"
)

// Where Graph is asked, for faults.
const (
	atAssignments = "/servicePrincipals/*/appRoleAssignedTo"
	atLooks       = "/users/*/appRoleAssignments"
	atUsersDelta  = "/users/delta()"
)

// withCursor runs once in full, with some more people who are assigned themselves, and leaves a cursor.
func (w *world) withCursor() {
	w.t.Helper()
	for i := range 6 {
		w.joins(fmt.Sprintf("direct.%d@contoso.example", i))
	}
	run, actions := w.run(roster.ModeDelta)
	if run.State != roster.RunDone || run.Mode != roster.ModeFull || !run.Complete || w.cursor() == nil {
		w.t.Fatalf("the first run ended %s (%s), mode %s, complete %t, with %v", run.State, run.Error, run.Mode, run.Complete, lines(actions))
	}
}

func (w *world) cursor() *store.Cursor {
	w.t.Helper()
	c, err := w.db.Cursor(context.Background(), w.org, w.conn)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// delta runs one and holds it to have been one.
func (w *world) delta() (roster.Run, []roster.RunAction) {
	w.t.Helper()
	run, actions := w.run(roster.ModeDelta)
	if run.Mode != roster.ModeDelta {
		w.t.Fatalf("the delta was read in full: %s", run.Note)
	}
	return run, actions
}

// deltaDoes runs a delta that reads and applies everything.
func (w *world) deltaDoes(want ...string) {
	w.t.Helper()
	run, actions := w.delta()
	if run.State != roster.RunDone {
		w.t.Errorf("the delta ended %s (%s): %v", run.State, run.Error, w.broken(run))
	}
	w.wantActions(actions, want...)
}

func (w *world) broken(run roster.Run) []store.Collection {
	w.t.Helper()
	broken, err := w.db.Collections(context.Background(), run.ID, true)
	if err != nil {
		w.t.Fatal(err)
	}
	return broken
}

func (w *world) parked() []string {
	w.t.Helper()
	all, err := w.db.Parked(context.Background(), w.org, w.conn, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	out := make([]string, len(all))
	for i, p := range all {
		out[i] = string(p.Type) + " " + p.Object
	}
	slices.Sort(out)
	return out
}

// direct returns people who are in scope by their own assignment alone, member those by one group alone.
func (w *world) direct() []idpsim.Person { return w.scopedBy(true) }
func (w *world) member() []idpsim.Person { return w.scopedBy(false) }

func (w *world) scopedBy(own bool) []idpsim.Person {
	w.t.Helper()
	var out []idpsim.Person
	for _, p := range w.tenant.Desired() {
		if by := w.tenant.Scope(p.ObjectID); len(by) == 1 && (by[0] == p.ObjectID) == own {
			out = append(out, p)
		}
	}
	if len(out) < 4 {
		w.t.Fatalf("only %d people are in scope in one way", len(out))
	}
	return out
}

func (w *world) statusOf(p idpsim.Person) roster.Status {
	return w.members()[p.UserPrincipalName].Status
}

// silent runs in full and expects nothing to do and nothing written.
func (w *world) silent() {
	w.t.Helper()
	before := w.dump()
	if run, actions := w.run(roster.ModeFull); run.State != roster.RunDone || len(actions) != 0 || w.dump() != before {
		w.t.Errorf("a full run ended %s with %v, or wrote something", run.State, lines(actions))
	}
}

func TestADeltaWithoutACursorReadsInFullAndLeavesOne(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		run, _ := w.run(roster.ModeDelta)
		if run.Mode != roster.ModeFull || !strings.Contains(run.Note, "no cursor yet: read in full") || run.State != roster.RunDone {
			w.t.Errorf("got %s (%s), %s", run.Mode, run.Note, run.State)
		}
		w.converged()
		before := w.dump()
		w.tenant.ResetRequests()
		w.deltaDoes()
		if w.dump() != before {
			w.t.Error("a delta without changes wrote something")
		}
		for route, n := range w.tenant.Requests() {
			if strings.HasPrefix(route, "GET /groups/{id}") || route == "GET /users" {
				w.t.Errorf("a delta without changes asked %d times for %s", n, route)
			}
		}
		if run, _ := w.run(roster.ModeFull); run.Mode != roster.ModeFull || w.cursor().Run != run.ID {
			w.t.Error("a full run does not renew the cursor that is there")
		}
	})
}

// Every kind of change in the IdP, of which no push arrives, is repaired by one delta, and a full run has nothing to add.
func TestADeltaRepairsWhatChanged(t *testing.T) {
	eachWorld(t, 60, 5, func(w *world) {
		w.withCursor()
		direct, members := w.direct(), w.member()
		teams := w.tenant.DesiredTeams()
		renamed, unassigned := teams[0], teams[1]
		var leaver idpsim.Person // leaves the only group that had them in scope
		for _, p := range members {
			if w.tenant.Scope(p.ObjectID)[0] == renamed.ObjectID {
				leaver = p
			}
		}
		id := w.joins("joiner@contoso.example")
		w.ok(w.tenant.AddToGroup(renamed.ObjectID, id))
		w.ok(w.tenant.UpdateUser(direct[0].ObjectID, func(u *idpsim.User) { u.DisplayName = "New Name" }),
			w.tenant.UpdateUser(members[0].ObjectID, func(u *idpsim.User) { u.UserPrincipalName = "renamed@contoso.example" }),
			w.tenant.DisableUser(direct[1].ObjectID), w.tenant.Unassign(direct[2].ObjectID), w.tenant.DeleteUser(direct[3].ObjectID),
			w.tenant.RemoveFromGroup(renamed.ObjectID, leaver.ObjectID), w.tenant.RenameGroup(renamed.ObjectID, "Renamed"),
			w.tenant.AddToGroup(renamed.ObjectID, direct[0].ObjectID))
		g, err := w.tenant.AddGroup(idpsim.Group{DisplayName: "Brand New"})
		w.ok(err, w.tenant.AddToGroup(g.ObjectID, direct[0].ObjectID, members[0].ObjectID), w.tenant.Assign(g.ObjectID))
		run, actions := w.delta()
		if run.State == roster.RunHeld {
			run, actions = w.approve(run.ID)
		}
		if run.State != roster.RunDone || run.Complete {
			w.t.Errorf("the delta ended %s (%s), complete %t, with %v: %v", run.State, run.Error, run.Complete, lines(actions), w.broken(run))
		}
		w.converged()
		w.ok(w.tenant.Unassign(unassigned.ObjectID))
		if run, _ := w.delta(); run.State == roster.RunHeld {
			w.approve(run.ID)
		}
		w.converged()
		w.ok(w.tenant.EnableUser(direct[1].ObjectID), w.tenant.Assign(direct[2].ObjectID), w.tenant.RestoreUser(direct[3].ObjectID),
			w.tenant.AddToGroup(renamed.ObjectID, leaver.ObjectID))
		if run, _ := w.delta(); run.State != roster.RunDone {
			w.t.Errorf("the last delta ended %s", run.State)
		}
		w.converged()
		w.silent()
	})
}

// Invariant 2: a look that says in scope keeps whom the assignment list, whole but old, does not hold.
func TestADeltaDeactivatesNobodyWhomALookKeeps(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		before := w.tenant.Version()
		id := w.joins("late@contoso.example")
		w.withCursor()
		w.ok(w.tenant.UpdateUser(id, func(u *idpsim.User) { u.DisplayName = "Late Comer" }))
		remove := w.tenant.Inject(idpsim.Fault{Path: atAssignments, Lag: w.tenant.Version() - before})
		defer remove()
		run, actions := w.delta()
		if m := w.members()["late@contoso.example"]; !m.Status.Live() || m.DisplayName() != "Late Comer" {
			w.t.Errorf("they are %s %q after %s with %v", m.Status, m.DisplayName(), run.State, lines(actions))
		}
		if w.tenant.Requests()["GET /users/{id}/appRoleAssignments"] == 0 {
			w.t.Error("nobody was looked at")
		}
	})
}

// Both reads take an access away, and the evidence says so.
func TestWhomNothingGrantsAnyMoreIsDeactivatedByTwoReads(t *testing.T) {
	eachWorld(t, 60, 3, func(w *world) {
		w.withCursor()
		p := w.direct()[0]
		w.ok(w.tenant.Unassign(p.ObjectID))
		_, actions := w.delta()
		a := w.has(actions, roster.OrphanedMember, p.UserPrincipalName)
		if a.State != roster.ActionApplied || len(a.Drift.Evidence) != 2 || !strings.Contains(a.Drift.Evidence[0].Text, "absent from the assignment list") ||
			a.Drift.Evidence[1].Text != "no assignment found by a second look" {
			w.t.Errorf("got %+v", a)
		}
		w.deltaDoes()
		w.silent()
	})
}

// Of groups that did not change no membership is asked: what a push did there is for the next full run.
func TestADeltaLeavesTheMembersOfGroupsThatDidNotChange(t *testing.T) {
	eachWorld(t, 40, 4, func(w *world) {
		w.withCursor()
		w.unsettled()
		w.run(roster.ModeFull)
		teams := w.tenant.DesiredTeams()
		changed, damaged := teams[0], teams[1]
		extra := w.members()[w.stranger(damaged)]
		w.commit(w.push(), roster.TeamEdit{ID: w.team(damaged.DisplayName).ID, Add: []string{extra.ID}})
		gone := changed.Members[0]
		w.ok(w.tenant.RemoveFromGroup(changed.ObjectID, gone), w.tenant.Assign(gone))
		w.deltaDoes("extra_membership remove " + w.upn(gone) + " in " + changed.DisplayName)
		_, actions := w.run(roster.ModeFull)
		w.wantActions(actions, "extra_membership remove "+extra.UserName()+" in "+damaged.DisplayName)
	})
}

// Invariant 1: a push after the changes were read beats them.
func TestAPushWhileADeltaReadsBeatsIt(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.withCursor()
		w.unsettled()
		w.run(roster.ModeFull)
		g := w.tenant.DesiredTeams()[0]
		in := g.Members[0]
		member, team := w.members()[w.upn(in)], w.team(g.DisplayName)
		w.ok(w.tenant.Assign(in), w.tenant.RemoveFromGroup(g.ObjectID, in))
		remove := w.tenant.Inject(idpsim.Fault{Path: "/users", Count: 1, BeforeAnswer: func() {
			w.ok(w.tenant.AddToGroup(g.ObjectID, in))
			w.commit(w.push(), roster.TeamEdit{ID: team.ID, Add: []string{member.ID}})
		}})
		defer remove()
		w.ok(w.tenant.UpdateUser(in, func(u *idpsim.User) { u.GivenName = "Another" })) // so that somebody is read
		_, actions := w.delta()
		if got := w.teams()[g.DisplayName]; !slices.Contains(got, member.UserName()) {
			w.t.Errorf("the team has %v after %v", got, lines(actions))
		}
	})
}

// Invariant 2: silence in a list that is much shorter than last time counts for nothing, and the cursor waits.
func TestADeltaDoubtsAnEmptyAssignmentList(t *testing.T) {
	eachWorld(t, 40, 3, func(w *world) {
		w.withCursor()
		p := w.direct()[0]
		w.ok(w.tenant.Unassign(p.ObjectID))
		before, live, teams := w.cursor().Position, w.live(), len(w.teams())
		remove := w.tenant.Inject(idpsim.Fault{Path: atAssignments, Empty: true})
		run, actions := w.delta()
		remove()
		if run.State != roster.RunPartial || w.live() != live || len(w.teams()) != teams || w.cursor().Position != before {
			w.t.Errorf("ended %s, %d live of %d, with %v; the cursor moved: %t", run.State, w.live(), live, lines(actions), w.cursor().Position != before)
		}
		w.delta() // the list is longer than the doubted one
		if w.statusOf(p) != roster.Deactivated {
			w.t.Errorf("the next delta left them %s", w.statusOf(p))
		}
	})
}

// Invariant 7: a delta that fails keeps the cursor, and the next one reads what it should have.
func TestADeltaThatFailsKeepsItsCursor(t *testing.T) {
	for name, fault := range map[string]idpsim.Fault{
		"the assignments are refused": {Path: atAssignments, Status: 400, Code: "BadRequest"},
		"the changes are refused":     {Path: atUsersDelta, Status: 403, Code: "Authorization_RequestDenied"},
		"the people are refused":      {Path: "/users", Status: 403, Code: "Authorization_RequestDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, 30, 3, func(w *world) {
				w.withCursor()
				before := w.cursor().Position
				p := w.direct()[0]
				w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.DisplayName = "New Name" }))
				remove := w.tenant.Inject(fault)
				run, _ := w.delta()
				remove()
				if run.State != roster.RunFailed || run.Error == "" || w.cursor().Position != before {
					w.t.Errorf("ended %s (%s), the cursor moved: %t", run.State, run.Error, w.cursor().Position != before)
				}
				w.deltaDoes("stale_member update " + p.UserPrincipalName)
			})
		})
	}
}

func TestALostCursorIsReplacedByAFullRead(t *testing.T) {
	for name, shape := range map[string]idpsim.DeltaExpiry{"410": idpsim.DeltaGone, "400": idpsim.DeltaSyncStateNotFound} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, 30, 3, func(w *world) {
				w.withCursor()
				before := w.cursor().Position
				p := w.direct()[0]
				w.ok(w.tenant.Unassign(p.ObjectID))
				w.tenant.ExpireDeltaTokens(shape)
				run, _ := w.run(roster.ModeDelta)
				if run.Mode != roster.ModeFull || !strings.Contains(run.Note, "doesn't take the cursor any more: read in full") || run.State != roster.RunDone ||
					w.statusOf(p) != roster.Deactivated || w.cursor().Position == before {
					w.t.Errorf("got %s (%s), %s, the member is %s", run.Mode, run.Note, run.State, w.statusOf(p))
				}
				w.deltaDoes()
				w.silent()
			})
		})
	}
}

// noCursor is a connector that can't take a cursor.
type noCursor struct {
	connectors.DeltaReader
	connectors.Reader
	connectors.OneReader
	err func(context.Context) error
}

func (n *noCursor) Cursor(ctx context.Context) (string, error) { return "", n.err(ctx) }

type wholeReader interface {
	connectors.DeltaReader
	connectors.Reader
	connectors.OneReader
}

// reader puts another connector in the place of the world's.
func (w *world) reader(change func(r wholeReader) connectors.Reader) {
	w.t.Helper()
	src := w.cfg.Sources[w.conn]
	r, ok := src.Reader.(wholeReader)
	if !ok {
		w.t.Fatalf("%T reads no deltas", src.Reader)
	}
	src.Reader = change(r)
	w.cfg.Sources = map[string]syncer.Source{w.conn: src}
	w.syncer = w.another("changed")
}

// A cursor of another mapping, or of another tenant, is of no use, also where no new one could be taken since.
func TestACursorOfOtherSettingsIsNotUsed(t *testing.T) {
	entra := func(target, settings string) roster.ConnectionSync {
		return roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: target, Settings: settings, Managed: mapping.Entra().Managed()}
	}
	for name, change := range map[string]func(w *world, to string){
		"the mapping changed": func(w *world, to string) { w.commit(roster.Cause{}, entra("t1", to)) },
		"the target changed": func(w *world, to string) {
			w.commit(roster.Cause{}, entra(to, mapping.Entra().Fingerprint()))
			w.commit(operator(), roster.ConnectionRebind{ID: w.conn})
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, 20, 2, func(w *world) {
				w.withCursor()
				change(w, "second")
				run, _ := w.run(roster.ModeDelta)
				if run.Mode != roster.ModeFull || !strings.Contains(run.Note, "no run that read everything was applied yet under these settings") {
					w.t.Errorf("not settled: %s (%s)", run.Mode, run.Note)
				}
				w.deltaDoes()
				kept := w.cursor().Run
				change(w, "third")
				good := w.cfg.Sources
				w.reader(func(r wholeReader) connectors.Reader {
					return &noCursor{r, r, r, func(context.Context) error {
						return &connectors.Error{Fault: connectors.Unreachable, Message: "out of reach"}
					}}
				})
				if run, _ := w.run(roster.ModeFull); run.State != roster.RunDone || w.cursor().Run != kept || !w.connection().Settled {
					w.t.Fatalf("a cursor that can't be taken failed the run: %s (%s)", run.State, run.Error)
				}
				w.cfg.Sources = good
				w.syncer = w.another("good")
				run, _ = w.run(roster.ModeDelta)
				if run.Mode != roster.ModeFull || !strings.Contains(run.Note, "has changed since the cursor was taken: read in full") {
					w.t.Errorf("an old cursor: %s (%s)", run.Mode, run.Note)
				}
			})
		})
	}
}

func (w *world) connection() roster.Connection {
	w.t.Helper()
	c, err := w.db.Connection(context.Background(), w.org, w.conn)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// A full run takes a cursor where deltas are scheduled, were asked for or have been read, and not otherwise; a dry run
// never does.
func TestWhoTakesACursor(t *testing.T) {
	eachWorld(t, 15, 2, func(w *world) {
		w.baseline()
		if w.cursor() != nil {
			w.t.Error("a full run took a cursor that nobody asked for")
		}
		w.run(roster.ModeDry)
		src := w.cfg.Sources[w.conn]
		src.Delta = true
		w.cfg.Sources = map[string]syncer.Source{w.conn: src}
		w.syncer = w.another("scheduled")
		w.tenant.ResetRequests()
		w.run(roster.ModeDry)
		if w.cursor() != nil || w.tenant.Requests()["GET /users/delta()"] > 0 {
			w.t.Error("a dry run took a cursor")
		}
		remove := w.tenant.Inject(idpsim.Fault{Path: "/groups/*/members", Status: 400, Code: "BadRequest", Count: 1})
		run, _ := w.run(roster.ModeFull)
		remove()
		if run.Complete || w.cursor() != nil {
			w.t.Error("a run that did not read everything left a cursor")
		}
		w.run(roster.ModeFull)
		if w.cursor() == nil {
			w.t.Error("a full run left no cursor for the scheduled deltas")
		}
		w.deltaDoes()
	})
}

// What changes while a full run reads, the first delta reads again: its cursor is older than the run.
func TestTheCursorIsOlderThanThePull(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		var late idpsim.Person
		remove := w.tenant.Inject(idpsim.Fault{Path: "/groups/*/members", Count: 1, BeforeAnswer: func() {
			late = w.direct()[0]
			g := w.tenant.DesiredTeams()[0]
			if slices.Contains(g.Members, late.ObjectID) {
				late = w.direct()[1]
			}
			for _, t := range w.tenant.DesiredTeams() { // also into the one that is read right now
				w.ok(w.tenant.AddToGroup(t.ObjectID, late.ObjectID))
			}
		}})
		w.withCursor()
		remove()
		w.delta()
		w.converged()
	})
}

// Invariant 7: what could not be applied is parked, and tried again by every delta though it has not changed.
func TestWhatIsParkedIsTriedAgain(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.withCursor()
		w.commit(operator(), roster.MemberInvite{Email: "taken@contoso.example", Role: roster.RoleMember})
		id := w.joins("taken@contoso.example")
		for range 3 {
			w.deltaDoes("conflict none taken@contoso.example")
			if got := w.parked(); !slices.Equal(got, []string{"member " + id}) {
				w.t.Errorf("parked: %v", got)
			}
		}
		w.commit(operator(), roster.MemberAdopt{ID: w.members()["taken@contoso.example"].ID, Connection: w.conn})
		w.delta()
		if m := w.members()["taken@contoso.example"]; len(w.parked()) != 0 || m.Email() == "" {
			w.t.Errorf("parked: %v, stored %+v", w.parked(), m)
		}
		w.silent()
	})
}

// Invariant 7: what the run planned and a push made stale is parked, and the next delta does it.
func TestWhatBecameStaleIsDoneByTheNextDelta(t *testing.T) {
	eachWorld(t, 60, 3, func(w *world) {
		w.withCursor()
		w.unsettled()
		w.run(roster.ModeFull)
		direct := w.direct()
		off, out, gone := direct[0], direct[1], direct[2]
		g := w.tenant.DesiredTeams()[0]
		in := g.Members[0]
		w.ok(w.tenant.DisableUser(off.ObjectID), w.tenant.Unassign(out.ObjectID), w.tenant.DeleteUser(gone.ObjectID), w.tenant.Assign(in),
			w.tenant.RemoveFromGroup(g.ObjectID, in))
		ids := map[string]string{}
		for _, p := range []idpsim.Person{off, out, gone} {
			ids[p.ObjectID] = w.members()[p.UserPrincipalName].ID
		}
		here, team := w.members()[w.upn(in)].ID, w.team(g.DisplayName).ID
		w.beforeCommit(2, func() { // links are made, nothing is done yet
			for _, id := range ids {
				w.commit(w.push(), roster.MemberEdit{ID: id, Edit: func(m roster.Member) (roster.Attributes, *bool, error) {
					a := m.Attributes.Clone()
					a.Set("title", "Pushed")
					return a, nil, nil
				}})
			}
			w.commit(w.push(), roster.TeamEdit{ID: team, Add: []string{here}})
		})
		run, actions := w.delta()
		if run.State != roster.RunPartial || len(w.parked()) != 4 {
			w.t.Fatalf("the delta ended %s, parked %v, with %v", run.State, w.parked(), lines(actions))
		}
		w.syncer = w.another("undisturbed")
		w.deltaDoes("orphaned_member deactivate "+off.UserPrincipalName, "orphaned_member deactivate "+out.UserPrincipalName,
			"orphaned_member deactivate "+gone.UserPrincipalName, "extra_membership remove "+w.upn(in)+" in "+g.DisplayName)
		if got := w.parked(); len(got) != 0 {
			w.t.Errorf("parked: %v", got)
		}
		w.converged()
	})
}

// beforeCommit has something happen once, before the syncer's n-th commit.
func (w *world) beforeCommit(n int, do func()) {
	w.t.Helper()
	w.inCommit(n, func(context.Context) { do() })
}

// inCommit is beforeCommit for what needs the commit's own context.
func (w *world) inCommit(n int, do func(context.Context)) {
	w.t.Helper()
	cfg := w.cfg
	cfg.Roster = roster.New(&awaited{store: w.db, n: n, do: do})
	var err error
	if w.syncer, err = syncer.New(cfg); err != nil {
		w.t.Fatal(err)
	}
}

// awaited is a store whose n-th commit is preceded by something.
type awaited struct {
	store roster.Store
	n     int
	do    func(context.Context)
}

func (a *awaited) InTx(ctx context.Context, fn func(roster.Tx) error) error {
	if a.n--; a.n == 0 {
		a.do(ctx)
	}
	return a.store.InTx(ctx, fn)
}

// Invariant 7: where the looks are used up, what they were for is neither applied nor parked, and the cursor waits.
func TestTheCursorWaitsForLooks(t *testing.T) {
	eachWorld(t, 60, 3, func(w *world) {
		w.withCursor()
		before := w.cursor().Position
		for _, p := range w.direct()[:3] {
			w.ok(w.tenant.Unassign(p.ObjectID))
		}
		renamed := w.direct()[0]
		w.ok(w.tenant.UpdateUser(renamed.ObjectID, func(u *idpsim.User) { u.DisplayName = "New Name" }))
		good := w.cfg
		w.cfg.Looks = 1
		w.syncer = w.another("one look")
		run, actions := w.delta()
		if run.State != roster.RunPartial || w.cursor().Position != before {
			w.t.Errorf("ended %s, the cursor moved: %t, with %v", run.State, w.cursor().Position != before, lines(actions))
		}
		w.cfg = good
		w.syncer = w.another("all looks")
		if run, _ := w.delta(); run.State != roster.RunDone || w.cursor().Position == before || len(w.parked()) != 0 {
			w.t.Errorf("ended %s, the cursor moved: %t, parked %v", run.State, w.cursor().Position != before, w.parked())
		}
		w.converged()
		w.silent()
	})
}

// Section 5: who goes on with a delta whose holder died after its last batch reads the same again, and moves the cursor.
func TestADeltaThatDiedBeforeItsEndIsReadAgain(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.withCursor()
		before := w.cursor().Position
		p, q := w.direct()[0], w.direct()[1]
		w.ok(w.tenant.Unassign(p.ObjectID), w.tenant.UpdateUser(q.ObjectID, func(u *idpsim.User) { u.DisplayName = "New Name" }))
		ctx, die := context.WithCancel(context.Background())
		tap := &tapped{store: w.db}
		tap.after = func(n int) {
			if w.statusOf(p) == roster.Deactivated {
				die()
			}
		}
		cfg := w.cfg
		cfg.Roster = roster.New(tap)
		dying, err := syncer.New(cfg)
		w.ok(err)
		id := w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: roster.ModeDelta, By: "op"})[0].ID
		dying.WorkOne(ctx)
		if run, _ := w.show(id); run.State != roster.RunRunning || w.cursor().Position != before {
			w.t.Fatalf("the first holder left the run %s, the cursor moved: %t", run.State, w.cursor().Position != before)
		}
		run, actions := w.work(id)
		if run.State != roster.RunDone || run.Mode != roster.ModeDelta || w.cursor().Position == before {
			w.t.Errorf("the second holder ended %s %s with %v", run.Mode, run.State, lines(actions))
		}
		w.converged()
	})
}

// A cancelled delta keeps its cursor, and also whom its links were already told of is judged by the next.
func TestACancelledDeltaLosesNothing(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.withCursor()
		before := w.cursor().Position
		p := w.direct()[0]
		w.ok(w.tenant.Unassign(p.ObjectID))
		w.cfg.Lease = 100 * time.Millisecond // noticed soon
		id := w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: roster.ModeDelta, By: "op"})[0].ID
		w.inCommit(2, func(ctx context.Context) {
			w.commit(operator(), roster.RunCancel{ID: id, By: "op"})
			<-ctx.Done() // the renewal has seen it
		})
		run, _ := w.work(id)
		if run.State != roster.RunCancelled || w.cursor().Position != before || w.statusOf(p) == roster.Deactivated {
			w.t.Fatalf("ended %s, the cursor moved: %t, the member is %s", run.State, w.cursor().Position != before, w.statusOf(p))
		}
		w.cfg.Lease = time.Minute
		w.syncer = w.another("undisturbed")
		w.deltaDoes("orphaned_member deactivate " + p.UserPrincipalName)
	})
}

// Section 6, 3: a delta's removals are counted like a full run's, and what an open plan holds is left alone and read again
// once it is decided.
func TestADeltaIsGuarded(t *testing.T) {
	eachWorld(t, 60, 4, func(w *world) {
		w.withCursor()
		out := w.direct()[:4]
		for _, p := range out {
			w.ok(w.tenant.Unassign(p.ObjectID))
		}
		disabled := w.member()[:3]
		for _, p := range disabled {
			w.ok(w.tenant.DisableUser(p.ObjectID))
		}
		run, _ := w.delta()
		if run.State != roster.RunHeld || run.Held[0].Limit != "members" || run.Held[0].Actions != 7 {
			w.t.Fatalf("ended %s, held %+v", run.State, run.Held)
		}
		// Meanwhile one of them is renamed, which no run writes while the plan is open.
		w.ok(w.tenant.Assign(out[0].ObjectID), w.tenant.UpdateUser(out[0].ObjectID, func(u *idpsim.User) { u.DisplayName = "New Name" }))
		name := func() string { m := w.members()[out[0].UserPrincipalName]; return m.DisplayName() }
		later, actions := w.delta()
		if later.State != roster.RunDone || name() == "New Name" {
			w.t.Errorf("the next delta ended %s with %v", later.State, lines(actions))
		}
		for _, a := range actions {
			if a.Drift.Subject.ObjectID != out[0].ObjectID {
				w.t.Errorf("the next delta lists again %s", lines([]roster.RunAction{a}))
			}
		}
		w.commit(operator(), roster.RunCancel{ID: run.ID, By: "op"})
		again, actions := w.delta()
		if again.State != roster.RunHeld || again.Held[0].Actions != 6 || name() != "New Name" {
			w.t.Errorf("after it was cancelled: %s, held %+v, with %v", again.State, again.Held, lines(actions))
		}
		w.approve(again.ID)
		w.delta()
		w.converged()
		w.silent()
	})
}

// A group that loses most of its members by deltas is not doubted by the next full run.
func TestDeltasKeepUpHowLongListsAre(t *testing.T) {
	eachWorld(t, 60, 2, func(w *world) {
		w.withCursor()
		g := w.tenant.DesiredTeams()[0]
		if len(g.Members) < 12 {
			w.t.Fatalf("the group has %d members", len(g.Members))
		}
		for _, id := range g.Members {
			w.ok(w.tenant.Assign(id))
		}
		for _, id := range g.Members[2:] {
			w.ok(w.tenant.RemoveFromGroup(g.ObjectID, id))
		}
		if run, _ := w.delta(); run.State == roster.RunHeld {
			w.approve(run.ID)
		}
		w.converged()
		if run, _ := w.run(roster.ModeFull); !run.Complete {
			w.t.Errorf("the full run doubts %+v", w.broken(run))
		}
	})
}

// Section 3, first link: a delta knows of nobody but those who changed whose userName is whose.
func TestADeltaLinksNobodyByEmail(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.withCursor()
		w.pushed(w.push(), "pushed.otherwise@contoso.example", "", "person@contoso.example")
		w.joins("person@contoso.example")
		w.ok(w.tenant.UpdateUser(w.objectOf("person@contoso.example"), func(u *idpsim.User) { u.Mail = "person@contoso.example" }))
		w.deltaDoes("missing_member none person@contoso.example")
		w.run(roster.ModeFull)
		w.run(roster.ModeFull)
		if m, ok := w.members()["person@contoso.example"]; ok || w.members()["pushed.otherwise@contoso.example"].Connection != w.conn {
			w.t.Errorf("a second account: %+v", m)
		}
	})
}

// A run whose context ends while it takes a cursor stops; any other error there is only logged.
func TestAnEndedContextIsNoCursorThatCannotBeTaken(t *testing.T) {
	eachWorld(t, 15, 2, func(w *world) {
		ctx, stop := context.WithCancel(context.Background())
		w.reader(func(r wholeReader) connectors.Reader {
			return &noCursor{r, r, r, func(ctx context.Context) error { stop(); return ctx.Err() }}
		})
		id := w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: roster.ModeDelta, By: "op"})[0].ID
		w.syncer.WorkOne(ctx)
		if run, _ := w.show(id); run.State != roster.RunRunning {
			w.t.Errorf("the run is %s, want given back", run.State)
		}
	})
}
