package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

func TestWhoIsAwaitedIsListedAndCountsForNoLimit(t *testing.T) {
	since := time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)
	d := reconcile.Rules{Connection: "c"}.Awaited(roster.Reference{TeamID: "t1", TeamName: "Eng", Value: "00u9", Since: since, TokenName: "idp", RequestID: "r1"})
	if len(d.Drifts) != 1 || d.Link != nil || d.Look || d.Again != "" {
		t.Fatalf("decided %+v", d)
	}
	drift := d.Drifts[0]
	if drift.Kind != roster.MissingMembership || drift.Action != roster.ActNone || drift.Subject.Name != "00u9 in Eng" || drift.Subject.ID != "" ||
		drift.Again || drift.AlwaysHeld != "" || reconcile.Phase(drift) != 9 {
		t.Errorf("listed as %+v", drift)
	}
	if !strings.Contains(drift.Reason, "00u9, who is not here yet") || !strings.Contains(drift.Reason, "2026-11-02T09:30:00Z") ||
		len(drift.Evidence) != 1 || !drift.Evidence[0].Time.Equal(since) || !strings.Contains(drift.Evidence[0].Text, "token idp, request r1") {
		t.Errorf("%s, by %+v", drift.Reason, drift.Evidence)
	}
	if drift.Guard() != roster.GuardNone {
		t.Errorf("it counts as %v", drift.Guard())
	}
}
