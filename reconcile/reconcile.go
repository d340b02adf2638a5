// Package reconcile says what differs between an identity provider and what is stored here, and what to do about it.
// It judges one candidate at a time and keeps nothing between two, so that memory stays flat. It does no I/O: where a
// re-read is wanted before anything may be done, the decision asks for it, and the caller comes again with the answer.
package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// Rules are what holds for one run.
type Rules struct {
	Connection string // id
	Name       string // the connection's name, for the commands that reasons recommend
	Source     string // "graph", "okta" or "scim": where the evidence comes from
	// AssignmentsWhole: the list of assigned groups (or push mappings) was read whole, so silence about a team counts.
	AssignmentsWhole bool
	// AllWhole: the lists that put people in scope were read whole, so silence about a person counts: the assignment list
	// and every assigned group's list, or the application's users.
	AllWhole bool
	// Delta: the snapshot holds what has changed, and says nothing of who has whose userName or email besides.
	Delta   bool
	Now     time.Time
	ReadAt  time.Time     // when the pull began, for the evidence; zero: Now
	Settle  time.Duration // how long a push is trusted above an IdP that may answer from an older replica
	Managed []string      // the attribute paths that the mapping writes; empty: whatever a person comes with
	// AdoptLocal: the policy adopt_local is by_email.
	AdoptLocal bool
	// KeepOutOfScope says in words why who merely went out of scope keeps their account; "": they lose it.
	KeepOutOfScope string
	// Match are the rules of a first link that the connection uses; empty: all.
	Match []string
	// Policy says which kinds of drift are only reported; those to be held are the guard's to hold.
	Policy Policy
	// Excluded are on the desired side as they are here: what an excluded member has, a userName among it, stays theirs.
	Excluded Exclusions
}

// LinkChange says what a decision does to a link.
type LinkChange string

// The changes of a link. A link made, moved or adopted is an event; one seen is only remembered.
const (
	LinkNone    LinkChange = ""
	LinkMade    LinkChange = "made"
	LinkMoved   LinkChange = "moved"
	LinkAdopted LinkChange = "adopted" // made, to a local member that the policy adopt_local hands over
	LinkSeen    LinkChange = "seen"    // only the state, the keys or the fingerprint as last seen
)

// The rules of a first link, as Link.Rule names them.
const (
	RuleID          = "id"
	RuleExternalID  = "externalId"
	RuleUserName    = "userName"
	RuleEmail       = "email"
	RuleDisplayName = "displayName"
)

// Decision is what is to be done about one candidate.
type Decision struct {
	// Look asks for a re-read made for the purpose: fill the candidate's Look and ask again. With a Look nothing more is
	// asked. Where none can be made (the run's calls are used up), Drifts hold what to list instead.
	Look       bool
	LookReason string
	// Link is a link to make, move or refresh now, whatever becomes of the drifts; nil: none. A drift's own Link is
	// written with its action and holds what may be remembered only then.
	Link       *roster.Link
	LinkChange LinkChange
	LinkReason string
	// Claim: the link's target is unclaimed, and becomes this connection's with the link.
	Claim bool
	// Pass is the id of the connection that ownership passes to; the drift that lists it has the action none.
	Pass string
	// Again says why the next run is to judge the object anew, though no drift may say so: two reads of it differed.
	Again  string
	Drifts []roster.Drift // in apply order
}

// Phase returns the place of a drift in the order of apply. Within a phase the order is as planned.
//
//	0 links                     5 members created, restored, reactivated, each followed by its own updates
//	1 memberships removed       6 teams created, restored, updated
//	2 members deactivated       7 memberships added
//	3 teams deleted             8 keys granted
//	4 live members updated      9 listed only
func Phase(d roster.Drift) int {
	if d.Kind == roster.LinkKind {
		return 0
	}
	switch d.Action {
	case roster.ActRemove, roster.ActRevoke:
		return 1
	case roster.ActDeactivate:
		return 2
	case roster.ActDelete:
		return 3
	case roster.ActAdd:
		return 7
	case roster.ActGrant:
		return 8
	case roster.ActCreate, roster.ActRestore, roster.ActReactivate, roster.ActUpdate:
		switch {
		case d.Subject.Type == roster.TypeTeam:
			return 6
		case d.Action == roster.ActUpdate && !slices.Contains(d.Needs, roster.GuardReactivate):
			return 4
		}
		return 5
	}
	return 9
}

// stamps date what is stored of an object.
type stamps struct {
	seq, pushedSeq int64
	pushedAt       time.Time
}

// after reports whether the object was changed or pushed later than what a read says of it.
func (s stamps) after(read int64) bool { return s.seq > read || s.pushedSeq > read }

// fresh says why what is stored is trusted above a read of that stamp; empty: it isn't.
func (r Rules) fresh(s stamps, read int64) string {
	switch {
	case s.after(read):
		return "changed here after the IdP was read"
	case r.settling(s.pushedAt):
		return fmt.Sprintf("pushed less than %s ago", r.Settle)
	}
	return ""
}

// settling reports whether a push is younger than settle. One from the future, by a clock that is wrong, is.
func (r Rules) settling(pushed time.Time) bool {
	return !pushed.IsZero() && r.Now.Sub(pushed) < r.Settle
}

func (r Rules) mine(owner string) bool { return owner == "" || owner == r.Connection }

func (r Rules) name() string {
	if r.Name != "" {
		return r.Name
	}
	return r.Connection
}

// judged is what one read of an object comes to, before it is asked whether the read may be acted on.
type judged struct {
	here   stamps
	link   *roster.Link
	change LinkChange
	reason string
	claim  bool
	pass   string
	drifts []roster.Drift
}

func (j *judged) add(d roster.Drift) { j.drifts = append(j.drifts, d) }

// acts reports whether the judgement would do more than list and link.
func (j *judged) acts() bool {
	return j.pass != "" || slices.ContainsFunc(j.drifts, func(d roster.Drift) bool { return d.Action != roster.ActNone })
}

func (j *judged) decision() Decision {
	return Decision{Link: j.link, LinkChange: j.change, LinkReason: j.reason, Claim: j.claim, Pass: j.pass, Drifts: j.drifts}
}

// listed returns the drifts with nothing to do, and why.
func listed(drifts []roster.Drift, why string) []roster.Drift {
	out := make([]roster.Drift, 0, len(drifts))
	for _, d := range drifts {
		if d.Action != roster.ActNone {
			d.Reason = why + ": " + d.Reason
			d.Action, d.AlwaysHeld, d.Needs, d.Waits, d.Link = roster.ActNone, "", nil, "", nil
			d.Again = true
		}
		out = append(out, d)
	}
	return out
}

// held lists what is found about an object that an open held plan covers. Once that is decided it is judged anew.
func held(drifts []roster.Drift, run string) Decision {
	drifts = listed(drifts, "held by run "+run)
	for i := range drifts {
		drifts[i].Again = false
	}
	return Decision{Drifts: drifts}
}
