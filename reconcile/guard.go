package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/rosterd/rosterd/internal/roster"
)

// The limits that hold single attributes of updates.
const (
	limitMismatch = "mapping_mismatch"
	limitRenames  = "renames"
)

// Limit bounds what runs may do to what a connection owns. It is crossed by more than Ceiling actions, or by more than
// Floor that are also more than Percent of what was there. The zero Limit is crossed by the first.
type Limit struct{ Ceiling, Floor, Percent int }

// Crossed reports whether that many of so many cross the limit.
func (l Limit) Crossed(actions, of int) bool {
	return actions > l.Ceiling || actions > l.Floor && share(actions, of, l.Percent)
}

func (l Limit) validate(name string) error {
	if l.Floor < 0 || l.Ceiling >= 0 && l.Ceiling < l.Floor || l.Ceiling < -1 || l.Percent < 0 || l.Percent > 100 {
		return fmt.Errorf("guard limit %s: ceiling %d, floor %d, percent %d out of range", name, l.Ceiling, l.Floor, l.Percent)
	}
	return nil
}

// share reports whether n is more than percent of so many.
func share(n, of, percent int) bool { return n*100 > percent*of }

// Limits are a connection's guards.
type Limits struct {
	Members       Limit
	Memberships   Limit
	Reactivations Limit
	// A team of more than TeamFloor is guarded by itself: it may lose TeamPercent, and is not removed unasked.
	TeamFloor, TeamPercent int
	// One attribute may differ on MismatchFloor linked members, and on MismatchPercent of them.
	MismatchFloor, MismatchPercent int
	// Renames bounds the changes of userName in one run, as a share of the linked members: a userName is what a person
	// signs in by, and one that is given to the wrong person gives their account away.
	Renames Limit
	// Conflicts bounds the conflicts of one run, as a share of the linked members. Beyond it the run removes nothing: where
	// so many can't be told apart any more, whoever seems to have left may be one of them.
	Conflicts Limit
}

// DefaultLimits returns the limits of a connection that sets none.
func DefaultLimits() Limits {
	members := Limit{Ceiling: 500, Floor: 5, Percent: 5}
	return Limits{
		Members:       members,
		Memberships:   Limit{Ceiling: 5000, Floor: 20, Percent: 10},
		Reactivations: members,
		TeamFloor:     10, TeamPercent: 50,
		MismatchFloor: 10, MismatchPercent: 20,
		Renames:   Limit{Ceiling: 500, Floor: 10, Percent: 10},
		Conflicts: Limit{Ceiling: 500, Floor: 10, Percent: 20},
	}
}

// NamedLimit is a limit as a connection's policy calls it; one without a ceiling has -1.
type NamedLimit struct {
	Name string
	Limit
}

// Named returns all limits, in the order of the documentation.
func (l Limits) Named() []NamedLimit {
	return []NamedLimit{
		{"members", l.Members}, {"memberships", l.Memberships}, {"reactivations", l.Reactivations},
		{"team", Limit{-1, l.TeamFloor, l.TeamPercent}}, {limitMismatch, Limit{-1, l.MismatchFloor, l.MismatchPercent}},
		{limitRenames, l.Renames}, {"conflicts", l.Conflicts},
	}
}

// Validate reports a limit that makes no sense.
func (l Limits) Validate() error {
	for _, n := range l.Named() {
		if err := n.validate(n.Name); err != nil {
			return err
		}
	}
	return nil
}

// Owned is what a connection owned at some time: members pending or active, and memberships of such members.
type Owned struct{ Members, Memberships int }

// Day is what runs of the connection did in the last 24 hours, without what was approved, and what it owned when they
// began.
type Day struct {
	Members, Memberships, Reactivations int
	Began                               Owned
}

// Facts are what the guard must know beyond the plan.
type Facts struct {
	Owned  Owned // when the run began
	Linked int   // members linked to the connection: a mapping mismatch is a share of them
	Day    Day
	// Any of these holds every removal.
	FirstRun, SettingsChanged, TargetChanged, TooManyDeletes bool
	// Mapping is the line of the mapping that writes each attribute, for a person to read.
	Mapping map[string]string
	// Policy says which kinds of drift are held whatever their number.
	Policy Policy
}

