package idpsim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What a mutation can be refused for.
var (
	ErrNotFound = errors.New("no such object in the directory")
	ErrConflict = errors.New("another object with the same value for property userPrincipalName already exists")
)

// AddUser adds a person and returns them with what was left empty filled in: object id, mail (the userPrincipalName),
// mailNickname (its part before the @) and displayName. It assigns nothing.
func (t *Tenant) AddUser(u User) (User, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !strings.Contains(u.UserPrincipalName, "@") {
		return User{}, fmt.Errorf("userPrincipalName %q: want name@domain", u.UserPrincipalName)
	}
	if t.dir.upns[fold(u.UserPrincipalName)] != "" {
		return User{}, fmt.Errorf("add %s: %w", u.UserPrincipalName, ErrConflict)
	}
	if u.ObjectID == "" {
		u.ObjectID = newID(t.ids)
	}
	if u.Created.IsZero() {
		u.Created = t.cfg.Now().UTC()
	}
	complete(&u)
	t.commit(op{kind: opUser, id: u.ObjectID, user: &u})
	return u, nil
}

func complete(u *User) {
	nick, _, _ := strings.Cut(u.UserPrincipalName, "@")
	if u.Mail == "" {
		u.Mail = u.UserPrincipalName
	}
	if u.MailNickname == "" {
		u.MailNickname = nick
	}
	if u.DisplayName == "" {
		u.DisplayName = strings.TrimSpace(u.GivenName + " " + u.Surname)
	}
	if u.DisplayName == "" {
		u.DisplayName = nick
	}
}

// UpdateUser changes a person's properties. The object id cannot be changed.
func (t *Tenant) UpdateUser(id string, edit func(*User)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.dir.users[id]
	if old == nil {
		return fmt.Errorf("user %s: %w", id, ErrNotFound)
	}
	u := *old
	edit(&u)
	u.ObjectID = id
	if holder := t.dir.upns[fold(u.UserPrincipalName)]; holder != "" && holder != id {
		return fmt.Errorf("rename to %s: %w", u.UserPrincipalName, ErrConflict)
	}
	if u != *old {
		t.commit(op{kind: opUser, id: id, user: &u})
	}
	return nil
}

// DisableUser sets accountEnabled to false.
func (t *Tenant) DisableUser(id string) error {
	return t.UpdateUser(id, func(u *User) { u.Disabled = true })
}

// EnableUser sets accountEnabled to true.
func (t *Tenant) EnableUser(id string) error {
	return t.UpdateUser(id, func(u *User) { u.Disabled = false })
}

// DeleteUser soft-deletes a person: they leave /users and every list, appear in deletedItems, and keep their
// assignments and memberships for a restore. Their userPrincipalName is free.
func (t *Tenant) DeleteUser(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.dir.users[id]
	if u == nil {
		return fmt.Errorf("user %s: %w", id, ErrNotFound)
	}
	gone := &deletedUser{user: *u, at: t.cfg.Now().UTC()}
	t.commit(op{kind: opUser, id: id}, op{kind: opDeleted, id: id, gone: gone})
	return nil
}

// RestoreUser takes a soft-deleted person back, with assignments and memberships.
func (t *Tenant) RestoreUser(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	gone := t.dir.deleted[id]
	if gone == nil {
		return fmt.Errorf("deleted user %s: %w", id, ErrNotFound)
	}
	if t.dir.upns[fold(gone.user.UserPrincipalName)] != "" {
		return fmt.Errorf("restore %s: %w", gone.user.UserPrincipalName, ErrConflict)
	}
	u := gone.user
	t.commit(op{kind: opDeleted, id: id}, op{kind: opUser, id: id, user: &u})
	return nil
}

// PurgeUser deletes a soft-deleted person for good, as Entra does after 30 days.
func (t *Tenant) PurgeUser(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dir.deleted[id] == nil {
		return fmt.Errorf("deleted user %s: %w", id, ErrNotFound)
	}
	t.commit(append(t.detach(id), op{kind: opDeleted, id: id})...)
	return nil
}

