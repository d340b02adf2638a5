package connectortest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rosterd/rosterd/connectors"
)

// roster is what somebody knows who keeps a full pull and merges every delta after it into that, in the simplest way.
type roster struct {
	lists   Lists
	people  map[string]connectors.User // in scope
	groups  map[string]connectors.Group
	members map[string]map[string]bool // of the groups
}

// newRoster takes over what a pull handed over.
func newRoster(lists Lists, pulled *Recorder) *roster {
	k := &roster{lists: lists, people: map[string]connectors.User{}, groups: map[string]connectors.Group{}, members: map[string]map[string]bool{}}
	maps.Copy(k.people, pulled.users)
	for id, g := range pulled.groups {
		if l, found := pulled.ListOf(connectors.Members, id); !found || !l.Whole {
			continue
		}
		k.groups[id] = g
		k.members[id] = setOf(pulled.members[id])
	}
	return k
}

func setOf(ids []string) map[string]bool {
	set := map[string]bool{}
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// recorder returns a sink that knows what the roster knows.
func (k *roster) recorder() *DeltaRecorder {
	r := &DeltaRecorder{PeopleKnown: map[string]bool{}, GroupsKnown: map[string]bool{}}
	for id := range k.people {
		r.PeopleKnown[id] = true
	}
	for id := range k.groups {
		r.GroupsKnown[id] = true
	}
	return r
}

// follow reads a delta and merges it. It returns what was said and the next cursor.
func (k *roster) follow(ctx context.Context, c connectors.DeltaReader, since connectors.Since, onPage func(connectors.CollectionKind) error) (*DeltaRecorder, string, error) {
	r := k.recorder()
	r.OnPage = onPage
	next, err := c.Delta(ctx, since, r)
	if err != nil {
		return r, next, err
	}
	k.merge(r)
	return r, next, nil
}

// merge brings the roster up to date with a delta.
func (k *roster) merge(r *DeltaRecorder) {
	k.mergeGroups(r)
	for id, u := range r.users {
		if u.Gone == "" {
			k.people[id] = u
			continue
		}
		delete(k.people, id)
		if k.lists.Teams { // who has no account may be in groups
			continue
		}
		for _, members := range k.members {
			delete(members, id)
		}
	}
	if r.changesOf(connectors.Assignments) {
		return
	}
	scope := maps.Clone(r.people)
	if !k.lists.Teams { // the groups are assignments, and put their members in scope
		for _, members := range k.members {
			maps.Copy(scope, members)
		}
	}
	if r.wholeOf(connectors.Users, "") {
		scope = map[string]bool{}
		for id := range r.users {
			scope[id] = true
		}
	}
	maps.DeleteFunc(k.people, func(id string, _ connectors.User) bool { return !scope[id] })
}

func (k *roster) mergeGroups(r *DeltaRecorder) {
	for id, g := range r.groups {
		if _, known := k.groups[id]; known || r.wholeOf(connectors.Members, id) {
			k.groups[id] = g
		}
	}
	maps.DeleteFunc(k.groups, func(id string, _ connectors.Group) bool { return !r.teams[id] })
	maps.DeleteFunc(k.members, func(id string, _ map[string]bool) bool { return !r.teams[id] })
	for id := range k.groups {
		if k.members[id] == nil || r.wholeOf(connectors.Members, id) {
			k.members[id] = map[string]bool{}
		}
		maps.Copy(k.members[id], setOf(r.members[id]))
		for _, person := range r.left[id] {
			delete(k.members[id], person)
		}
	}
}

// differs lists what other has otherwise. Why somebody is in scope may be said in different words.
func (k *roster) differs(other *roster) []string {
	var out []string
	compare := func(what string, ids []string, of func(r *roster, id string) string) {
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
			if a, b := of(k, id), of(other, id); a != b {
				out = append(out, fmt.Sprintf("%s %s: %s, want %s", what, id, a, b))
			}
		}
	}
	compare("person", both(k.people, other.people), func(r *roster, id string) string {
		u, found := r.people[id]
		if !found {
			return "not in scope"
		}
		return fmt.Sprintf("enabled %t, %v", u.Enabled, u.Attributes)
	})
	compare("group", both(k.groups, other.groups), func(r *roster, id string) string {
		if g, found := r.groups[id]; found {
			return fmt.Sprint(g.Attributes)
		}
		return "not assigned"
	})
	compare("members of", both(k.members, other.members), func(r *roster, id string) string {
		return fmt.Sprint(slices.Sorted(maps.Keys(r.members[id])))
	})
	return out
}

func both[V any](a, b map[string]V) []string {
	return slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
}
