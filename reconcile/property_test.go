package reconcile_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

var (
	names    = rapid.SampledFrom([]string{"", "alice@x", "Alice@x", "bob@x", "carol@x"})
	statuses = rapid.SampledFrom([]roster.Status{roster.Pending, roster.Active, roster.Deactivated, roster.Deleted})
	writers  = rapid.SampledFrom([]roster.Writer{"", roster.ByPush, roster.ByRun, roster.ByOperator})
	owners   = rapid.SampledFrom([]string{mine, mine, mine, "", other})
	stampsOf = rapid.Int64Range(0, 300)
)

func drawMember(t *rapid.T, id string) *roster.Member {
	m := &roster.Member{ID: id, Attributes: roster.Attributes{}, Status: statuses.Draw(t, "status"), Connection: owners.Draw(t, "owner"),
		Source: roster.SourceSCIM, UserNameBy: writers.Draw(t, "by"), ExternalIDBy: writers.Draw(t, "by"),
		Seq: stampsOf.Draw(t, "seq"), PushedSeq: stampsOf.Draw(t, "pushed")}
	if rapid.Bool().Draw(t, "recent") {
		m.PushedAt = now.Add(-time.Duration(rapid.IntRange(0, 1200).Draw(t, "age")) * time.Second)
	}
	if !m.Status.Live() {
		m.OffBy = writers.Draw(t, "off by")
	}
	m.Attributes.Set(roster.AttrUserName, rapid.SampledFrom([]string{"alice@x", "bob@x"}).Draw(t, "userName"))
	m.Attributes.Set(roster.AttrDisplayName, names.Draw(t, "displayName"))
	m.Attributes.Set(roster.AttrExternalID, names.Draw(t, "externalId"))
	return m
}

func drawWanted(t *rapid.T, stamp int64) *roster.WantedMember {
	w := &roster.WantedMember{ObjectID: obj, Enabled: rapid.IntRange(0, 2).Draw(t, "enabled") > 0, Stamp: stamp,
		Values: map[string]string{roster.AttrUserName: names.Draw(t, "userName"), roster.AttrDisplayName: names.Draw(t, "displayName"),
			roster.AttrExternalID: names.Draw(t, "externalId")}}
	switch rapid.IntRange(0, 7).Draw(t, "beyond on and off") {
	case 0:
		w.Enabled, w.Keep = false, true
	case 1:
		w.Enabled, w.Gone = false, "deleted"
	}
	return w
}

func drawLook(t *rapid.T, stamp int64) *roster.Look {
	l := &roster.Look{Stamp: stamp, At: now, Found: rapid.Bool().Draw(t, "found")}
	if l.Found {
		l.InScope, l.There = rapid.Bool().Draw(t, "in scope"), drawWanted(t, stamp)
		l.There.Gone = "" // said by a delta only
	}
	return l
}

// drawCandidate draws any candidate: with or without a link, a match, a snapshot that speaks of it.
func drawCandidate(t *rapid.T) roster.MemberCandidate {
	c := roster.MemberCandidate{ObjectID: obj, SilenceStamp: 100, Protected: rapid.IntRange(0, 4).Draw(t, "protected") == 0,
		Ungranted: rapid.IntRange(0, 3).Draw(t, "ungranted") == 0}
	if rapid.IntRange(0, 3).Draw(t, "speaks") > 0 {
		c.There = drawWanted(t, 100)
	}
	if rapid.IntRange(0, 3).Draw(t, "linked") > 0 {
		c.Here = drawMember(t, "m1")
		c.Link = &roster.Link{Connection: mine, Type: roster.TypeMember, ObjectID: obj, TargetID: "m1",
			State:        rapid.SampledFrom([]roster.LinkState{roster.LinkOn, roster.LinkOff, roster.LinkGone}).Draw(t, "state"),
			SeenUserName: names.Draw(t, "seen"), SeenExternalID: names.Draw(t, "seen")}
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "matches") {
		m := roster.Match{Member: *drawMember(t, []string{"m2", "m3"}[i]), ByID: rapid.IntRange(0, 5).Draw(t, "by id") == 0,
			ByUserName: rapid.Bool().Draw(t, "by name"), ByEmail: rapid.IntRange(0, 3).Draw(t, "by email") == 0, ByExternalID: rapid.IntRange(0, 5).Draw(t, "by externalId") == 0}
		if m.Member.Status == roster.Deleted {
			m.Member.Status = roster.Active
		}
		if rapid.IntRange(0, 3).Draw(t, "elsewhere") == 0 {
			m.LinkedObject, m.LinkedWants = "o2", names.Draw(t, "wants")
		}
		c.Matches = append(c.Matches, m)
	}
	return c
}

