package syncer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/syncer"
)

// What a resync of one person leaves as it is, or refuses.

func TestTheLastOwnerIsProtectedFromAResyncOfOne(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		team := w.tenant.DesiredTeams()[0]
		p := w.somebody(slices.IndexFunc(w.tenant.Desired(), func(p idpsim.Person) bool { return p.ObjectID == team.Members[0] }))
		w.commit(operator(), roster.MemberInvite{Email: p.UserPrincipalName, Role: roster.RoleOwner})
		w.commit(operator(), roster.MemberAdopt{ID: w.members()[p.UserPrincipalName].ID, Connection: w.conn})
		w.baseline()
		w.ok(w.tenant.DisableUser(p.ObjectID))
		// Who has no account there joins no team by a run, protected or not.
		w.commit(w.push(), roster.TeamEdit{ID: w.team(team.DisplayName).ID, Remove: []string{w.members()[p.UserPrincipalName].ID}})
		run, actions := w.one(p.UserPrincipalName)
		w.ends(run, roster.RunDone, "left as it is", "owner")
		w.wantActions(actions, "conflict none "+p.UserPrincipalName)
		if m := w.members()[p.UserPrincipalName]; !m.Status.Live() {
			w.t.Error("the last owner was deactivated")
		}
	})
}

func TestAKeyThatNamesSeveralOrNobodyIsRefusedAndWritesNothing(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		p, q := w.somebody(0), w.somebody(1)
		m := w.members()[q.UserPrincipalName]
		w.commit(w.push(), roster.MemberEdit{ID: m.ID, Edit: func(m roster.Member) (roster.Attributes, *bool, error) {
			a := m.Attributes.Clone()
			a.Set(roster.AttrExternalID, p.UserPrincipalName)
			return a, nil, nil
		}})
		before := w.dump()
		for key, want := range map[string]struct {
			code  roster.Code
			words []string
		}{
			p.UserPrincipalName:                    {roster.Conflict, []string{"several members", m.ID, w.members()[p.UserPrincipalName].ID}},
			"nobody@contoso.example":               {roster.NotFound, []string{"nobody@contoso.example", "connection entra", "object id"}},
			"nobody":                               {roster.NotFound, nil},
			"no\"body's (odd) key":                 {roster.NotFound, nil},
			"00000000-0000-4000-8000-000000000001": {roster.NotFound, nil},
			"  ":                                   {roster.Invalid, nil},
		} {
			runs, err := w.askOne(key, false)
			if roster.CodeOf(err) != want.code || len(runs) != 0 {
				w.t.Errorf("%q: %v, %v", key, runs, err)
				continue
			}
			for _, text := range want.words {
				if !strings.Contains(err.Error(), text) {
					w.t.Errorf("%q: %v does not say %q", key, err, text)
				}
			}
		}
		if runs, _, err := w.db.Runs(context.Background(), w.org, store.List{}); err != nil || len(runs) != 1 || w.dump() != before {
			w.t.Errorf("%d runs, %v, or something was written", len(runs), err)
		}
	})
}

func TestAComparisonOfOneWritesNothingButItsRow(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		w.pushOff(p)
		w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.DisplayName = "Renamed Person" }))
		before := w.dump()
		run, actions := w.only(w.askOne(p.UserPrincipalName, true))
		w.ends(run, roster.RunDone, "a resync would reactivate, update displayName", "only compared: nothing was written")
		w.wantActions(actions, "redundant_soft_delete reactivate "+p.UserPrincipalName, "stale_member update "+p.UserPrincipalName)
		for _, a := range actions {
			if a.State != roster.ActionPlanned {
				w.t.Errorf("%s is %s", a.Drift.Kind, a.State)
			}
		}
		if w.dump() != before || run.Applied != 0 {
			w.t.Error("a comparison wrote something")
		}
		if run.Said.Wanted[roster.AttrDisplayName] != "Renamed Person" || run.Said.Stored[roster.AttrDisplayName] != p.DisplayName {
			w.t.Errorf("said %+v", run.Said)
		}
		if runs, _, err := w.db.Runs(context.Background(), w.org, store.List{}); err != nil || len(runs) != 2 {
			w.t.Errorf("%d runs, %v", len(runs), err)
		}
	})
}

