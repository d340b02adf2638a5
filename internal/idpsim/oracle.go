package idpsim

import "slices"

// Person is someone who should have an account: in scope, enabled and not deleted.
type Person struct {
	ObjectID          string
	UserPrincipalName string
	Mail              string
	MailNickname      string
	DisplayName       string
	GivenName         string
	Surname           string
}

// Team is an assigned group. Members are the object ids of its direct members who should have an account, sorted.
type Team struct {
	ObjectID    string
	DisplayName string
	Members     []string
}

// Desired returns everyone who should have an account now, ordered by object id: what a complete reconciliation must
// reach.
func (t *Tenant) Desired() []Person {
	var out []Person
	by := t.scoping()
	t.view(0, func(d *directory) {
		for _, id := range by.people(d) {
			if u := d.users[id]; !u.Disabled {
				out = append(out, Person{
					ObjectID: u.ObjectID, UserPrincipalName: u.UserPrincipalName, Mail: u.Mail,
					MailNickname: u.MailNickname, DisplayName: u.DisplayName, GivenName: u.GivenName, Surname: u.Surname,
				})
			}
		}
	})
	return out
}

// DesiredTeams returns the assigned groups with the members they should have, ordered by object id.
func (t *Tenant) DesiredTeams() []Team {
	var out []Team
	by := t.scoping()
	t.view(0, func(d *directory) {
		for _, id := range by.teams(d) {
			team := Team{ObjectID: id, DisplayName: d.groups[id].DisplayName}
			for _, m := range d.members[id].all() {
				if u := d.users[m]; u != nil && !u.Disabled && by.user(d, m) {
					team.Members = append(team.Members, m)
				}
			}
			out = append(out, team)
		}
	})
	return out
}

// User returns a person by object id or userPrincipalName; soft-deleted people are not found.
func (t *Tenant) User(key string) (User, bool) {
	var u *User
	t.view(0, func(d *directory) { u = d.resolve(key) })
	if u == nil {
		return User{}, false
	}
	return *u, true
}

// Users returns everyone in the directory, assigned or not, ordered by object id.
func (t *Tenant) Users() []User {
	var out []User
	t.view(0, func(d *directory) {
		for _, id := range d.userIDs.ids {
			out = append(out, *d.users[id])
		}
	})
	return out
}

// Group returns a group by object id or display name.
func (t *Tenant) Group(key string) (Group, bool) {
	var found *Group
	t.view(0, func(d *directory) {
		found = d.groups[key]
		for _, id := range d.groupIDs.ids {
			if found == nil && d.groups[id].DisplayName == key {
				found = d.groups[id]
			}
		}
	})
	if found == nil {
		return Group{}, false
	}
	return *found, true
}

// Groups returns every group of the directory, assigned or not, ordered by object id.
func (t *Tenant) Groups() []Group {
	var out []Group
	t.view(0, func(d *directory) {
		for _, id := range d.groupIDs.ids {
			out = append(out, *d.groups[id])
		}
	})
	return out
}

// Members returns the object ids of a group's direct members, users and groups, sorted; soft-deleted people are left
// out.
func (t *Tenant) Members(groupID string) []string {
	var out []string
	t.view(0, func(d *directory) {
		for _, id := range d.members[groupID].all() {
			if d.users[id] != nil || d.groups[id] != nil {
				out = append(out, id)
			}
		}
	})
	return out
}

// Assignments returns who and what is assigned to the application, ordered by principal.
func (t *Tenant) Assignments() []Assignment {
	var out []Assignment
	t.view(0, func(d *directory) {
		for _, id := range d.assigIDs.ids {
			out = append(out, *d.assigned[id])
		}
	})
	return out
}

// Scope returns the principals by which a person is in scope: their own object id where they are assigned directly, and
// the assigned groups that hold them directly. It is empty for someone who is out of scope.
func (t *Tenant) Scope(userID string) []string {
	var out []string
	t.view(0, func(d *directory) {
		if d.users[userID] != nil {
			out = slices.Clone(d.reasons(userID))
		}
	})
	return out
}