func drawRules(t *rapid.T) reconcile.Rules {
	r := rules()
	r.AllWhole, r.Delta = rapid.Bool().Draw(t, "whole"), rapid.IntRange(0, 3).Draw(t, "delta") == 0
	return r
}

// decide asks, and where a look is wanted answers it.
func decide(t *rapid.T, r reconcile.Rules, c roster.MemberCandidate) (roster.MemberCandidate, reconcile.Decision) {
	d := r.Member(c)
	if d.Look {
		for _, x := range d.Drifts {
			if x.Action != roster.ActNone {
				t.Fatalf("acts while it asks for a look: %s %s", x.Kind, x.Action)
			}
		}
		c.Look = drawLook(t, c.SilenceStamp+100)
		if d = r.Member(c); d.Look {
			t.Fatal("asks twice")
		}
	}
	return c, d
}

func acts(d reconcile.Decision) bool {
	for _, x := range d.Drifts {
		if x.Action != roster.ActNone {
			return true
		}
	}
	return false
}

// apply carries a decision out on the candidate, as the store would.
func apply(c roster.MemberCandidate, d reconcile.Decision) roster.MemberCandidate {
	target := func(id string) {
		for i := range c.Matches {
			if c.Matches[i].Member.ID == id {
				m := c.Matches[i].Member
				c.Here, c.Protected = &m, c.Matches[i].Protected
				c.Matches = append(append([]roster.Match(nil), c.Matches[:i]...), c.Matches[i+1:]...)
				return
			}
		}
	}
	if d.Link != nil {
		l := *d.Link
		target(l.TargetID)
		c.Link = &l
		if d.Claim {
			c.Here.Connection = mine
		}
	}
	for _, x := range d.Drifts {
		if x.Action == roster.ActNone {
			continue
		}
		if x.Action == roster.ActCreate {
			c.Here = &roster.Member{ID: "new", Attributes: roster.Attributes{}, Status: roster.Pending, Connection: mine, Source: roster.SourceSCIM}
		} else if x.Action == roster.ActDeactivate {
			c.Here.Status, c.Here.OffBy = roster.Deactivated, roster.ByRun
		} else if x.Action == roster.ActReactivate || x.Action == roster.ActRestore {
			c.Here.Status, c.Here.OffBy = roster.Active, ""
		}
		c.Here.Attributes = c.Here.Attributes.Clone()
		for path, v := range x.Values {
			c.Here.Attributes.Set(path, v)
			if path == roster.AttrUserName {
				c.Here.UserNameBy = roster.ByRun
			} else if path == roster.AttrExternalID {
				c.Here.ExternalIDBy = roster.ByRun
			}
		}
		if x.Link != nil {
			l := *x.Link
			l.TargetID = c.Here.ID
			c.Link = &l
		}
	}
	return c
}

// later is the candidate in the next run: nothing changed, pushes have settled, and both reads are new.
func later(c roster.MemberCandidate, look *roster.Look) roster.MemberCandidate {
	c.SilenceStamp, c.Look = 1000, nil
	if c.There != nil {
		w := *c.There
		w.Stamp = 1000
		c.There = &w
	}
	if look != nil {
		l := *look
		l.Stamp = 1100
		c.Look = &l
	}
	if c.Here != nil {
		m := *c.Here
		m.PushedAt = time.Time{}
		c.Here = &m
	}
	c.Matches = slices.Clone(c.Matches)
	for i := range c.Matches {
		c.Matches[i].Member.PushedAt = time.Time{}
	}
	return c
}

// Invariant 6: without new changes a second run has nothing to apply, and changes no link.
func TestSecondRunIsSilent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		c, d := decide(t, r, later(drawCandidate(t), nil))
		byEmail := d.Link != nil && d.LinkChange != reconcile.LinkSeen && d.Link.Rule == reconcile.RuleEmail
		c = later(apply(c, d), c.Look)
		d = r.Member(c)
		if byEmail { // match keys change no sooner than now
			c = later(apply(c, d), c.Look)
			d = r.Member(c)
		}
		if acts(d) || d.Link != nil || d.Pass != "" {
			t.Fatalf("the second run: %s\nlink %+v", say(d), d.Link)
		}
	})
}

// Invariant 2: only evidence removes; silence counts only in lists read whole, and either look that says "in scope" keeps.
func TestOnlyEvidenceRemoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		c, d := decide(t, r, drawCandidate(t))
		for _, x := range d.Drifts {
			if x.Action != roster.ActDeactivate {
				continue
			}
			switch {
			case c.There == nil && !r.AllWhole && !c.Ungranted:
				t.Fatal("silence in lists not whole removes")
			case c.There == nil && c.Look == nil:
				t.Fatal("silence removes without a second look")
			case c.There != nil && c.There.Enabled:
				t.Fatal("a person who is in the snapshot and enabled is removed")
			case c.Look != nil && c.Look.Found && c.Look.InScope && (c.Look.There.Enabled || c.Look.There.Keep):
				t.Fatal("a look that says in scope does not keep")
			case c.There != nil && c.There.Keep:
				t.Fatal("a person who is kept is removed")
			}
		}
	})
}

