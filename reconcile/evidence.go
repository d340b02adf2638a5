package reconcile

import (
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// sight is what one read says of a person: the snapshot, or a look.
type sight struct {
	state    roster.LinkState
	silent   bool // the snapshot does not speak of them
	left     bool // they went out of scope, and their account is as it was
	kept     bool // the IdP wants what they are here, on or off, to stay; state is LinkOn then
	there    *roster.WantedMember
	stamp    int64
	evidence []roster.Evidence
}

func (r Rules) snapshot(c *roster.MemberCandidate) sight {
	at := r.readAt()
	switch {
	case c.There == nil:
		// Silence doesn't tell who left from who was deleted: the look does.
		return sight{state: roster.LinkGone, silent: true, left: left(c.Look), stamp: c.SilenceStamp, evidence: []roster.Evidence{
			r.saw(at, r.absent(c.Ungranted))}}
	case c.There.Gone != "":
		return sight{state: roster.LinkGone, left: c.There.OutOfScope, stamp: c.There.Stamp, evidence: []roster.Evidence{r.saw(at, c.There.Gone)}}
	case c.There.Keep:
		return sight{state: roster.LinkOn, kept: true, there: c.There, stamp: c.There.Stamp, evidence: []roster.Evidence{
			r.saw(at, keeps)}}
	case c.There.Enabled:
		return sight{state: roster.LinkOn, there: c.There, stamp: c.There.Stamp, evidence: []roster.Evidence{
			r.saw(at, inScope(c.There.Scope))}}
	}
	return sight{state: roster.LinkOff, left: c.There.OutOfScope, there: c.There, stamp: c.There.Stamp, evidence: []roster.Evidence{
		r.saw(at, r.off(c.There))}}
}

// left reports whether a look found somebody out of scope whose account is on all the same.
func left(l *roster.Look) bool {
	if l == nil || !l.Found || l.There == nil {
		return false
	}
	return l.There.OutOfScope || !l.InScope && l.There.Gone == "" && l.There.Enabled
}

// second is what a look says. Its evidence says that it was one.
func (r Rules) second(l *roster.Look) sight {
	s := sight{there: l.There, stamp: l.Stamp, left: left(l)}
	text := ""
	switch {
	case !l.Found && l.Why != "":
		s.state, s.there, text = roster.LinkGone, nil, l.Why+", by a second look"
	case !l.Found:
		s.state, s.there, text = roster.LinkGone, nil, "no such person found by a second look"
	case l.There != nil && l.There.Gone != "":
		s.state, s.there, text = roster.LinkGone, nil, l.There.Gone+", by a second look"
	case l.There != nil && l.There.Keep && l.InScope:
		s.state, s.kept, text = roster.LinkOn, true, keeps+", by a second look"
	case l.There != nil && !l.There.Keep && !l.There.Enabled:
		s.state, text = roster.LinkOff, r.off(l.There)+", by a second look"
	case !l.InScope && l.Why != "":
		s.state, text = roster.LinkOff, l.Why+", by a second look"
	case !l.InScope:
		s.state, text = roster.LinkOff, r.words().unassigned
	default:
		s.state, text = roster.LinkOn, "in scope, by a second look"
	}
	s.evidence = []roster.Evidence{r.saw(l.At, text)}
	return s
}

func (r Rules) readAt() time.Time {
	if r.ReadAt.IsZero() {
		return r.Now
	}
	return r.ReadAt
}

func (r Rules) saw(at time.Time, text string) roster.Evidence {
	return roster.Evidence{Source: r.Source, Time: at, Text: text}
}

// keeps is what is said of a person who is neither on nor off.
const keeps = "in scope; the connection keeps what they are here"

// words are an IdP's own, for what its lists and its second looks say.
type words struct{ absent, unassigned, absentTeam, unassignedTeam, disabled string }

// words returns those of the IdP that the evidence comes from.
func (r Rules) words() words {
	switch r.Source {
	case "okta":
		return words{
			absent:         "absent from the list of the application's users, which was read whole",
			unassigned:     "no user of the application, by a second look",
			absentTeam:     "absent from the list of push mappings, which was read whole",
			unassignedTeam: "no active push mapping found by a second look",
			disabled:       "the user or their assignment is switched off",
		}
	case "scim":
		return words{
			absent:         "absent from the server's list of users, which was read whole",
			unassigned:     "not found by users_filter, by a second look",
			absentTeam:     "absent from the server's list of groups, which was read whole",
			unassignedTeam: "not found by groups_filter, by a second look",
			disabled:       "active is false",
		}
	}
	w := words{
		absent:         "absent from the assignment list and from every assigned group's list, all read whole",
		unassigned:     "no assignment found by a second look",
		absentTeam:     "absent from the list of assigned groups, which was read whole",
		unassignedTeam: "no assignment found by a second look",
		disabled:       "the user or their assignment is switched off",
	}
	if r.Source == "graph" {
		w.disabled = "accountEnabled is false"
	}
	return w
}

// off says why somebody is off.
func (r Rules) off(there *roster.WantedMember) string {
	if there.Off != "" {
		return there.Off
	}
	return r.words().disabled
}

// absent says what the silence about somebody means. Ungranted: no group's list was needed for it.
func (r Rules) absent(ungranted bool) string {
	if ungranted {
		return "absent from the assignment list, which was read whole, and known in no group that it holds"
	}
	return r.words().absent
}

func inScope(scope string) string {
	if scope == "" {
		return "enabled and in scope"
	}
	return "enabled; in scope: " + scope
}

// pushed tells of the last push that spoke of a member.
func pushed(m *roster.Member) []roster.Evidence {
	if m.PushedAt.IsZero() {
		return nil
	}
	return []roster.Evidence{{Source: "push", Time: m.PushedAt,
		Text: fmt.Sprintf("last push at %s (active=%t here)", clock(m.PushedAt), m.Status.Live())}}
}

func pushedAt(t time.Time) []roster.Evidence {
	if t.IsZero() {
		return nil
	}
	return []roster.Evidence{{Source: "push", Time: t, Text: "last push at " + clock(t)}}
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
