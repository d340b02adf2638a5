package reconcile_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

func left(w *roster.WantedMember) {
	w.Enabled, w.Gone, w.OutOfScope = false, "out of the provisioning job's scope", true
}

// keeping are rules under which who merely goes out of scope keeps their account.
func keeping() reconcile.Rules {
	r := rules()
	r.KeepOutOfScope = "the job says so"
	return r
}

func TestWhoMerelyLeavesTheScope(t *testing.T) {
	silent := func(l *roster.Look) roster.MemberCandidate {
		c := linkedTo(alice(), nil)
		c.There, c.Look = nil, l
		return c
	}
	deleted := look(false, false, nil)
	deleted.Why = "soft-deleted in Entra since yesterday"
	runMembers(t, map[string]memberCase{
		"is deactivated":                         {rules(), linkedTo(alice(), wanted(left)), "link seen; orphaned_member deactivate", "gone there"},
		"is listed where the job keeps them":     {keeping(), linkedTo(alice(), wanted(left)), "link seen; orphaned_member none", "the job says so"},
		"is nothing where they are off already":  {keeping(), linkedTo(alice(status(roster.Deactivated)), wanted(left)), "link seen", ""},
		"and is off is deactivated all the same": {keeping(), linkedTo(alice(), wanted(off)), "link seen; orphaned_member deactivate", ""},
		"and is deleted, too":                    {keeping(), linkedTo(alice(), wanted(gone)), "link seen; orphaned_member deactivate", "gone there"},
		"by silence, and a look finds them on":   {keeping(), silent(look(true, false, wanted())), "link seen; orphaned_member none", "the job says so"},
		"by silence, and a look finds them off":  {keeping(), silent(look(true, false, wanted(off))), "link seen; orphaned_member deactivate", ""},
		"by silence, and a look finds nobody":    {keeping(), silent(deleted), "link seen; orphaned_member deactivate", ""},
		"by silence, and a look finds them in":   {keeping(), silent(look(true, true, wanted())), "", ""},
	})
	evidence := keeping().Member(silent(deleted)).Drifts[0].Evidence
	if last := evidence[len(evidence)-1]; !strings.Contains(last.Text, "soft-deleted in Entra since yesterday, by a second look") {
		t.Errorf("the evidence is %+v", evidence)
	}
	filtered := look(true, false, wanted())
	filtered.Why = "no filter lets them in"
	evidence = rules().Member(silent(filtered)).Drifts[0].Evidence
	if last := evidence[len(evidence)-1]; !strings.Contains(last.Text, "no filter lets them in, by a second look") {
		t.Errorf("the evidence is %+v", evidence)
	}
}
