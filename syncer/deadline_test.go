package syncer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// slow reads through a connector up to one request, at which it waits for the deadline to pass.
type slow struct {
	connectors.OneReader
	connectors.DeltaReader
	full  connectors.Reader
	until int // how many requests are answered
	asked int
}

func (s *slow) Pull(ctx context.Context, sink connectors.Sink) error {
	s.asked = 0
	return s.full.Pull(context.WithoutCancel(ctx), &stopped{Sink: sink, slow: s, deadline: ctx})
}

func (s *slow) Delta(ctx context.Context, since connectors.Since, sink connectors.DeltaSink) (string, error) {
	s.asked = 0
	return s.DeltaReader.Delta(context.WithoutCancel(ctx), since, &stoppedDelta{DeltaSink: sink, slow: s, deadline: ctx})
}

func (s *slow) stop(deadline context.Context) error {
	if s.asked++; s.asked <= s.until {
		return nil
	}
	<-deadline.Done()
	return deadline.Err()
}

type stopped struct {
	connectors.Sink
	*slow
	deadline context.Context
}

func (s *stopped) Stamp(ctx context.Context) (connectors.Stamp, error) {
	if err := s.stop(s.deadline); err != nil {
		return 0, err
	}
	return s.Sink.Stamp(ctx)
}

// Expect passes on how much there is.
func (s *stopped) Expect(kind connectors.CollectionKind, n int) {
	if e, wants := s.Sink.(connectors.Expecter); wants {
		e.Expect(kind, n)
	}
}

// Users lands a page when the deadline has passed already.
func (s *stopped) Users(_ context.Context, at connectors.Stamp, page []connectors.User) error {
	<-s.deadline.Done()
	return s.Sink.Users(s.deadline, at, page)
}

type stoppedDelta struct {
	connectors.DeltaSink
	*slow
	deadline context.Context
}

func (s *stoppedDelta) Stamp(ctx context.Context) (connectors.Stamp, error) {
	if err := s.stop(s.deadline); err != nil {
		return 0, err
	}
	return s.DeltaSink.Stamp(ctx)
}

// slowly has the connection read until so many requests were answered, by a deadline that is over then.
func (w *world) slowly(until int) (restore func()) {
	w.t.Helper()
	was := w.cfg.Sources[w.conn]
	one, _ := was.Reader.(connectors.OneReader)
	delta, _ := was.Reader.(connectors.DeltaReader)
	src := was
	src.Reader, src.Deadline = &slow{OneReader: one, DeltaReader: delta, full: was.Reader, until: until}, time.Millisecond
	w.cfg.Sources[w.conn] = src
	w.syncer = w.another("slow")
	return func() {
		w.cfg.Sources[w.conn] = was
		w.syncer = w.another("test")
	}
}

// readWhole reports whether a run read a list to its end.
func (w *world) readWhole(run roster.Run, kind connectors.CollectionKind) bool {
	w.t.Helper()
	lists, err := w.db.Collections(w.t.Context(), run.ID, false)
	w.ok(err)
	return slices.ContainsFunc(lists, func(l store.Collection) bool { return l.Kind == string(kind) && l.Whole })
}

// cut checks what a run says that the deadline ended.
func (w *world) cut(run roster.Run, actions []roster.RunAction) {
	w.t.Helper()
	if run.State != roster.RunPartial || run.Complete {
		w.t.Errorf("the run ended %s (%s), complete %t", run.State, run.Error, run.Complete)
	}
	lists, err := w.db.Collections(w.t.Context(), run.ID, true)
	if err != nil {
		w.t.Fatal(err)
	}
	says := fmt.Sprintf("after %s, %s", connectors.Counted(run.Pages, "page"), connectors.Counted(run.Objects, "object"))
	if run.Pages == 0 || !strings.Contains(fmt.Sprint(lists), "deadline of ") || !strings.Contains(fmt.Sprint(lists), says) {
		w.t.Errorf("after %d pages, %d objects it says %+v", run.Pages, run.Objects, lists)
	}
	for _, a := range actions {
		switch a.Drift.Kind {
		case roster.OrphanedMember, roster.OrphanedTeam:
			w.t.Errorf("a pull that was cut off plans %s of %s", a.Drift.Kind, a.Drift.Subject.Name)
		}
	}
}