func TestWhatTheIdPRefusesMakesAFailedRunWithoutSecrets(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		before := w.dump()
		remove := w.tenant.Inject(idpsim.Fault{Status: 401})
		for _, key := range []string{p.UserPrincipalName, "somebody.else@contoso.example"} {
			run, actions := w.one(key)
			w.ends(run, roster.RunFailed, "credentials")
			if strings.Contains(run.Error, "graph-token") || len(actions) != 0 || run.Said.Key != key {
				w.t.Errorf("error %q, actions %v", run.Error, lines(actions))
			}
		}
		remove()
		w.tenant.Deny(idpsim.UserReadAll)
		run, _ := w.one(p.UserPrincipalName)
		w.ends(run, roster.RunFailed, "User.Read.All")
		if w.dump() != before {
			w.t.Error("something was written")
		}
	})
}

func TestAPersonPushedAndNeverLinkedIsLinkedOrListedForAWholeRun(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		p := w.somebody(0)
		w.commit(w.push(), roster.MemberCreate{Attributes: roster.Attributes{"userName": p.UserPrincipalName}, Active: true},
			roster.MemberCreate{Attributes: roster.Attributes{"userName": "ghost@contoso.example"}, Active: true})
		before := w.dump()
		dry, _ := w.only(w.askOne(p.UserPrincipalName, true))
		w.ends(dry, roster.RunDone, "a resync would link by userName, update displayName")
		conn, err := w.db.Connection(context.Background(), w.org, w.conn)
		if w.ok(err); w.dump() != before || conn.Pinned != "" {
			w.t.Errorf("a comparison linked them, or pinned %q", conn.Pinned)
		}
		run, actions := w.one(p.UserPrincipalName)
		w.ends(run, roster.RunDone, "linked by userName")
		w.has(actions, roster.StaleMember, p.UserPrincipalName)
		if m := w.members()[p.UserPrincipalName]; m.DisplayName() != p.DisplayName {
			w.t.Errorf("displayName %q", m.DisplayName())
		}
		run, actions = w.one("ghost@contoso.example")
		w.ends(run, roster.RunDone, "nobody has their userName or email", "a whole run", "left as it is")
		w.wantActions(actions, "orphaned_member none ghost@contoso.example")
		conn, err = w.db.Connection(context.Background(), w.org, w.conn)
		if w.ok(err); conn.Pinned != "t1" || conn.Settled {
			w.t.Errorf("the connection is pinned to %q, settled %t", conn.Pinned, conn.Settled)
		}
	})
}

// By email alone nobody is linked whose userName is another person's there; a run knows that from having read everybody.
func TestNobodyIsLinkedByEmailWhoHasAnotherPersonsUserName(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		p, q := w.somebody(0), w.somebody(1)
		a := roster.Attributes{"userName": q.UserPrincipalName}
		a.Set(roster.AttrWorkEmail, p.Mail)
		w.commit(w.push(), roster.MemberCreate{Attributes: a, Active: true})
		id := w.members()[q.UserPrincipalName].ID
		run, actions := w.one(p.ObjectID)
		w.ends(run, roster.RunDone)
		w.wantActions(actions, "missing_member create "+p.UserPrincipalName)
		link, err := w.db.LinkedObject(context.Background(), w.org, w.conn, roster.TypeMember, id)
		if w.ok(err); link != "" {
			w.t.Errorf("%s is linked to %s", q.UserPrincipalName, link)
		}
	})
}

func TestWhatAnOpenHeldPlanCoversIsListed(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		p := w.somebody(0)
		w.commit(w.push(), roster.MemberCreate{Attributes: roster.Attributes{"userName": p.UserPrincipalName}, Active: true})
		w.ok(w.tenant.DisableUser(p.ObjectID))
		held, _ := w.run(roster.ModeFull)
		if held.State != roster.RunHeld {
			w.t.Fatalf("ended %s", held.State)
		}
		run, actions := w.one(p.UserPrincipalName)
		w.ends(run, roster.RunDone, "held by run "+held.ID)
		w.wantActions(actions, "orphaned_member none "+p.UserPrincipalName)
		if m := w.members()[p.UserPrincipalName]; !m.Status.Live() {
			w.t.Error("what is held was applied")
		}
	})
}

