package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// Pair is one example of an attribute that differs.
type Pair struct{ Name, Here, There string }

// maxPairs is how many examples are kept of each attribute.
const maxPairs = 3

// Counts are what the guard needs of a plan, added up drift by drift. It grows with the number of teams that lose
// somebody and of attributes, not with that of drifts. The zero value is ready.
type Counts struct {
	all        map[roster.Guarded]int // actions of the class that a limit may hold
	counted    map[roster.Guarded]int // those of them that limits count
	needing    map[roster.Guarded]int // actions of no or another class that need the class
	kinds      map[roster.Kind]int    // actions by kind of drift
	conflicts  int
	alwaysHeld int
	teams      map[string]*teamCount
	attributes map[string]*attributeCount
}

type teamCount struct {
	name                   string
	size, counted, actions int
	deleted                bool
}

type attributeCount struct {
	members, updates int
	pairs            []Pair
}

// examples shows the first members of whom the attribute differs.
func (a *attributeCount) examples() string {
	pairs := make([]string, len(a.pairs))
	for i, p := range a.pairs {
		pairs[i] = fmt.Sprintf("%s: %q here, %q there", p.Name, p.Here, p.There)
	}
	return strings.Join(pairs, "; ")
}

// removals counts what a limit may hold that takes something away.
func (c *Counts) removals() int {
	return c.all[roster.GuardMember] + c.all[roster.GuardMembership] + c.all[roster.GuardTeam]
}

// Add counts one drift of the plan.
func (c *Counts) Add(d roster.Drift) {
	if c.all == nil {
		c.all, c.counted, c.needing = map[roster.Guarded]int{}, map[roster.Guarded]int{}, map[roster.Guarded]int{}
		c.teams, c.attributes = map[string]*teamCount{}, map[string]*attributeCount{}
		c.kinds = map[roster.Kind]int{}
	}
	if d.Kind == roster.ConflictKind {
		c.conflicts++
	}
	if d.Kind == roster.StaleMember {
		c.addAttributes(&d)
	}
	switch {
	case d.Action == roster.ActNone:
		return
	case d.AlwaysHeld != "":
		c.alwaysHeld++
		return
	case d.Waits != "":
		return
	}
	c.kinds[d.Kind]++
	for _, need := range d.Needs {
		c.needing[need]++
	}
	class := d.Guard()
	if class == roster.GuardNone {
		return
	}
	c.all[class]++
	if class == roster.GuardMembership || class == roster.GuardTeam {
		c.addTeam(&d, class)
	}
	if !d.Uncounted {
		c.counted[class]++
	}
}

func (c *Counts) addAttributes(d *roster.Drift) {
	for _, path := range slices.Sorted(maps.Keys(d.Values)) {
		a := c.attributes[path]
		if a == nil {
			a = &attributeCount{}
			c.attributes[path] = a
		}
		a.members++
		if d.Action == roster.ActUpdate {
			a.updates++
		}
		if len(a.pairs) < maxPairs {
			a.pairs = append(a.pairs, Pair{Name: d.Subject.Name, Here: d.Before[path], There: d.Values[path]})
		}
	}
}

func (c *Counts) addTeam(d *roster.Drift, class roster.Guarded) {
	id := teamOf(d)
	t := c.teams[id]
	if t == nil {
		t = &teamCount{name: id}
		c.teams[id] = t
	}
	t.size = max(t.size, d.TeamSize)
	t.actions++
	if class == roster.GuardTeam {
		t.deleted, t.name = true, fmt.Sprintf("%q", d.Subject.Name)
		return
	}
	if d.TeamName != "" {
		t.name = fmt.Sprintf("%q", d.TeamName)
	}
	if !d.Uncounted {
		t.counted++
	}
}

func teamOf(d *roster.Drift) string {
	if d.TeamID != "" {
		return d.TeamID
	}
	return d.Subject.ID
}
