package connectortest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rosterd/rosterd/connectors"
)

// DeltaRecorder is a sink that keeps what a delta hands over. It knows the people and groups that it is told to know.
type DeltaRecorder struct {
	Recorder
	// PeopleKnown and GroupsKnown say whom KnownUsers and KnownGroup know, by object id; nil is nobody.
	PeopleKnown, GroupsKnown map[string]bool

	people, teams map[string]bool // assigned by an assignment of their own
	left          map[string][]string
}

var _ connectors.DeltaSink = (*DeltaRecorder)(nil)

// Assigned keeps a page of the assignment list.
func (r *DeltaRecorder) Assigned(_ context.Context, at connectors.Stamp, users, groups []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.check("assignments", at)
	if r.people == nil {
		r.people, r.teams = map[string]bool{}, map[string]bool{}
	}
	for _, id := range users {
		r.people[id] = true
	}
	for _, id := range groups {
		r.teams[id] = true
	}
	return r.page(connectors.Assignments)
}

// KnownUsers returns those of ids whom the recorder knows.
func (r *DeltaRecorder) KnownUsers(_ context.Context, ids []string) (map[string]bool, error) {
	known := map[string]bool{}
	for _, id := range ids {
		if r.PeopleKnown[id] {
			known[id] = true
		}
	}
	return known, nil
}

// KnownGroup reports whether the recorder knows a group.
func (r *DeltaRecorder) KnownGroup(id string) bool { return r.GroupsKnown[id] }

// Left keeps who left a group.
func (r *DeltaRecorder) Left(_ context.Context, at connectors.Stamp, groupID string, ids []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.check("people who left a group", at)
	if r.left == nil {
		r.left = map[string][]string{}
	}
	r.left[groupID] = append(r.left[groupID], ids...)
	for _, id := range ids {
		if slices.Contains(r.members[groupID], id) {
			r.problems = append(r.problems, fmt.Sprintf("%s is said to be in group %s and to have left it", id, groupID))
		}
	}
	return r.page(connectors.Members)
}

// wholeOf reports whether a list was ended whole.
func (r *DeltaRecorder) wholeOf(kind connectors.CollectionKind, id string) bool {
	c, found := r.ListOf(kind, id)
	return found && c.Whole
}

// changesOf reports whether a list was ended as one of which only changes were read.
func (r *DeltaRecorder) changesOf(kind connectors.CollectionKind) bool {
	c, _ := r.ListOf(kind, "")
	return c.Changes
}

// peopleSaid returns the people handed over, unless everyone in scope was.
func (r *DeltaRecorder) peopleSaid() []string {
	if r.wholeOf(connectors.Users, "") {
		return nil
	}
	return slices.Sorted(maps.Keys(r.users))
}

// groupsSaid returns the groups of which anything was said besides that they are assigned.
func (r *DeltaRecorder) groupsSaid() []string {
	said := map[string]bool{}
	for id := range r.groups {
		said[id] = true
	}
	for id := range r.members {
		said[id] = true
	}
	for id := range r.left {
		said[id] = true
	}
	for _, c := range r.lists {
		if c.Kind == connectors.Members {
			said[c.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(said))
}

// hasLeft reports whether somebody is said not to be in a group any more: by name, or by a whole list without them.
func (r *DeltaRecorder) hasLeft(groupID, id string) bool {
	if r.wholeOf(connectors.Members, groupID) {
		return !slices.Contains(r.members[groupID], id)
	}
	return slices.Contains(r.left[groupID], id)
}

// same says in what two deltas differ, or "".
func (r *DeltaRecorder) same(other *DeltaRecorder) string {
	for what, pair := range map[string][2]any{
		"people": {r.users, other.users}, "groups": {r.groups, other.groups},
		"members": {r.sorted(r.members), other.sorted(other.members)}, "people who left": {r.sorted(r.left), other.sorted(other.left)},
		"people assigned": {r.people, other.people}, "groups assigned": {r.teams, other.teams},
	} {
		if a, b := fmt.Sprint(pair[0]), fmt.Sprint(pair[1]); a != b {
			return fmt.Sprintf("%s: %s, then %s", what, a, b)
		}
	}
	return ""
}

func (r *DeltaRecorder) sorted(lists map[string][]string) map[string][]string {
	out := map[string][]string{}
	for id, list := range lists {
		out[id] = slices.Compact(slices.Sorted(slices.Values(list)))
	}
	return out
}

// LeftOf returns who was said to have left a group, sorted and each once.
func (r *DeltaRecorder) LeftOf(groupID string) []string {
	return slices.Compact(slices.Sorted(slices.Values(r.left[groupID])))
}
