package reconcile_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

const (
	mine  = "c1"
	other = "c2"
	obj   = "o1" // the IdP's id of the person or group that is judged
)

var now = time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)

var managed = []string{roster.AttrUserName, roster.AttrExternalID, roster.AttrDisplayName, roster.AttrWorkEmail}

// rules are those of a run that read every list whole.
func rules() reconcile.Rules {
	return reconcile.Rules{
		Connection: mine, Name: "entra", Source: "graph", AssignmentsWhole: true, AllWhole: true,
		Now: now, Settle: 10 * time.Minute, Managed: managed,
	}
}

func partly(r reconcile.Rules) reconcile.Rules {
	r.AllWhole, r.AssignmentsWhole = false, false
	return r
}

// alice is stored, live, owned, and last changed long before the snapshot (stamp 100).
func alice(change ...func(*roster.Member)) *roster.Member {
	m := &roster.Member{ID: "m1", Attributes: roster.Attributes{}, Status: roster.Active, Source: roster.SourceSCIM,
		Connection: mine, Version: 7, Seq: 50, UserNameBy: roster.ByRun, ExternalIDBy: roster.ByRun}
	m.Attributes.Set(roster.AttrUserName, "alice@x")
	m.Attributes.Set(roster.AttrDisplayName, "Alice")
	m.Attributes.Set(roster.AttrWorkEmail, "alice@x")
	for _, f := range change {
		f(m)
	}
	return m
}

func bob(change ...func(*roster.Member)) *roster.Member {
	return alice(append([]func(*roster.Member){func(m *roster.Member) {
		m.ID = "m2"
		m.Attributes.Set(roster.AttrUserName, "bob@x")
		m.Attributes.Set(roster.AttrWorkEmail, "bob@x")
	}}, change...)...)
}

func status(s roster.Status) func(*roster.Member) { return func(m *roster.Member) { m.Status = s } }
func owner(c string) func(*roster.Member)         { return func(m *roster.Member) { m.Connection = c } }
func offBy(w roster.Writer) func(*roster.Member)  { return func(m *roster.Member) { m.OffBy = w } }
func local(m *roster.Member)                      { m.Source, m.Connection = roster.SourceLocal, "" }
func set(path, v string) func(*roster.Member) {
	return func(m *roster.Member) { m.Attributes.Set(path, v) }
}

func keysBy(w roster.Writer) func(*roster.Member) {
	return func(m *roster.Member) { m.UserNameBy, m.ExternalIDBy = w, w }
}

// wanted is alice as the IdP has her: enabled and in scope, as she is stored.
func wanted(change ...func(*roster.WantedMember)) *roster.WantedMember {
	w := &roster.WantedMember{ObjectID: obj, Enabled: true, Stamp: 100, Scope: "assigned directly", Values: map[string]string{
		roster.AttrUserName: "alice@x", roster.AttrExternalID: "", roster.AttrDisplayName: "Alice", roster.AttrWorkEmail: "alice@x",
	}}
	for _, f := range change {
		f(w)
	}
	return w
}

func off(w *roster.WantedMember)  { w.Enabled = false }
func kept(w *roster.WantedMember) { w.Enabled, w.Keep = false, true }
func gone(w *roster.WantedMember) { w.Enabled, w.Gone = false, "deleted in the directory" }
func want(path, v string) func(*roster.WantedMember) {
	return func(w *roster.WantedMember) { w.Values[path] = v }
}

// linkOf is the link to a member, up to date with what wanted says.
func linkOf(m *roster.Member, w *roster.WantedMember) *roster.Link {
	return &roster.Link{Connection: mine, Type: roster.TypeMember, ObjectID: obj, TargetID: m.ID, State: roster.LinkOn,
		SeenUserName: w.Values[roster.AttrUserName], SeenExternalID: w.Values[roster.AttrExternalID],
		Seen: roster.Fingerprint(w.Values)}
}

// linkedTo is a candidate with a link that is up to date with what is stored, as a run left it.
func linkedTo(m *roster.Member, there *roster.WantedMember) roster.MemberCandidate {
	stored := wanted()
	for _, p := range managed {
		stored.Values[p] = m.Attributes.Get(p)
	}
	return roster.MemberCandidate{ObjectID: obj, There: there, Link: linkOf(m, stored), Here: m, SilenceStamp: 100}
}

func look(found, in bool, there *roster.WantedMember) *roster.Look {
	return &roster.Look{Stamp: 200, At: now, Found: found, InScope: in, There: there}
}

// say puts a decision in one line: what was asked, the link, and each drift with its values.
func say(d reconcile.Decision) string {
	if d.Look {
		return "look"
	}
	var out []string
	if d.LinkChange != "" {
		s := "link " + string(d.LinkChange)
		if d.LinkChange != reconcile.LinkSeen {
			s += " " + d.Link.TargetID + " by " + d.Link.Rule
		}
		out = append(out, s)
	}
	if d.Pass != "" {
		out = append(out, "pass "+d.Pass)
	}
	for _, r := range d.Drifts {
		s := string(r.Kind) + " " + string(r.Action)
		if r.AlwaysHeld != "" {
			s += " held"
		}
		if r.Again {
			s += " again"
		}
		for _, k := range slices.Sorted(maps.Keys(r.Values)) {
			s += " " + k + "=" + r.Values[k]
		}
		out = append(out, s)
	}
	if d.Again != "" {
		out = append(out, "again")
	}
	return strings.Join(out, "; ")
}

func reasons(d reconcile.Decision) string {
	var out []string
	for _, r := range d.Drifts {
		out = append(out, r.Reason)
	}
	return strings.Join(out, "; ")
}
