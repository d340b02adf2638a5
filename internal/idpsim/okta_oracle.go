package idpsim

import "slices"

// OktaPerson is someone who should have an account, as the application is told of them: UserName is credentials.userName
// and the rest the application profile.
type OktaPerson struct {
	ObjectID string
	UserName string
	AppProfile
}

// Desired returns everyone who should have an account now, ordered by object id: the application users whose own status
// and that of their assignment are enabled. Suspended people are off.
func (t *OktaTenant) Desired() []OktaPerson {
	var out []OktaPerson
	t.view(0, func(d *oktaDirectory) {
		for _, id := range d.appUserIDs.ids {
			if a := d.appUsers[id]; d.wanted(id) {
				out = append(out, OktaPerson{ObjectID: id, UserName: a.UserName, AppProfile: a.Profile})
			}
		}
	})
	return out
}

// DesiredTeams returns the groups with an active push mapping, assigned or not, with those of their members who should
// have an account, ordered by object id. A mapping whose latest push failed (PushError) counts: the administrator has not
// switched it off.
func (t *OktaTenant) DesiredTeams() []Team {
	var out []Team
	t.view(0, func(d *oktaDirectory) {
		for _, id := range d.mappingIDs.ids {
			g := d.groups[id]
			if g == nil || d.mappings[id].Status == PushInactive {
				continue
			}
			team := Team{ObjectID: id, DisplayName: g.Name}
			for _, m := range d.members[id].all() {
				if d.wanted(m) {
					team.Members = append(team.Members, m)
				}
			}
			out = append(out, team)
		}
	})
	return out
}

// User returns a person by id or login.
func (t *OktaTenant) User(key string) (OktaUser, bool) {
	var u *OktaUser
	t.view(0, func(d *oktaDirectory) { u = d.resolve(key) })
	if u == nil {
		return OktaUser{}, false
	}
	return *u, true
}

// Users returns everyone in the org, application user or not, ordered by id.
func (t *OktaTenant) Users() []OktaUser {
	return values(t, func(d *oktaDirectory) (map[string]*OktaUser, []string) { return d.users, d.userIDs.ids })
}

// Group returns a group by id or name.
func (t *OktaTenant) Group(key string) (OktaGroup, bool) {
	for _, g := range t.Groups() {
		if g.ID == key || g.Name == key {
			return g, true
		}
	}
	return OktaGroup{}, false
}

// Groups returns every group of the org, ordered by id.
func (t *OktaTenant) Groups() []OktaGroup {
	return values(t, func(d *oktaDirectory) (map[string]*OktaGroup, []string) { return d.groups, d.groupIDs.ids })
}

// AppUser returns a person's assignment to the application.
func (t *OktaTenant) AppUser(id string) (AppUser, bool) {
	var a *AppUser
	t.view(0, func(d *oktaDirectory) { a = d.appUsers[id] })
	if a == nil {
		return AppUser{}, false
	}
	return *a, true
}

// AppUsers returns every application user, enabled or not, ordered by id.
func (t *OktaTenant) AppUsers() []AppUser {
	return values(t, func(d *oktaDirectory) (map[string]*AppUser, []string) { return d.appUsers, d.appUserIDs.ids })
}

// AssignedGroups returns the groups that are assigned to the application, ordered by id.
func (t *OktaTenant) AssignedGroups() []GroupAssignment {
	return values(t, func(d *oktaDirectory) (map[string]*GroupAssignment, []string) { return d.assigned, d.assignIDs.ids })
}

// PushMappings returns every push mapping, ordered by source group.
func (t *OktaTenant) PushMappings() []PushMapping {
	return values(t, func(d *oktaDirectory) (map[string]*PushMapping, []string) { return d.mappings, d.mappingIDs.ids })
}

// Members returns the ids of a group's members, sorted.
func (t *OktaTenant) Members(group string) []string {
	var out []string
	t.view(0, func(d *oktaDirectory) { out = slices.Clone(d.members[group].all()) })
	return out
}

// ExternalID returns the id that an application user shows as externalId: the account that provisioning has linked it to,
// or "".
func (t *OktaTenant) ExternalID(id string) string { return t.syncOf(id).externalID }

// SetExternalID links an application user to an account, as an import does; "" unlinks it.
func (t *OktaTenant) SetExternalID(id, externalID string) {
	t.state.Lock()
	defer t.state.Unlock()
	t.syncs[id] = appSync{externalID: externalID, at: t.cfg.Now().UTC()}
	if externalID == "" {
		delete(t.syncs, id)
	}
}

func values[V any](t *OktaTenant, of func(d *oktaDirectory) (map[string]*V, []string)) []V {
	var out []V
	t.view(0, func(d *oktaDirectory) {
		m, ids := of(d)
		out = make([]V, 0, len(ids))
		for _, id := range ids {
			out = append(out, *m[id])
		}
	})
	return out
}