// Mismatch is an attribute that differs on too many members for it to be their fault.
type Mismatch struct {
	Attribute string
	Members   int // who differ, those with the action none among them
	Of        int
	Updates   int // the updates of it, which are held
	Pairs     []Pair
}

// Verdict is what the guard says of a plan. It is small: one entry for each limit that was crossed.
type Verdict struct {
	// Limits are what the run shows as held; empty: nothing is.
	Limits []roster.HeldLimit
	// Mismatches also has those that hold nothing, since every difference is listed only.
	Mismatches []Mismatch

	every      string // the limit that holds every removal
	classes    map[roster.Guarded]string
	teams      map[string]bool
	attributes map[string]string // held attributes of updates, with the limit that holds each
	kinds      map[roster.Kind]bool
}

// Check holds a plan against the limits.
func (l Limits) Check(c *Counts, f Facts) *Verdict {
	v := &Verdict{
		classes: map[roster.Guarded]string{}, teams: map[string]bool{}, attributes: map[string]string{}, kinds: map[roster.Kind]bool{},
	}
	v.checkFlags(c, f)
	v.checkConflicts(c, l.Conflicts, f)
	v.checkClass(c, l.Members, roster.GuardMember, "deactivations of members", f.Day.Members, f.Owned.Members, f.Day.Began.Members)
	v.checkClass(c, l.Memberships, roster.GuardMembership, "removals of memberships", f.Day.Memberships,
		f.Owned.Memberships, f.Day.Began.Memberships)
	v.checkClass(c, l.Reactivations, roster.GuardReactivate, "reactivations", f.Day.Reactivations, f.Owned.Members, f.Day.Began.Members)
	v.checkTeams(c, l)
	if c.alwaysHeld > 0 {
		v.Limits = append(v.Limits, roster.HeldLimit{Limit: "unlinked", Actions: c.alwaysHeld,
			Text: fmt.Sprintf("%d removals rest on absence alone, of what was never linked: always held", c.alwaysHeld)})
	}
	v.checkMapping(c, l, f)
	v.checkRenames(c, l.Renames, f)
	v.checkPolicy(c, f.Policy)
	return v
}

// checkFlags holds every removal while the connection is not to be trusted with any.
func (v *Verdict) checkFlags(c *Counts, f Facts) {
	removals := c.removals()
	if removals == 0 {
		return
	}
	for _, flag := range []struct {
		set       bool
		name, why string
	}{
		{f.FirstRun, "first_run", "no run that read every list whole was applied or approved yet"},
		{f.TargetChanged, "target", "the connection's target changed"},
		{f.SettingsChanged, "settings", "the mapping or the scope changed"},
		{f.TooManyDeletes, "too_many_deletes", "the IdP's own job is quarantined for too many deletes"},
	} {
		if !flag.set {
			continue
		}
		v.every = cmp.Or(v.every, flag.name)
		v.Limits = append(v.Limits, roster.HeldLimit{Limit: flag.name, Actions: removals, Of: f.Owned.Members,
			Text: fmt.Sprintf("all %d removals: %s", removals, flag.why)})
	}
}

// checkConflicts holds every removal while more is in conflict than can be.
func (v *Verdict) checkConflicts(c *Counts, l Limit, f Facts) {
	removals, of := c.removals(), max(f.Linked, f.Owned.Members)
	if removals == 0 || c.conflicts == 0 || !l.Crossed(c.conflicts, of) {
		return
	}
	v.every = cmp.Or(v.every, "conflicts")
	v.Limits = append(v.Limits, roster.HeldLimit{
		Limit: "conflicts", Actions: removals, Of: of, Ceiling: l.Ceiling, Floor: l.Floor, Percent: l.Percent, Window: "run",
		Text: fmt.Sprintf("all %d removals: %d conflicts, with %d linked members, cross the limit of %d, or of %d and %d%%",
			removals, c.conflicts, of, l.Ceiling, l.Floor, l.Percent),
	})
}

