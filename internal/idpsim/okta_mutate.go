package idpsim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// user returns a person, or an error that wraps ErrNotFound.
func (x *oktaTx) user(id string) (*OktaUser, error) {
	if u := x.d.users[id]; u != nil {
		return u, nil
	}
	return nil, fmt.Errorf("user %s: %w", id, ErrNotFound)
}

func (x *oktaTx) group(id string) (*OktaGroup, error) {
	if g := x.d.groups[id]; g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("group %s: %w", id, ErrNotFound)
}

func (x *oktaTx) log(typ, message string, targets ...oktaTarget) {
	x.events = append(x.events, oktaEvent{typ: typ, message: message, targets: targets})
}

// AddUser adds a person and returns them with what was left empty filled in: id, status (ACTIVE), email (the login) and
// displayName. It assigns nothing.
func (t *OktaTenant) AddUser(u OktaUser) (OktaUser, error) {
	err := t.commit(func(x *oktaTx) error {
		if len(u.Profile.Login) < 5 {
			return fmt.Errorf("login %q: want at least 5 characters", u.Profile.Login)
		}
		if x.d.logins[fold(u.Profile.Login)] != "" {
			return fmt.Errorf("add %s: %w", u.Profile.Login, ErrConflict)
		}
		u.ID = cmp.Or(u.ID, oktaID("00u", t.ids))
		u.Status = cmp.Or(u.Status, OktaActive)
		u.Profile.Email = cmp.Or(u.Profile.Email, u.Profile.Login)
		u.Profile.DisplayName = cmp.Or(u.Profile.DisplayName,
			strings.TrimSpace(u.Profile.FirstName+" "+u.Profile.LastName), u.Profile.Login)
		if u.Created.IsZero() {
			u.Created = x.now
		}
		if u.Status != OktaStaged {
			u.Activated = u.Created
		}
		u.StatusChanged, u.LastUpdated = u.Created, x.now
		stored := u
		x.do(setOktaUser(u.ID, &stored), u.ID)
		x.log("user.lifecycle.create", "Create okta user", u.target())
		if u.Status != OktaStaged {
			x.log("user.lifecycle.activate", "Activate Okta user", u.target())
		}
		return nil
	})
	return u, err
}

// UpdateProfile changes a person's own profile. What their application profile has taken over from it by the mapping
// follows; what differs there stays.
func (t *OktaTenant) UpdateProfile(id string, edit func(*OktaProfile)) error {
	return t.commit(func(x *oktaTx) error {
		old, err := x.user(id)
		if err != nil {
			return err
		}
		u := *old
		edit(&u.Profile)
		if u == *old {
			return nil
		}
		if holder := x.d.logins[fold(u.Profile.Login)]; holder != "" && holder != id {
			return fmt.Errorf("rename to %s: %w", u.Profile.Login, ErrConflict)
		}
		u.LastUpdated = x.now
		x.do(setOktaUser(id, &u), id)
		x.log("user.account.update_profile", "Update user profile for Okta", u.target())
		if a := x.d.appUsers[id]; a != nil {
			x.remap(*a, old, &u)
		}
		return nil
	})
}

// remap carries changes of the profile over to the application user.
func (x *oktaTx) remap(a AppUser, old, u *OktaUser) {
	before := a
	if a.UserName == appUserName(old) {
		a.UserName = appUserName(u)
	}
	was, is := appProfile(old), appProfile(u)
	for _, f := range []struct {
		have     *string
		was, now string
	}{
		{&a.Profile.Email, was.Email, is.Email}, {&a.Profile.GivenName, was.GivenName, is.GivenName},
		{&a.Profile.FamilyName, was.FamilyName, is.FamilyName}, {&a.Profile.DisplayName, was.DisplayName, is.DisplayName},
		{&a.Profile.Title, was.Title, is.Title}, {&a.Profile.Department, was.Department, is.Department},
		{&a.Profile.Locale, was.Locale, is.Locale},
	} {
		if *f.have == f.was {
			*f.have = f.now
		}
	}
	x.storeAppUser(before, a)
}