// detach returns the steps that take a principal out of every group and off the application.
func (t *Tenant) detach(id string) []op {
	var ops []op
	for _, g := range t.dir.memberOf[id].all() {
		ops = append(ops, op{kind: opMember, id: g, member: id})
	}
	if t.dir.assigned[id] != nil {
		ops = append(ops, op{kind: opAssign, id: id})
	}
	return ops
}

// AddGroup adds an empty group, not assigned. An object id is made where it is empty.
func (t *Tenant) AddGroup(g Group) (Group, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g.DisplayName == "" {
		return Group{}, errors.New("a group needs a displayName")
	}
	if g.ObjectID == "" {
		g.ObjectID = newID(t.ids)
	}
	if g.Created.IsZero() {
		g.Created = t.cfg.Now().UTC()
	}
	t.commit(op{kind: opGroup, id: g.ObjectID, group: &g})
	return g, nil
}

// RenameGroup changes a group's displayName.
func (t *Tenant) RenameGroup(id, displayName string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.dir.groups[id]
	if old == nil {
		return fmt.Errorf("group %s: %w", id, ErrNotFound)
	}
	g := *old
	g.DisplayName = displayName
	t.commit(op{kind: opGroup, id: id, group: &g})
	return nil
}

// DeleteGroup deletes a security group for good, with its memberships and its assignment.
func (t *Tenant) DeleteGroup(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dir.groups[id] == nil {
		return fmt.Errorf("group %s: %w", id, ErrNotFound)
	}
	var ops []op
	for _, m := range slices.Backward(t.dir.members[id].all()) {
		ops = append(ops, op{kind: opMember, id: id, member: m})
	}
	ops = append(ops, t.detach(id)...)
	t.commit(append(ops, op{kind: opGroup, id: id})...)
	return nil
}

// AddToGroup makes users or groups direct members of a group, as one change.
func (t *Tenant) AddToGroup(groupID string, principals ...string) error {
	return t.setMembers(groupID, principals, true)
}

// RemoveFromGroup takes direct members out of a group, as one change.
func (t *Tenant) RemoveFromGroup(groupID string, principals ...string) error {
	return t.setMembers(groupID, principals, false)
}

func (t *Tenant) setMembers(groupID string, principals []string, in bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dir.groups[groupID] == nil {
		return fmt.Errorf("group %s: %w", groupID, ErrNotFound)
	}
	var ops []op
	for _, p := range principals {
		if t.dir.users[p] == nil && t.dir.groups[p] == nil {
			return fmt.Errorf("member %s: %w", p, ErrNotFound)
		}
		if t.dir.members[groupID].has(p) != in {
			ops = append(ops, op{kind: opMember, id: groupID, member: p, in: in})
		}
	}
	t.commit(ops...)
	return nil
}

// Assign assigns users or groups to the application, as one change.
func (t *Tenant) Assign(principals ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ops []op
	for _, p := range principals {
		if t.dir.users[p] == nil && t.dir.groups[p] == nil {
			return fmt.Errorf("principal %s: %w", p, ErrNotFound)
		}
		if t.dir.assigned[p] == nil {
			a := &Assignment{
				ID: assignmentID(p), PrincipalID: p, Group: t.dir.groups[p] != nil, Created: t.cfg.Now().UTC(),
			}
			ops = append(ops, op{kind: opAssign, id: p, assignment: a})
		}
	}
	t.commit(ops...)
	return nil
}

// Unassign takes users' or groups' own assignments away, as one change. Someone who is also in an assigned group stays
// in scope.
func (t *Tenant) Unassign(principals ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ops []op
	for _, p := range principals {
		if t.dir.assigned[p] == nil {
			return fmt.Errorf("assignment of %s: %w", p, ErrNotFound)
		}
		ops = append(ops, op{kind: opAssign, id: p})
	}
	t.commit(ops...)
	return nil
}
