package idpsim

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// newID returns a version 4 UUID made from rng.
func newID(rng *rand.Rand) string {
	a, b := rng.Uint64(), rng.Uint64()
	a = a&^0xf000 | 0x4000
	b = b&^(0xc<<60) | 0x8<<60
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}

// assignmentID returns an id of the shape that Graph gives appRoleAssignments: 43 characters of base64url.
func assignmentID(principal string) string {
	sum := sha256.Sum256([]byte("appRoleAssignment " + principal))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// seeder fills a directory before it is shared. It appends ids unsorted and sorts once, so that any size is quick.
type seeder struct {
	d       *directory
	cfg     Config
	rng     *rand.Rand
	created time.Time
	taken   map[string]bool // addresses
	next    map[string]int  // the number to try next for a base of addresses
	drawn   []int           // by person: the group that drew them last
	given   []name
	family  []name
	titles  []string
	names   []string // of departments
}

func seed(d *directory, cfg Config, rng *rand.Rand) {
	s := &seeder{
		d: d, cfg: cfg, rng: rng, created: time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC),
		taken: map[string]bool{}, next: map[string]int{}, given: givenNames(), family: surnames(), titles: jobTitles(), names: groupNames(),
	}
	everyone := max(0, cfg.Members) + share(cfg.Disabled, cfg.Members, 50) + share(cfg.Outsiders, cfg.Members, 10)
	d.users, d.upns = make(map[string]*User, everyone), make(map[string]string, everyone) // one growth less at any size
	d.memberOf = make(map[string]*idset, everyone)
	members := s.people(cfg.Members, false)
	disabled := s.people(share(cfg.Disabled, cfg.Members, 50), true)
	outsiders := s.people(share(cfg.Outsiders, cfg.Members, 10), false)
	groups := s.groups(cfg.Groups, 0)
	s.fill(groups, members)
	s.assign(groups, true)
	s.scope(groups, append(slices.Clone(disabled), members...))
	s.unassigned(groups, members, outsiders)
	s.sort()
}

// share returns an explicit count, none for a negative one, or for 0 the n-th part of whole, rounded up.
func share(count, whole, n int) int {
	switch {
	case count > 0:
		return count
	case count < 0:
		return 0
	}
	return (whole + n - 1) / n
}

func (s *seeder) people(n int, disabled bool) []string {
	out := make([]string, 0, n)
	for range n {
		u := s.person()
		u.Disabled = disabled
		s.d.users[u.ObjectID] = u
		s.d.upns[fold(u.UserPrincipalName)] = u.ObjectID
		s.d.mails.set(u.Mail, u.UserPrincipalName, u.ObjectID, true)
		s.d.userIDs.ids = append(s.d.userIDs.ids, u.ObjectID)
		out = append(out, u.ObjectID)
	}
	return out
}

func (s *seeder) person() *User {
	given, family := s.given[s.rng.IntN(len(s.given))], s.family[s.rng.IntN(len(s.family))]
	local := s.address(given.ascii + "." + family.ascii)
	upn := local + "@" + s.cfg.Domain
	u := &User{
		ObjectID: newID(s.rng), UserPrincipalName: upn, MailNickname: upn[:len(local)], // which shares its memory
		GivenName: given.written, Surname: family.written, DisplayName: given.written + " " + family.written,
		JobTitle: s.titles[s.rng.IntN(len(s.titles))], Department: s.names[s.rng.IntN(len(s.names))],
		Created: s.created.Add(time.Duration(len(s.d.userIDs.ids)) * time.Minute),
	}
	u.Mail = u.UserPrincipalName
	if s.rng.IntN(20) == 0 { // some have another address, as in any old tenant
		u.Mail = s.address(given.ascii[:1]+family.ascii) + "@" + s.cfg.Domain
	}
	return u
}

// address returns base, or base with the first number that makes it unique.
func (s *seeder) address(base string) string {
	out := base
	for i := max(2, s.next[base]); s.taken[out]; i++ { // no address is given back, so that lower numbers are taken
		out, s.next[base] = base+strconv.Itoa(i), i
	}
	s.taken[out] = true
	return out
}

