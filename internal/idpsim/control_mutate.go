package idpsim

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Mutation is one change of the directory, as it is asked for over the control surface. People are named by id or user
// name, groups by id or name.
type Mutation struct {
	Op    string   `json:"op"`
	User  string   `json:"user,omitempty"`
	Users []string `json:"users,omitempty"` // further people, for assign, unassign, join and leave
	Group string   `json:"group,omitempty"`
	Name  string   `json:"name,omitempty"` // of add_group and rename
	// Set are properties under the vendor's names, of add_user and update_user. For an Okta user those of their own profile,
	// and status.
	Set map[string]string `json:"set,omitempty"`
}

// Applied is a mutation that was carried out.
type Applied struct {
	Op      string `json:"op"`
	ID      string `json:"id"` // of the user, or of the group where no user was named
	Version int    `json:"version"`
}

// mutations are the words for changes. The last five are Okta's alone, restore and purge are Entra's.
func mutations() []string {
	return []string{
		"add_user", "update_user", "rename", "disable", "enable", "delete", "restore", "purge", "assign", "unassign", "join",
		"leave", "add_group", "delete_group", "suspend", "unsuspend", "push_group", "unpush_group", "pause_push",
	}
}

// mutate carries out one change or several, in order, up to the first that is refused.
func (c *control) mutate(r *http.Request) (any, error) {
	asked, err := several[Mutation](r)
	if err != nil {
		return nil, err
	}
	done := []Applied{}
	for i, m := range asked {
		id, err := c.sim.mutate(m)
		if err != nil {
			return nil, partial{done, fmt.Errorf("change %d of %d, %s: %w", i+1, len(asked), m.Op, err)}
		}
		done = append(done, Applied{Op: m.Op, ID: id, Version: c.sim.Version()})
	}
	return done, nil
}

// people are those that a mutation names.
func (m Mutation) people() []string {
	if m.User == "" {
		return m.Users
	}
	return append([]string{m.User}, m.Users...)
}

func (m Mutation) unknown() error {
	return fmt.Errorf("op %q: %w: want one of %s", m.Op, errOrder, strings.Join(mutations(), ", "))
}

// applyProperties checks that every property is known and applies them.
func applyProperties(set map[string]string, into map[string]*string) error {
	for _, k := range sortedKeys(set) {
		if into[k] == nil {
			return fmt.Errorf("property %q: %w: want one of %s", k, errOrder, strings.Join(slices.Sorted(maps.Keys(into)), ", "))
		}
	}
	for k, v := range set {
		*into[k] = v
	}
	return nil
}

// found turns names into ids.
func found(kind string, keys []string, look func(key string) (string, bool)) ([]string, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: name the %s", errOrder, kind)
	}
	out := make([]string, 0, len(keys))
	for _, k := range keys {
		id, ok := look(k)
		if !ok {
			return nil, fmt.Errorf("%s %q: %w", kind, k, ErrNotFound)
		}
		out = append(out, id)
	}
	return out, nil
}

// forEach calls do for every id, up to the first error.
func forEach(ids []string, do func(id string) error) error {
	for _, id := range ids {
		if err := do(id); err != nil {
			return err
		}
	}
	return nil
}

var errPushing = errors.New("the push failed")

// pushed is the answer of a cycle.
func pushed(s Summary, err error) (any, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPushing, err)
	}
	failed := []object{}
	for _, d := range s.Of(Failed) {
		failed = append(failed, object{"id": d.ObjectID, "type": d.Type, "name": d.Name, "reason": d.Reason, "status": d.Status})
	}
	return object{
		"cycle": s.Number, "initial": s.Initial, "quarantine": string(s.Quarantine), "created": s.Created,
		"updated": s.Updated, "disabled": s.Disabled, "deleted": s.Deleted, "skipped": s.Skipped, "missed": s.Missed,
		"failed": s.Failed, "unchanged": s.Unchanged, "members_added": s.MembersAdded, "members_removed": s.MembersRemoved,
		"requests": s.Requests, "failures": failed,
	}, nil
}