// storeAppUser commits a changed application user with the event that tells of it.
func (x *oktaTx) storeAppUser(before, a AppUser) {
	if a == before {
		return
	}
	a.LastUpdated = x.now
	if a.Status != before.Status {
		a.StatusChanged = x.now
	}
	x.do(setAppUser(a.ID, &a), a.ID)
	typ, message := "application.user_membership.update", "Update user's application profile"
	if a.UserName != before.UserName {
		typ, message = "application.user_membership.change_username", "Change user's application username"
	}
	x.log(typ, message, x.appUserTargets(&a)...)
}

func (x *oktaTx) appUserTargets(a *AppUser) []oktaTarget {
	out := []oktaTarget{a.target(), x.t.appTarget()}
	if u := x.d.users[a.ID]; u != nil {
		out = append(out, u.target())
	}
	return out
}

// UpdateAppUser changes a person's application user: user name, profile or status. Id, scope and times are the org's.
func (t *OktaTenant) UpdateAppUser(id string, edit func(*AppUser)) error {
	return t.commit(func(x *oktaTx) error {
		old := x.d.appUsers[id]
		if old == nil {
			return fmt.Errorf("application user %s: %w", id, ErrNotFound)
		}
		a := *old
		edit(&a)
		a.ID, a.Direct = old.ID, old.Direct
		a.Created, a.LastUpdated, a.StatusChanged = old.Created, old.LastUpdated, old.StatusChanged
		x.storeAppUser(*old, a)
		return nil
	})
}

// UpdateAppProfile changes what the application is told of a person, apart from their own profile.
func (t *OktaTenant) UpdateAppProfile(id string, edit func(*AppProfile)) error {
	return t.UpdateAppUser(id, func(a *AppUser) { edit(&a.Profile) })
}

// Suspend suspends a person. Their assignments stay.
func (t *OktaTenant) Suspend(id string) error { return t.SetStatus(id, OktaSuspended) }

// Unsuspend ends a suspension.
func (t *OktaTenant) Unsuspend(id string) error { return t.SetStatus(id, OktaActive) }

// Deactivate makes a person DEPROVISIONED: their application users go, their group memberships stay.
func (t *OktaTenant) Deactivate(id string) error { return t.SetStatus(id, OktaDeprovisioned) }

// Activate makes a staged or deactivated person PROVISIONED. Assignments through groups come back, their own ones don't.
func (t *OktaTenant) Activate(id string) error { return t.SetStatus(id, OktaProvisioned) }

// SetStatus puts a person into a status, with what that does to their assignments: see Deactivate and Activate.
func (t *OktaTenant) SetStatus(id string, status OktaStatus) error {
	return t.commit(func(x *oktaTx) error {
		old, err := x.user(id)
		if err != nil || old.Status == status {
			return err
		}
		u := *old
		u.Status, u.StatusChanged, u.LastUpdated = status, x.now, x.now
		if u.Activated.IsZero() && status != OktaStaged {
			u.Activated = x.now
		}
		x.do(setOktaUser(id, &u), id)
		typ, message := statusEvent(old.Status, status)
		x.log(typ, message, u.target())
		if a := x.d.appUsers[id]; status == OktaDeprovisioned && a != nil {
			x.dropAppUser(a)
		}
		x.settle(id)
		return nil
	})
}

func statusEvent(from, to OktaStatus) (typ, message string) {
	switch {
	case to == OktaSuspended:
		return "user.lifecycle.suspend", "Suspend Okta user"
	case to == OktaDeprovisioned:
		return "user.lifecycle.deactivate", "Deactivate Okta user"
	case to == OktaLockedOut:
		return "user.account.lock", "Max sign in attempts exceeded"
	case to == OktaPasswordExpired:
		return "user.account.expire_password", "Expire password"
	case from == OktaSuspended:
		return "user.lifecycle.unsuspend", "Unsuspend Okta user"
	case from == OktaLockedOut:
		return "user.account.unlock", "User account unlocked"
	case from == OktaDeprovisioned:
		return "user.lifecycle.reactivate", "Reactivate Okta user"
	}
	return "user.lifecycle.activate", "Activate Okta user"
}

