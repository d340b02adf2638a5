package idpsim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// AddGroup adds an empty group, neither assigned nor pushed. An id is made where it is empty.
func (t *OktaTenant) AddGroup(g OktaGroup) (OktaGroup, error) {
	err := t.commit(func(x *oktaTx) error {
		if g.Name == "" {
			return errors.New("a group needs a name")
		}
		g.ID = cmp.Or(g.ID, oktaID("00g", t.ids))
		if g.Created.IsZero() {
			g.Created = x.now
		}
		g.LastUpdated, g.LastMembershipUpdated = x.now, x.now
		stored := g
		x.do(setOktaGroup(g.ID, &stored), g.ID)
		x.log("group.lifecycle.create", "Create Okta group", g.target())
		return nil
	})
	return g, err
}

// RenameGroup changes a group's name.
func (t *OktaTenant) RenameGroup(id, name string) error {
	return t.commit(func(x *oktaTx) error {
		old, err := x.group(id)
		if err != nil || old.Name == name {
			return err
		}
		g := *old
		g.Name, g.LastUpdated = name, x.now
		x.do(setOktaGroup(id, &g), id)
		x.log("group.profile.update", "Update Okta group", g.target())
		return nil
	})
}

// DeleteGroup deletes a group with its memberships, its assignment and its push mapping.
func (t *OktaTenant) DeleteGroup(id string) error {
	return t.commit(func(x *oktaTx) error {
		g, err := x.group(id)
		if err != nil {
			return err
		}
		members := slices.Clone(x.d.members[id].all())
		for _, m := range members {
			x.do(setOktaMember(id, m, false), id, m)
		}
		if x.d.assigned[id] != nil {
			x.do(setAssignment(id, nil))
			x.log("group.application_assignment.remove", "Remove assigned application from group", g.target(), t.appTarget())
		}
		if x.d.mappings[id] != nil {
			x.do(setMapping(id, nil))
			x.log("application.provision.group_push.mapping.deleted", "Delete group push mapping", g.target(), t.appTarget())
		}
		for _, m := range members {
			x.settle(m)
		}
		x.do(setOktaGroup(id, nil), id)
		x.log("group.lifecycle.delete", "Delete Okta group", g.target())
		return nil
	})
}

// AddToGroup makes people members of a group, as one change. An assigned group makes them application users.
func (t *OktaTenant) AddToGroup(group string, users ...string) error {
	return t.setMembers(group, users, true)
}

// RemoveFromGroup takes people out of a group, as one change. Those whom only this group assigned stop being application
// users.
func (t *OktaTenant) RemoveFromGroup(group string, users ...string) error {
	return t.setMembers(group, users, false)
}

func (t *OktaTenant) setMembers(group string, users []string, in bool) error {
	typ, message := "group.user_membership.add", "Add user to group membership"
	if !in {
		typ, message = "group.user_membership.remove", "Remove user from group membership"
	}
	return t.commit(func(x *oktaTx) error {
		g, err := x.group(group)
		if err != nil {
			return err
		}
		changed := false
		for _, id := range users {
			u, err := x.user(id)
			if err != nil {
				return err
			}
			if x.d.members[group].has(id) == in {
				continue
			}
			changed = true
			x.do(setOktaMember(group, id, in), group, id)
			x.log(typ, message, u.target(), g.target())
			x.settle(id)
		}
		if changed {
			x.stampMembers(g.ID)
		}
		return nil
	})
}

// stampMembers dates a change of a group's members.
func (x *oktaTx) stampMembers(group string) {
	g := *x.d.groups[group]
	g.LastMembershipUpdated = x.now
	x.do(setOktaGroup(group, &g))
}

// AssignGroup assigns groups to the application, as one change: their members become application users. It pushes none.
func (t *OktaTenant) AssignGroup(ids ...string) error {
	return t.commit(func(x *oktaTx) error {
		for _, id := range ids {
			g, err := x.group(id)
			if err != nil {
				return err
			}
			if x.d.assigned[id] != nil {
				continue
			}
			a := &GroupAssignment{GroupID: id, Priority: len(x.d.assigned), LastUpdated: x.now}
			x.do(setAssignment(id, a))
			x.log("group.application_assignment.add", "Add assigned application to group", g.target(), t.appTarget())
			for _, m := range slices.Clone(x.d.members[id].all()) {
				x.settle(m)
			}
		}
		return nil
	})
}

