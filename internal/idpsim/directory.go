package idpsim

import (
	"slices"
	"strings"
	"time"
)

// User is a person in the directory, with the properties of Graph's "user resource type" that matter to provisioning.
type User struct {
	ObjectID          string
	UserPrincipalName string
	Mail              string
	MailNickname      string
	DisplayName       string
	GivenName         string
	Surname           string
	JobTitle          string
	Department        string
	Disabled          bool // accountEnabled is false
	Created           time.Time
}

// Group is a security group of the directory (Graph's "group resource type").
type Group struct {
	ObjectID    string
	DisplayName string
	Description string
	Created     time.Time
}

// Assignment ties a user or a group to the application (Graph's "appRoleAssignment resource type").
type Assignment struct {
	ID          string
	PrincipalID string
	Group       bool // the principal is a group
	Created     time.Time
}

type deletedUser struct {
	user User
	at   time.Time
}

// idset is a sorted set of ids: paging needs a stable order.
type idset struct{ ids []string }

func (s *idset) find(id string) (int, bool) {
	if s == nil {
		return 0, false
	}
	return slices.BinarySearch(s.ids, id)
}

func (s *idset) has(id string) bool { _, ok := s.find(id); return ok }

func (s *idset) set(id string, in bool) {
	i, ok := s.find(id)
	switch {
	case in && !ok:
		s.ids = slices.Insert(s.ids, i, id)
	case !in && ok:
		s.ids = slices.Delete(s.ids, i, i+1)
	}
}

// all returns the ids in order; the caller must not keep it past the tenant's lock.
func (s *idset) all() []string {
	if s == nil {
		return nil
	}
	return s.ids
}

// otherMails finds people by a mail address that isn't their user name, which finds most: folded address to ids.
type otherMails map[string]idset

func (m otherMails) set(mail, userName, id string, in bool) {
	mail = fold(mail)
	if mail == "" || mail == fold(userName) {
		return
	}
	s := m[mail]
	s.set(id, in)
	if m[mail] = s; len(s.ids) == 0 {
		delete(m, mail)
	}
}

// find returns whose address one of them is, sorted. named is who has it as user name, and same says whether it is their
// mail as well.
func (m otherMails) find(mails []string, named map[string]string, same func(id, mail string) bool) []string {
	var out []string
	for _, v := range mails {
		v = fold(v)
		if id := named[v]; id != "" && same(id, v) {
			out = append(out, id)
		}
		out = append(out, m[v].ids...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// directory is the state of a tenant. Users and groups are replaced, never altered in place, so that every step can be
// undone. Members hold soft-deleted users too: Entra hides them and gives them back on restore.
type directory struct {
	version  int // changes that led to it
	users    map[string]*User
	userIDs  idset
	upns     map[string]string // folded userPrincipalName to id
	mails    otherMails
	deleted  map[string]*deletedUser
	goneIDs  idset
	groups   map[string]*Group
	groupIDs idset
	members  map[string]*idset // by group: users and groups
	memberOf map[string]*idset // by user or group: the groups that hold it directly
	assigned map[string]*Assignment
	assigIDs idset // principals
}

func newDirectory() *directory {
	return &directory{
		users: map[string]*User{}, upns: map[string]string{}, mails: otherMails{}, deleted: map[string]*deletedUser{},
		groups: map[string]*Group{}, members: map[string]*idset{}, memberOf: map[string]*idset{},
		assigned: map[string]*Assignment{},
	}
}

type opKind int

const (
	opUser opKind = iota
	opDeleted
	opGroup
	opMember
	opAssign
)

// op is one reversible step. A nil value means that the entry goes.
type op struct {
	kind       opKind
	id         string
	user       *User
	gone       *deletedUser
	group      *Group
	assignment *Assignment
	member     string
	in         bool
}

// do applies o and returns the step that undoes it.
func (d *directory) do(o op) op {
	inverse := op{kind: o.kind, id: o.id, member: o.member}
	switch o.kind {
	case opUser:
		inverse.user = d.users[o.id]
		d.setUser(o.id, o.user)
	case opDeleted:
		inverse.gone = d.deleted[o.id]
		put(d.deleted, o.id, o.gone)
		d.goneIDs.set(o.id, o.gone != nil)
	case opGroup:
		inverse.group = d.groups[o.id]
		put(d.groups, o.id, o.group)
		d.groupIDs.set(o.id, o.group != nil)
	case opMember:
		inverse.in = d.members[o.id].has(o.member)
		edge(d.members, o.id, o.member, o.in)
		edge(d.memberOf, o.member, o.id, o.in)
	case opAssign:
		inverse.assignment = d.assigned[o.id]
		put(d.assigned, o.id, o.assignment)
		d.assigIDs.set(o.id, o.assignment != nil)
	}
	return inverse
}

func (d *directory) setUser(id string, u *User) {
	if old := d.users[id]; old != nil {
		delete(d.upns, fold(old.UserPrincipalName))
		d.mails.set(old.Mail, old.UserPrincipalName, id, false)
	}
	if u != nil {
		d.upns[fold(u.UserPrincipalName)] = id
		d.mails.set(u.Mail, u.UserPrincipalName, id, true)
	}
	put(d.users, id, u)
	d.userIDs.set(id, u != nil)
}

func put[V any](m map[string]*V, id string, v *V) {
	if v == nil {
		delete(m, id)
		return
	}
	m[id] = v
}

func edge(m map[string]*idset, from, to string, in bool) {
	s := m[from]
	if s == nil {
		s = &idset{}
		m[from] = s
	}
	s.set(to, in)
	if len(s.ids) == 0 {
		delete(m, from)
	}
}

func fold(s string) string { return strings.ToLower(s) }

// resolve finds a user by object id or userPrincipalName, as /users/{id} does.
func (d *directory) resolve(key string) *User {
	if u := d.users[key]; u != nil {
		return u
	}
	return d.users[d.upns[fold(key)]]
}

// reasons returns the principals by which a person is in scope: themselves, and every assigned group that holds them
// directly. "Only direct members of an assigned group are assigned" (How Application Provisioning works).
func (d *directory) reasons(userID string) []string {
	var out []string
	if d.assigned[userID] != nil {
		out = append(out, userID)
	}
	for _, g := range d.memberOf[userID].all() {
		if d.assigned[g] != nil {
			out = append(out, g)
		}
	}
	return out
}

// scope lists everyone in scope, enabled or not, in the order of their ids.
func (d *directory) scope() []string {
	seen := map[string]bool{}
	for _, p := range d.assigIDs.ids {
		if d.users[p] != nil {
			seen[p] = true
		}
		if d.groups[p] == nil {
			continue
		}
		for _, m := range d.members[p].all() {
			if d.users[m] != nil {
				seen[m] = true
			}
		}
	}
	out := make([]string, 0, len(seen))
	for id := range seen {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