// DeleteUser removes a person for good, deactivated first where they aren't yet, as Okta wants it. That they leave their
// groups is dated like any other change of members; Okta's documentation names no exception.
func (t *OktaTenant) DeleteUser(id string) error {
	if err := t.Deactivate(id); err != nil {
		return err
	}
	return t.commit(func(x *oktaTx) error {
		u, err := x.user(id)
		if err != nil {
			return err
		}
		if a := x.d.appUsers[id]; a != nil {
			x.dropAppUser(a)
		}
		for _, g := range slices.Clone(x.d.memberOf[id].all()) {
			x.do(setOktaMember(g, id, false), g)
			x.stampMembers(g)
		}
		x.do(setOktaUser(id, nil), id)
		x.log("user.lifecycle.delete.initiated", "Delete Okta user", u.target())
		x.log("user.lifecycle.delete.completed", "Okta user deleted", u.target())
		return nil
	})
}

func (x *oktaTx) dropAppUser(a *AppUser) {
	x.do(setAppUser(a.ID, nil), a.ID)
	x.dropped = append(x.dropped, a.ID)
	x.log("application.user_membership.remove", "Remove user's application membership", x.appUserTargets(a)...)
}

// settle makes or removes the application user that assigned groups call for.
func (x *oktaTx) settle(id string) {
	u, a := x.d.users[id], x.d.appUsers[id]
	through := x.d.byAssignedGroup(id)
	switch {
	case u == nil:
	case a == nil && through && u.Status != OktaDeprovisioned:
		x.addAppUser(u, false)
	case a != nil && !a.Direct && !through:
		x.dropAppUser(a)
	}
}

func (x *oktaTx) addAppUser(u *OktaUser, direct bool) {
	a := &AppUser{
		ID: u.ID, UserName: appUserName(u), Direct: direct, Status: AppProvisioned, Profile: appProfile(u),
		Created: x.now, LastUpdated: x.now, StatusChanged: x.now,
	}
	x.do(setAppUser(u.ID, a), u.ID)
	x.log("application.user_membership.add", "Add user to application membership", x.appUserTargets(a)...)
}

// AssignUser assigns people to the application themselves, as one change. Someone who was assigned through a group is
// then assigned both ways, with scope USER.
func (t *OktaTenant) AssignUser(ids ...string) error {
	return t.commit(func(x *oktaTx) error {
		for _, id := range ids {
			u, err := x.user(id)
			switch a := x.d.appUsers[id]; {
			case err != nil:
				return err
			case u.Status == OktaDeprovisioned:
				return fmt.Errorf("assign %s: %w", u.Profile.Login, errors.New("the user is deactivated"))
			case a == nil:
				x.addAppUser(u, true)
			case !a.Direct:
				direct := *a
				direct.Direct = true
				x.storeAppUser(*a, direct)
			}
		}
		return nil
	})
}

// UnassignUser takes people's own assignments away, as one change. Someone in an assigned group stays an application
// user, with scope GROUP.
func (t *OktaTenant) UnassignUser(ids ...string) error {
	return t.commit(func(x *oktaTx) error {
		for _, id := range ids {
			a := x.d.appUsers[id]
			if a == nil || !a.Direct {
				return fmt.Errorf("assignment of %s: %w", id, ErrNotFound)
			}
			if x.d.byAssignedGroup(id) {
				through := *a
				through.Direct = false
				x.storeAppUser(*a, through)
				continue
			}
			x.dropAppUser(a)
		}
		return nil
	})
}
