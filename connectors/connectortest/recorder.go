package connectortest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/rosterd/rosterd/connectors"
)

// Recorder is a sink that keeps what a pull hands over, and what is wrong with the stamps.
type Recorder struct {
	// OnPage is called for each page of users, groups or members, when not nil; its error is returned to the pull.
	OnPage func(kind connectors.CollectionKind) error

	mu       sync.Mutex
	stamps   connectors.Stamp
	users    map[string]connectors.User
	groups   map[string]connectors.Group
	members  map[string][]string
	lists    []connectors.Collection
	problems []string
}

var _ connectors.Sink = (*Recorder)(nil)

// Stamp returns the next number.
func (r *Recorder) Stamp(context.Context) (connectors.Stamp, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stamps++
	return r.stamps, nil
}

// Users keeps a page of users.
func (r *Recorder) Users(_ context.Context, at connectors.Stamp, page []connectors.User) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.check("users", at)
	if r.users == nil {
		r.users = map[string]connectors.User{}
	}
	for _, u := range page {
		r.users[u.ObjectID] = u
	}
	return r.page(connectors.Users)
}

// Groups keeps a page of groups.
func (r *Recorder) Groups(_ context.Context, at connectors.Stamp, page []connectors.Group) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.check("groups", at)
	if r.groups == nil {
		r.groups = map[string]connectors.Group{}
	}
	for _, g := range page {
		r.groups[g.ObjectID] = g
	}
	return r.page(connectors.Assignments)
}

// Members keeps a page of a group's members.
func (r *Recorder) Members(_ context.Context, at connectors.Stamp, groupID string, page []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.check("members", at)
	if r.members == nil {
		r.members = map[string][]string{}
	}
	r.members[groupID] = append(r.members[groupID], page...)
	return r.page(connectors.Members)
}

// Collection keeps the report of a list.
func (r *Recorder) Collection(_ context.Context, c connectors.Collection) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Whole == (c.Err != "" || c.Changes) {
		r.problems = append(r.problems, fmt.Sprintf("list %s %s: whole %t with error %q", c.Kind, c.Name, c.Whole, c.Err))
	}
	if c.Whole && c.Count > 0 && (c.Began < 1 || c.Began > r.stamps) {
		r.problems = append(r.problems, fmt.Sprintf("list %s %s began at %d, which is no stamp", c.Kind, c.Name, c.Began))
	}
	r.lists = append(r.lists, c)
	return nil
}

// ListOf returns the report of the users, of the assignments, or of a group's members.
func (r *Recorder) ListOf(kind connectors.CollectionKind, id string) (connectors.Collection, bool) {
	i := slices.IndexFunc(r.lists, func(c connectors.Collection) bool { return c.Kind == kind && c.ID == id })
	if i < 0 {
		return connectors.Collection{}, false
	}
	return r.lists[i], true
}

// User returns a person as last handed over.
func (r *Recorder) User(objectID string) (connectors.User, bool) {
	u, found := r.users[objectID]
	return u, found
}

// UserIDs returns the people who were handed over, sorted.
func (r *Recorder) UserIDs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.users))
}

// MembersOf returns the members of a group, sorted and each once.
func (r *Recorder) MembersOf(groupID string) []string {
	ids := slices.Sorted(slices.Values(r.members[groupID]))
	return slices.Compact(ids)
}

// GroupIDs returns the groups that were handed over, sorted.
func (r *Recorder) GroupIDs() []string {
	var ids []string
	for id := range r.groups {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// check holds a page's stamp against those given out; the caller has the lock.
func (r *Recorder) check(what string, at connectors.Stamp) {
	if at < 1 || at > r.stamps {
		r.problems = append(r.problems, fmt.Sprintf("a page of %s came with %d, which is no stamp", what, at))
	}
}

func (r *Recorder) page(kind connectors.CollectionKind) error {
	if r.OnPage == nil {
		return nil
	}
	return r.OnPage(kind)
}
