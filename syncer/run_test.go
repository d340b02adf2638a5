package syncer_test

import (
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
)

func TestAFirstRunMakesWhatTheTenantSaysAndASecondOneIsSilent(t *testing.T) {
	eachWorld(t, 40, 5, func(w *world) {
		w.baseline()
		w.converged()
		before := w.dump()
		run, actions := w.run(roster.ModeFull)
		if run.State != roster.RunDone || len(actions) != 0 {
			w.t.Errorf("the second run ended %s with %v", run.State, lines(actions))
		}
		if w.dump() != before {
			w.t.Error("the second run wrote something")
		}
	})
}

func TestADryRunWritesNothingButItsReport(t *testing.T) {
	eachWorld(t, 20, 3, func(w *world) {
		before := w.dump()
		run, actions := w.run(roster.ModeDry)
		if run.State != roster.RunDone || run.Totals[roster.MissingMember] != 20 || run.Totals[roster.MissingTeam] != 3 || len(actions) < 23 {
			w.t.Errorf("the dry run ended %s with %v", run.State, run.Totals)
		}
		if w.dump() != before {
			w.t.Error("the dry run wrote something")
		}
	})
}