// Who is kept stays what they are: nobody is made, and nobody's access taken or given back.
func TestKeptStayAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, d := decide(t, drawRules(t), drawCandidate(t))
		keeps := c.There != nil && c.There.Keep || c.Look != nil && c.Look.InScope && c.Look.There.Keep
		for _, x := range d.Drifts {
			if keeps && x.Action != roster.ActNone && x.Action != roster.ActUpdate {
				t.Fatalf("somebody who is kept: %s", say(d))
			}
		}
	})
}

// Invariant 4: nobody acts on the last owner, on another's people, or on an operator's deactivation.
func TestProtectedAndForeignAreLeftAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, d := decide(t, drawRules(t), drawCandidate(t))
		for _, x := range d.Drifts {
			if x.Action == roster.ActNone || c.Here == nil || x.Subject.ID != c.Here.ID {
				continue
			}
			switch {
			case c.Protected && x.Action == roster.ActDeactivate:
				t.Fatal("the last owner is deactivated")
			case c.Here.Connection == other:
				t.Fatalf("another's person: %s", say(d))
			case c.Here.OffBy == roster.ByOperator && (x.Action == roster.ActReactivate || x.Action == roster.ActRestore):
				t.Fatal("a run undoes an operator's deactivation")
			}
		}
	})
}

// Invariant 1: what was pushed after a read is never overwritten by it, nor within settle without a re-read that agrees.
func TestFreshPushIsNeverOverwritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, d := decide(t, drawRules(t), drawCandidate(t))
		for _, x := range d.Drifts {
			m := storedOf(&c, x.Subject.ID)
			if x.Action == roster.ActNone || m == nil {
				continue
			}
			read := int64(100)
			if c.Look != nil {
				read = c.Look.Stamp
			}
			switch {
			case m.AsOf() > read:
				t.Fatalf("stored at %d, read at %d: %s", m.AsOf(), read, say(d))
			case !m.PushedAt.IsZero() && now.Sub(m.PushedAt) < 10*time.Minute && c.Look == nil:
				t.Fatalf("pushed %s ago, and not looked at again: %s", now.Sub(m.PushedAt), say(d))
			case x.Version != m.AsOf():
				t.Fatalf("planned against %d, stored %d", x.Version, m.AsOf())
			}
			for path, v := range x.Values {
				if c.There.Values[path] != v || c.Look != nil && c.Look.There.Values[path] != v {
					t.Fatalf("%s: a value that not every read has", path)
				}
			}
		}
	})
}

func storedOf(c *roster.MemberCandidate, id string) *roster.Member {
	if c.Here != nil && c.Here.ID == id {
		return c.Here
	}
	for i := range c.Matches {
		if c.Matches[i].Member.ID == id {
			return &c.Matches[i].Member
		}
	}
	return nil
}

// A membership is removed only from an owned team, of a linked member, by a list read whole or read again.
func TestMembershipProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		c := here()
		c.There, c.ListWhole, c.MemberLinked = rapid.Bool().Draw(t, "there"), rapid.Bool().Draw(t, "whole"), rapid.Bool().Draw(t, "linked")
		c.Enabled, c.TeamOwner, c.MemberStatus = rapid.Bool().Draw(t, "enabled"), owners.Draw(t, "owner"), statuses.Draw(t, "status")
		c.Row = &roster.Membership{Present: rapid.Bool().Draw(t, "present"), Seq: stampsOf.Draw(t, "seq")}
		if rapid.Bool().Draw(t, "recent") {
			c.Row.PushedAt = now.Add(-time.Minute)
		}
		d := r.Membership(c)
		if d.Look {
			holds := rapid.Bool().Draw(t, "holds")
			c.Look, c.LookStamp = &holds, 200
			d = r.Membership(c)
		}
		if !acts(d) {
			return
		}
		switch x := d.Drifts[0]; {
		case c.TeamOwner != mine:
			t.Fatal("a team that is not owned")
		case x.Action == roster.ActRemove && (!c.ListWhole || !c.MemberLinked || c.There || !c.Row.Present):
			t.Fatalf("removed: %+v", c)
		case x.Action == roster.ActAdd && (!c.MemberStatus.Live() || !c.Enabled || !c.There || c.Row.Present):
			t.Fatalf("added: %+v", c)
		case c.Look == nil && (c.Row.Seq > c.Stamp || !c.Row.PushedAt.IsZero()):
			t.Fatal("fresh, and the list not read again")
		case c.Look != nil && (*c.Look != c.There || c.Row.Seq > c.LookStamp):
			t.Fatal("the list read again does not agree")
		}
	})
}
