package reconcile_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

const leftOut = "the connection's scope leaves them out"

func outOfScope(w *roster.WantedMember) {
	w.Enabled, w.OutOfScope, w.Gone, w.Off = false, true, leftOut, leftOut
}
func mappedOff(w *roster.WantedMember) { w.Enabled, w.Off = false, "mapped so" }
func clears(path string) func(*roster.WantedMember) {
	return func(w *roster.WantedMember) { w.Values[path], w.Clear = "", []string{path} }
}

func TestWhatTheMappingDecides(t *testing.T) {
	found := func(m *roster.Member) roster.MemberCandidate {
		w := wanted(outOfScope)
		l := look(true, true, w)
		return roster.MemberCandidate{ObjectID: obj, Here: m, There: w, Look: l}
	}
	keeping := rules()
	keeping.KeepOutOfScope = "the job keeps them"
	runMembers(t, map[string]memberCase{
		"out of scope, and kept by the job's setting": {keeping, linkedTo(alice(), wanted(outOfScope)), "link seen; orphaned_member none", "the job keeps them"},
		"the same, by a look": {keeping, func() roster.MemberCandidate {
			c := linkedTo(alice(), nil)
			c.Look = look(true, true, wanted(outOfScope))
			return c
		}(), "link seen; orphaned_member none", "the job keeps them"},
		"out of scope": {rules(), linkedTo(alice(), wanted(outOfScope, want(roster.AttrDisplayName, "A"))),
			"link seen; orphaned_member deactivate", "disabled or out of scope there"},
		"out of scope, and unknown here":        {rules(), roster.MemberCandidate{ObjectID: obj, There: wanted(outOfScope)}, "", ""},
		"out of scope, with a match":            {rules(), first(wanted(outOfScope), roster.Match{Member: *alice(owner("")), ByUserName: true}), "", ""},
		"looked up, out of scope and unclaimed": {rules(), found(alice(owner(""))), "orphaned_member none", "this one leaves the person there out"},
		"looked up, out of scope and its own":   {rules(), found(alice()), "link made m1 by userName; orphaned_member deactivate", "out of scope"},
		"an empty value clears what is to be":   {rules(), linkedTo(alice(), wanted(clears(roster.AttrDisplayName))), "stale_member update displayName=", `"Alice" -> ""`},
		"nothing is cleared where nothing is":   {rules(), linkedTo(alice(set(roster.AttrDisplayName, "")), wanted(clears(roster.AttrDisplayName))), "", ""},
		"only what is to be cleared is": {rules(), linkedTo(alice(), wanted(clears(roster.AttrWorkEmail), want(roster.AttrDisplayName, ""))),
			`stale_member update emails[type eq "work"].value=`, ""},
	})
	for name, d := range map[string]reconcile.Decision{
		"the snapshot": rules().Member(linkedTo(alice(), wanted(mappedOff))),
		"a look": rules().Member(func() roster.MemberCandidate {
			c := linkedTo(alice(), nil)
			c.Look = look(true, true, wanted(mappedOff))
			return c
		}()),
	} {
		if len(d.Drifts) != 1 || !strings.HasPrefix(d.Drifts[0].Evidence[len(d.Drifts[0].Evidence)-1].Text, "mapped so") {
			t.Errorf("%s: %+v", name, d.Drifts)
		}
	}
}