func TestAMembershipThatAnOpenHeldPlanCoversIsListed(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		team := w.tenant.DesiredTeams()[0]
		name := w.stranger(team)
		id := w.commit(w.push(), roster.MemberCreate{Attributes: roster.Attributes{"userName": name}, Active: true})[0].ID
		w.commit(w.push(), roster.TeamCreate{DisplayName: team.DisplayName, ExternalID: team.ObjectID, Members: []string{id}})
		held, _ := w.run(roster.ModeFull)
		if held.State != roster.RunHeld {
			w.t.Fatalf("ended %s", held.State)
		}
		run, actions := w.one(name)
		w.ends(run, roster.RunDone, "held by run "+held.ID)
		w.wantActions(actions, "extra_membership none "+name+" in "+team.DisplayName)
	})
}

// An operator asked for each: no limit holds them, or counts them for the day.
func TestGuardsNeitherHoldNorCountWhatAnOperatorAskedFor(t *testing.T) {
	eachWorld(t, 40, 2, func(w *world) {
		w.baseline()
		for _, p := range w.tenant.Desired()[:7] {
			w.ok(w.tenant.DisableUser(p.ObjectID))
			run, _ := w.one(p.ObjectID)
			w.ends(run, roster.RunDone, "deactivated")
		}
		day, err := w.db.RemovedSince(context.Background(), w.org, w.conn, time.Now().Add(-time.Hour))
		if w.ok(err); len(day) != 0 {
			w.t.Errorf("counted %v", day)
		}
		p := w.somebody(0)
		w.ok(w.tenant.DisableUser(p.ObjectID))
		run, _ := w.run(roster.ModeFull)
		if run.State != roster.RunDone {
			w.t.Errorf("the next run ended %s: %+v", run.State, run.Held)
		}
	})
}

func TestAConnectionThatCannotRunIsRefused(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		scim := w.commit(operator(), roster.ConnectionSync{Name: "pushes", Kind: roster.KindSCIM})[0].ID
		away := w.commit(operator(), roster.ConnectionSync{Name: "away", Kind: roster.KindEntra, Target: "t9"})[0].ID
		ask := func(conn string) error {
			_, err := w.syncer.One(context.Background(), roster.AskOne{Org: w.org, Key: "x@contoso.example", Connections: []string{conn}, By: "op"})
			return err
		}
		for conn, want := range map[string]struct {
			code roster.Code
			text string
		}{scim: {roster.Invalid, "push only"}, away: {roster.Conflict, "no entry in the configuration"}} {
			if err := ask(conn); roster.CodeOf(err) != want.code || !strings.Contains(err.Error(), want.text) {
				w.t.Errorf("%v, want %s", err, want.text)
			}
		}
		w.commit(operator(), roster.ConnectionDetach{ID: w.conn, Reason: "it left the configuration"})
		if err := ask(w.conn); roster.CodeOf(err) != roster.Conflict || !strings.Contains(err.Error(), "detached") {
			w.t.Errorf("%v, want detached", err)
		}
		// One that is detached between read and commit is refused there.
		_, err := w.roster.Commit(context.Background(), w.org, roster.Cause{Connection: w.conn, By: roster.ByRun,
			Run: &roster.RunCause{ID: roster.NewID(), One: &roster.OneRun{Connection: w.conn}}}, nil)
		if roster.CodeOf(err) != roster.Conflict {
			w.t.Errorf("the commit: %v", err)
		}
	})
}

// silentGroups is a reader that can't read a person's groups.
type silentGroups struct {
	connectors.Reader
	connectors.OneReader
}

// reads gives the world's connection another reader.
func (w *world) reads(change func(connectors.Reader, connectors.OneReader) connectors.Reader) {
	w.t.Helper()
	src := w.cfg.Sources[w.conn]
	one, ok := src.Reader.(connectors.OneReader)
	if !ok {
		w.t.Fatal("the reader can't read one person")
	}
	src.Reader = change(src.Reader, one)
	w.cfg.Sources = map[string]syncer.Source{w.conn: src}
	w.syncer = w.another("changed")
}

func TestWithoutAWayToReadAPersonsGroupsMembershipsAreLeftAlone(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		team := w.tenant.DesiredTeams()[0]
		m := w.members()[w.stranger(team)]
		w.commit(w.push(), roster.TeamEdit{ID: w.team(team.DisplayName).ID, Add: []string{m.ID}})
		w.reads(func(r connectors.Reader, one connectors.OneReader) connectors.Reader { return silentGroups{r, one} })
		run, actions := w.one(m.ID)
		w.ends(run, roster.RunDone, "memberships were left as they are", "nothing: what was read agrees")
		if len(actions) != 0 || run.Complete {
			w.t.Errorf("complete %t: %v", run.Complete, lines(actions))
		}
	})
}