// TestWhatTheDeadlineCutsOffIsNotTakenForGone, wherever in the pull it comes.
func TestWhatTheDeadlineCutsOffIsNotTakenForGone(t *testing.T) {
	eachWorld(t, 40, 4, func(w *world) {
		w.baseline()
		gone := w.tenant.DesiredTeams()[0]
		w.ok(w.tenant.Unassign(gone.ObjectID))
		w.ok(w.tenant.DeleteUser(w.tenant.Desired()[0].ObjectID))
		added, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "new@contoso.example"})
		w.ok(err, w.tenant.Assign(added.ObjectID))
		stopped := 0
		for requests := range 20 {
			restore := w.slowly(requests)
			run, actions := w.run(roster.ModeFull)
			restore()
			switch {
			case run.Pages == 0:
				if run.State != roster.RunFailed || !strings.Contains(run.Error, "deadline of") {
					t.Errorf("after %d requests: %s, %s", requests, run.State, run.Error)
				}
				continue
			case !run.Complete:
				w.cut(run, actions)
				stopped++
				continue
			}
			// All was asked for when the deadline passed: the last page lands.
			if !slices.ContainsFunc(actions, func(a roster.RunAction) bool { return a.Drift.Kind == roster.OrphanedTeam }) {
				t.Errorf("the whole pull ended %s with %v", run.State, lines(actions))
			}
			if m := w.members()["new@contoso.example"]; !m.Status.Live() {
				t.Errorf("whose page landed after the deadline is %q here", m.Status)
			}
			if stopped < 3 {
				t.Errorf("%d runs were cut off", stopped)
			}
			return
		}
		t.Error("no pull ended")
	})
}

// TestTeamsThatTheDeadlineCutOffAreNotTakenForGone, where the list of people has been read whole.
func TestTeamsThatTheDeadlineCutOffAreNotTakenForGone(t *testing.T) {
	eachOktaWorld(t, 25, 3, func(w *oktaWorld) {
		w.baseline()
		w.ok(w.okta.UnlinkGroup(w.okta.DesiredTeams()[0].ObjectID))
		restore := w.slowly(3) // three pages of ten people
		run, actions := w.run(roster.ModeFull)
		restore()
		w.cut(run, actions)
		if !w.readWhole(run, connectors.Users) {
			t.Error("the list of people was not read whole")
		}
	})
}

// TestADeltaThatTheDeadlineCutsOffIsSaidAgain by the next one.
func TestADeltaThatTheDeadlineCutsOffIsSaidAgain(t *testing.T) {
	eachOktaWorld(t, 25, 3, func(w *oktaWorld) {
		w.reads(okta.Config{})
		w.baseline()
		somebody := w.unassigned()
		restore := w.slowly(2)
		run, actions := w.run(roster.ModeDelta)
		restore()
		if run.Mode != roster.ModeDelta {
			t.Fatalf("it was read in full: %s", run.Note)
		}
		w.cut(run, actions)
		run, _ = w.run(roster.ModeDelta)
		if run.Mode != roster.ModeDelta || w.statusOf(somebody.UserName) != roster.Deactivated {
			t.Errorf("the next delta (%s) left %s %s", run.Note, somebody.UserName, w.statusOf(somebody.UserName))
		}
		w.converged()
	})
}

// TestARunSaysHowMuchThereIsToRead: by the last run, until the IdP has said it all.
func TestARunSaysHowMuchThereIsToRead(t *testing.T) {
	eachWorld(t, 40, 4, func(w *world) {
		memberships := 0
		for _, team := range w.tenant.DesiredTeams() {
			memberships += len(team.Members)
		}
		foreseen := func(requests int) roster.Run {
			defer w.slowly(requests)()
			run, _ := w.run(roster.ModeFull)
			return run
		}
		for asked := 2; ; asked++ {
			run := foreseen(asked)
			if run.Complete {
				t.Fatal("the pull was never cut off before the people")
			}
			if !w.readWhole(run, connectors.Assignments) {
				continue
			}
			// The groups were read; the people are asked for next, and known by number.
			if n := 4 + memberships + 40; run.Expected < n || run.Expected > n+5 || run.ExpectedEstimate {
				t.Errorf("the run foresees %d objects, estimate %t, want some %d for certain", run.Expected, run.ExpectedEstimate, n)
			}
			return
		}
	})
	eachWorld(t, 40, 4, func(w *world) {
		if run := func() roster.Run { defer w.slowly(3)(); r, _ := w.run(roster.ModeFull); return r }(); run.Expected != 0 {
			t.Errorf("a first run foresees %d objects at its first group, want that it isn't known", run.Expected)
		}
		run, _ := w.run(roster.ModeFull)
		if !run.Complete || run.Objects == 0 || run.Expected != run.Objects || run.ExpectedEstimate {
			t.Errorf("a run that read all says %d of %d, estimate %t", run.Objects, run.Expected, run.ExpectedEstimate)
		}
		next := func() roster.Run { defer w.slowly(3)(); r, _ := w.run(roster.ModeFull); return r }()
		if next.Expected != run.Objects || !next.ExpectedEstimate {
			t.Errorf("the next one foresees %d, estimate %t, want %d by the last", next.Expected, next.ExpectedEstimate, run.Objects)
		}
	})
}