// checkRenames holds the changes of userName, unless they are held as a mismatch of the mapping.
func (v *Verdict) checkRenames(c *Counts, l Limit, f Facts) {
	a := c.attributes[roster.AttrUserName]
	if a == nil || a.updates == 0 || v.attributes[roster.AttrUserName] != "" || !l.Crossed(a.updates, f.Linked) {
		return
	}
	v.attributes[roster.AttrUserName] = limitRenames
	v.Limits = append(v.Limits, roster.HeldLimit{
		Limit: limitRenames, Actions: a.updates + c.needing[roster.GuardRename], Of: f.Linked,
		Ceiling: l.Ceiling, Floor: l.Floor, Percent: l.Percent, Window: "run",
		Text: fmt.Sprintf("%d changes of userName of %d linked members (run) cross the limit of %d, or of %d and %d%% (%s)",
			a.updates, f.Linked, l.Ceiling, l.Floor, l.Percent, a.examples()),
	})
}

// checkClass holds a class of actions if the run, or the day with it, crosses the limit.
func (v *Verdict) checkClass(c *Counts, l Limit, class roster.Guarded, what string, before, owned, began int) {
	n := c.counted[class]
	if n == 0 {
		return
	}
	for _, w := range []struct {
		window string
		n, of  int
	}{{"run", n, owned}, {"24h", n + before, began}} {
		if !l.Crossed(w.n, w.of) {
			continue
		}
		v.classes[class] = string(class)
		v.Limits = append(v.Limits, roster.HeldLimit{
			Limit: string(class), Actions: c.all[class] + c.needing[class], Of: w.of,
			Ceiling: l.Ceiling, Floor: l.Floor, Percent: l.Percent, Window: w.window,
			Text: fmt.Sprintf("%d %s of %d (%s) cross the limit of %d, or of %d and %d%%",
				w.n, what, w.of, w.window, l.Ceiling, l.Floor, l.Percent),
		})
		return
	}
}

func (v *Verdict) checkTeams(c *Counts, l Limits) {
	for _, id := range slices.Sorted(maps.Keys(c.teams)) {
		t := c.teams[id]
		size := max(t.size, t.counted)
		if size <= l.TeamFloor || !t.deleted && !share(t.counted, size, l.TeamPercent) {
			continue
		}
		v.teams[id] = true
		text := fmt.Sprintf("%s would lose %d of %d members (limit %d%% of a team of more than %d)",
			t.name, t.counted, size, l.TeamPercent, l.TeamFloor)
		if t.deleted {
			text = fmt.Sprintf("%s, a team of %d, would be removed (limit %d)", t.name, size, l.TeamFloor)
		}
		v.Limits = append(v.Limits, roster.HeldLimit{Limit: "team", Actions: t.actions, Of: size,
			Floor: l.TeamFloor, Percent: l.TeamPercent, Window: "run", Text: text})
	}
}

func (v *Verdict) checkMapping(c *Counts, l Limits, f Facts) {
	for _, attr := range slices.Sorted(maps.Keys(c.attributes)) {
		a := c.attributes[attr]
		if a.members <= l.MismatchFloor || !share(a.members, f.Linked, l.MismatchPercent) {
			continue
		}
		v.Mismatches = append(v.Mismatches, Mismatch{Attribute: attr, Members: a.members, Of: f.Linked, Updates: a.updates,
			Pairs: slices.Clone(a.pairs)})
		if a.updates == 0 {
			continue
		}
		v.attributes[attr] = limitMismatch
		actions := a.updates
		if attr == roster.AttrUserName {
			actions += c.needing[roster.GuardRename]
		}
		text := fmt.Sprintf("%s differs on %d of %d linked members", attr, a.members, f.Linked)
		text += " (" + a.examples() + ")"
		if line := f.Mapping[attr]; line != "" {
			text += "; mapping: " + line
		}
		v.Limits = append(v.Limits, roster.HeldLimit{Limit: limitMismatch, Actions: actions, Of: f.Linked,
			Floor: l.MismatchFloor, Percent: l.MismatchPercent, Window: "run", Text: text})
	}
}