// byLogin is a reader that takes for an object id what is none, as Okta takes the first part of a login.
type byLogin struct {
	connectors.Reader
	connectors.OneReader
	id string
}

func (b byLogin) Person(ctx context.Context, _ string) (connectors.Person, error) {
	return b.OneReader.Person(ctx, b.id)
}

func TestAKeyIsAnObjectIDOnlyWhereThatIsThePersons(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		p := w.somebody(0)
		w.reads(func(r connectors.Reader, one connectors.OneReader) connectors.Reader {
			return byLogin{r, one, p.ObjectID}
		})
		if runs, err := w.askOne("ada", false); roster.CodeOf(err) != roster.NotFound {
			w.t.Errorf("%v, %v", runs, err)
		}
	})
}

func TestCallsForOnePersonStayWithinTheirLimit(t *testing.T) {
	eachWorld(t, 12, 70, func(w *world) {
		w.baseline()
		m := w.members()[w.somebody(0).UserPrincipalName]
		var changes []roster.Change
		for _, team := range w.tenant.DesiredTeams() {
			if !slices.Contains(team.Members, w.somebody(0).ObjectID) {
				changes = append(changes, roster.TeamEdit{ID: w.team(team.DisplayName).ID, Add: []string{m.ID}})
			}
		}
		if len(changes) <= 50 {
			w.t.Fatalf("%d teams are too few", len(changes))
		}
		w.commit(w.push(), changes...)
		w.tenant.ResetRequests()
		run, actions := w.one(m.ID)
		w.ends(run, roster.RunDone, "memberships were left as they are", "limit of 50 calls")
		calls := 0
		for _, n := range w.tenant.Requests() {
			calls += n
		}
		if calls > 50 || len(actions) < 40 || run.Complete {
			w.t.Errorf("%d calls, %d actions, complete %t", calls, len(actions), run.Complete)
		}
		run, _ = w.one(m.ID)
		if !run.Complete {
			w.t.Errorf("the second time: %s", run.Note)
		}
		w.converged()
	})
}

func TestAnIdPThatDoesNotAnswerInTimeMakesAFailedRun(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		w.cfg.One = 50 * time.Millisecond
		w.syncer = w.another("hasty")
		over := make(chan struct{})
		remove := w.tenant.Inject(idpsim.Fault{BeforeRead: func() { <-over }})
		run, _ := w.one(w.somebody(0).UserPrincipalName)
		w.ends(run, roster.RunFailed, "did not answer in time")
		close(over)
		remove()
		gone, leave := context.WithCancel(context.Background())
		w.cfg.One = 0
		w.syncer = w.another("patient")
		remove = w.tenant.Inject(idpsim.Fault{BeforeAnswer: leave})
		_, err := w.syncer.One(gone, roster.AskOne{Org: w.org, Key: w.somebody(0).ObjectID, Connections: []string{w.conn}, By: "op"})
		remove()
		if runs, _, e := w.db.Runs(context.Background(), w.org, store.List{}); err == nil || e != nil || len(runs) != 2 {
			w.t.Errorf("who went away: %v; %d runs, %v", err, len(runs), e)
		}
	})
}

func TestSeveralPeopleThereAreNotGuessedFrom(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		for _, name := range []string{"twin.one", "twin.two"} {
			u, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: name + "@contoso.example", Mail: "twins@contoso.example"})
			w.ok(err, w.tenant.Assign(u.ObjectID))
		}
		_, err := w.askOne("twins@contoso.example", false)
		if roster.CodeOf(err) != roster.Conflict || !strings.Contains(err.Error(), "twin.one@contoso.example (") || !strings.Contains(err.Error(), "twin.two") {
			w.t.Errorf("nobody stored: %v", err)
		}
		a := roster.Attributes{"userName": "twins"}
		a.Set(roster.AttrWorkEmail, "twins@contoso.example")
		w.commit(w.push(), roster.MemberCreate{Attributes: a, Active: true})
		run, actions := w.one("twins@contoso.example")
		w.ends(run, roster.RunDone, "several people match", "members link")
		w.wantActions(actions, "conflict none twins")
	})
}