// groups adds n groups whose names are unique, beginning with the skip-th name.
func (s *seeder) groups(n, skip int) []string {
	places := cities()
	out := make([]string, 0, n)
	for i := skip; i < skip+n; i++ {
		title := s.names[i%len(s.names)]
		if round := i / len(s.names); round > 0 {
			title += " " + places[(round-1)%len(places)]
			if again := (round - 1) / len(places); again > 0 {
				title += fmt.Sprintf(" %d", again+1)
			}
		}
		out = append(out, s.group(title))
	}
	return out
}

func (s *seeder) group(title string) string {
	g := &Group{
		ObjectID: newID(s.rng), DisplayName: title, Description: "Everyone in " + title,
		Created: s.created.Add(time.Duration(len(s.d.groupIDs.ids)) * time.Hour),
	}
	s.d.groups[g.ObjectID] = g
	s.d.groupIDs.ids = append(s.d.groupIDs.ids, g.ObjectID)
	return g.ObjectID
}

func (s *seeder) join(groupID, principal string) {
	for _, e := range []struct {
		m        map[string]*idset
		from, to string
	}{{s.d.members, groupID, principal}, {s.d.memberOf, principal, groupID}} {
		if e.m[e.from] == nil {
			e.m[e.from] = &idset{}
		}
		e.m[e.from].ids = append(e.m[e.from].ids, e.to)
	}
}

// fill puts people into groups: the first group holds two fifths of them, each further one less, none fewer than three.
func (s *seeder) fill(groups, people []string) {
	s.drawn = make([]int, len(people))
	for i, g := range groups {
		size := min(len(people), max(3, len(people)*2/(5+3*i)))
		for picked := 0; picked < size; {
			if n := s.rng.IntN(len(people)); s.drawn[n] != i+1 {
				s.drawn[n], picked = i+1, picked+1
				s.join(g, people[n])
			}
		}
	}
}

// scope brings everyone into scope: every seventh person by an assignment of their own, all others by a group.
func (s *seeder) scope(groups, people []string) {
	var direct []string
	for i, id := range people {
		switch {
		case i%7 == 3 || len(groups) == 0:
			direct = append(direct, id)
		case s.d.memberOf[id] == nil:
			s.join(groups[s.rng.IntN(len(groups))], id)
		}
	}
	s.assign(direct, false)
}

func (s *seeder) assign(principals []string, group bool) {
	for _, id := range principals {
		s.d.assigned[id] = &Assignment{ID: assignmentID(id), PrincipalID: id, Group: group, Created: s.created}
		s.d.assigIDs.ids = append(s.d.assigIDs.ids, id)
	}
}

// unassignedMost bounds the groups that aren't assigned: in a tenant of a million they would hold most memberships.
const unassignedMost = 5000

// unassigned adds groups that aren't assigned: a sixth more, and one that is nested in the first assigned group. Half of
// the outsiders are in the nested one, which puts none of them in scope.
func (s *seeder) unassigned(groups, members, outsiders []string) {
	if len(groups) == 0 {
		return
	}
	for i, g := range s.groups(share(0, len(groups), 6), len(groups)) {
		for j := i % 11; j < min(len(members), 11*unassignedMost); j += 11 {
			s.join(g, members[j])
		}
	}
	nested := s.group("All " + strings.TrimSpace(s.d.groups[groups[0]].DisplayName) + " Contractors")
	for _, id := range outsiders[:(len(outsiders)+1)/2] {
		s.join(nested, id)
	}
	s.join(groups[0], nested)
}

func (s *seeder) sort() {
	sets := []*idset{&s.d.userIDs, &s.d.groupIDs, &s.d.assigIDs}
	for _, m := range []map[string]*idset{s.d.members, s.d.memberOf} {
		for _, set := range m {
			sets = append(sets, set)
		}
	}
	for _, set := range sets {
		slices.Sort(set.ids)
	}
}