// UnassignGroup takes groups' assignments away, as one change. Members whom nothing else assigns stop being application
// users.
func (t *OktaTenant) UnassignGroup(ids ...string) error {
	return t.commit(func(x *oktaTx) error {
		for _, id := range ids {
			if x.d.assigned[id] == nil {
				return fmt.Errorf("assignment of group %s: %w", id, ErrNotFound)
			}
			x.do(setAssignment(id, nil))
			x.log("group.application_assignment.remove", "Remove assigned application from group",
				x.d.groups[id].target(), t.appTarget())
			for _, m := range slices.Clone(x.d.members[id].all()) {
				x.settle(m)
			}
		}
		return nil
	})
}

// PushGroup makes active push mappings for groups, as one change; a mapping that was paused or failed is active again.
// It assigns nobody.
func (t *OktaTenant) PushGroup(ids ...string) error {
	return t.commit(func(x *oktaTx) error {
		for _, id := range ids {
			g, err := x.group(id)
			if err != nil {
				return err
			}
			if x.d.mappings[id] != nil {
				x.setPush(id, PushActive, "")
				continue
			}
			x.do(setMapping(id, &PushMapping{
				ID: oktaID("gPm", t.ids), SourceGroupID: id, TargetGroupID: oktaID("00g", t.ids), Status: PushActive,
				Created: x.now, LastUpdated: x.now,
			}), id)
			x.log("application.provision.group_push.mapping.created", "Create group push mapping", g.target(), t.appTarget())
		}
		return nil
	})
}

// UnpushGroup deletes groups' push mappings, with the group at the application: "Unlink pushed group", "Delete the group
// in the target app".
func (t *OktaTenant) UnpushGroup(ids ...string) error { return t.unlink(ids, false) }

// UnlinkGroup deletes groups' push mappings and leaves the group at the application as it is.
func (t *OktaTenant) UnlinkGroup(ids ...string) error { return t.unlink(ids, true) }

// SetPushStatus pauses a push mapping (PushInactive), makes it failed (PushError, with a reason that the mapping shows) or
// active again.
func (t *OktaTenant) SetPushStatus(id string, status PushStatus, reason string) error {
	return t.commit(func(x *oktaTx) error {
		if x.d.mappings[id] == nil {
			return fmt.Errorf("push mapping of group %s: %w", id, ErrNotFound)
		}
		x.setPush(id, status, reason)
		return nil
	})
}

func (x *oktaTx) setPush(group string, status PushStatus, reason string) {
	m := *x.d.mappings[group]
	if m.Status == status && m.ErrorSummary == reason {
		return
	}
	typ := "application.provision.group_push.activate_mapping"
	switch status {
	case PushInactive:
		typ = "application.provision.group_push.deactivate_mapping"
	case PushError:
		typ = "application.provision.group_push.mapping.update.or.delete.failed.with.error"
	}
	m.Status, m.ErrorSummary, m.LastUpdated = status, reason, x.now
	x.do(setMapping(group, &m), group)
	x.log(typ, "Change status of group push mapping", x.d.groups[group].target(), x.t.appTarget())
}

func (t *OktaTenant) unlink(ids []string, leave bool) error {
	return t.commit(func(x *oktaTx) error {
		for _, id := range ids {
			if x.d.mappings[id] == nil {
				return fmt.Errorf("push mapping of group %s: %w", id, ErrNotFound)
			}
			x.do(setMapping(id, nil), id)
			x.log("application.provision.group_push.mapping.deleted", "Delete group push mapping",
				x.d.groups[id].target(), t.appTarget())
		}
		t.state.Lock()
		defer t.state.Unlock()
		for _, id := range ids {
			t.left[id] = leave
		}
		return nil
	})
}
