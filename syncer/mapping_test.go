package syncer_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
)

// An expression changes everybody's value; whom it can't be worked out for is listed, and keeps what they have.
func TestAnExpressionThatFailsForOnePersonConcernsThemAlone(t *testing.T) {
	eachWorld(t, 6, 1, func(w *world) {
		w.baseline()
		p, other := w.somebody(0), w.somebody(1)
		before := w.members()[p.UserPrincipalName].Attributes.Get(roster.AttrDisplayName)
		m := mapping.Entra()
		// The name of the one whose UPN it is has the length of no text: Mid from character 0 can't be.
		w.ok(m.Write(roster.AttrDisplayName, `= userPrincipalName == "`+p.UserPrincipalName+`" ? Mid(mail, InStr(mail, "#"), 1) : ToUpper(givenName)`),
			m.Write("title", "= Append(givenName, \" the first\")"))
		source := w.cfg.Sources[w.conn]
		source.Mapping = m
		w.cfg.Sources[w.conn] = source
		w.commit(roster.Cause{}, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t1", Settings: m.Fingerprint(), Managed: m.Managed()})
		run, _ := w.run(roster.ModeFull)
		if run.State == roster.RunHeld {
			_, _ = w.approve(run.ID)
		}
		_, actions := w.run(roster.ModeFull)
		var listed []string
		for _, a := range actions {
			if a.Drift.Kind == roster.ConflictKind {
				listed = append(listed, a.Drift.Subject.Name+": "+a.Drift.Reason)
			} else if a.Drift.Action != roster.ActNone {
				w.t.Errorf("the run after has something to do: %s", lines(actions))
			}
		}
		if len(listed) != 1 || !strings.Contains(listed[0], p.UserPrincipalName) || !strings.Contains(listed[0], "displayName: mid starts before") {
			w.t.Errorf("listed: %q", listed)
		}
		failed, worked := w.members()[p.UserPrincipalName].Attributes, w.members()[other.UserPrincipalName].Attributes
		if got := failed.Get(roster.AttrDisplayName); got != before || failed.Get("title") != p.GivenName+" the first" {
			w.t.Errorf("whom it fails for has %q, %q", got, failed.Get("title"))
		}
		if got := worked.Get(roster.AttrDisplayName); got != strings.ToUpper(other.GivenName) {
			w.t.Errorf("whom it works for has %q", got)
		}
	})
}
