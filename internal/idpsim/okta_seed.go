package idpsim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// oktaSeeder fills an org before it is shared. It appends ids unsorted and sorts once, so that any size is quick.
type oktaSeeder struct {
	d       *oktaDirectory
	cfg     OktaConfig
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

func seedOkta(d *oktaDirectory, cfg OktaConfig, rng *rand.Rand) {
	s := &oktaSeeder{
		d: d, cfg: cfg, rng: rng, created: oktaEpoch(), taken: map[string]bool{}, next: map[string]int{}, given: givenNames(),
		family: surnames(), titles: jobTitles(), names: groupNames(),
	}
	members := s.people(cfg.Members)
	off := s.people(s.offCount())
	outsiders := s.people(share(cfg.Outsiders, cfg.Members, 10))
	pushed := s.groups(cfg.Groups)
	s.fill(pushed, append(slices.Clone(members), off...), outsiders)
	s.push(pushed, PushActive)
	assigned := s.assignedGroups(pushed)
	s.apply(append(slices.Clone(members), off...), assigned)
	s.switchOff(off)
	s.vary(members)
	if cfg.Groups > 0 {
		paused := s.group("Alumni")
		s.join(paused, members[:min(3, len(members))])
		s.push([]string{paused}, PushInactive)
		s.join(s.group("Coffee Club"), append(slices.Clone(outsiders), members[:min(5, len(members))]...))
	}
	s.sort()
}

// offCount makes sure that an org of some size has every kind of switched-off person.
func (s *oktaSeeder) offCount() int {
	n := share(s.cfg.Off, s.cfg.Members, 50)
	if s.cfg.Off == 0 && s.cfg.Members >= 20 {
		n = max(n, len(offKinds()))
	}
	return n
}

// offKind is one way of being an application user who should have no account.
type offKind struct {
	user OktaStatus
	app  AppStatus
}

func offKinds() []offKind {
	return []offKind{
		{OktaSuspended, AppProvisioned}, {OktaStaged, AppProvisioned}, {OktaDeprovisioned, AppDeprovisioned},
		{OktaActive, AppSuspended}, {OktaActive, AppDeprovisioned},
	}
}

func (s *oktaSeeder) people(n int) []string {
	out := make([]string, 0, n)
	for range n {
		u := s.person()
		s.d.users[u.ID] = u
		s.d.logins[fold(u.Profile.Login)] = u.ID
		s.d.userIDs.ids = append(s.d.userIDs.ids, u.ID)
		out = append(out, u.ID)
	}
	return out
}

func (s *oktaSeeder) person() *OktaUser {
	given, family := s.given[s.rng.IntN(len(s.given))], s.family[s.rng.IntN(len(s.family))]
	login := s.address(given.ascii+"."+family.ascii) + "@" + s.cfg.Domain
	at := s.created.Add(time.Duration(len(s.d.userIDs.ids)) * time.Minute)
	return &OktaUser{
		ID: oktaID("00u", s.rng), Status: OktaActive, Created: at, Activated: at, StatusChanged: at, LastUpdated: at,
		Profile: OktaProfile{
			Login: login, Email: login, FirstName: given.written, LastName: family.written,
			DisplayName: given.written + " " + family.written, Title: s.titles[s.rng.IntN(len(s.titles))],
			Department: s.names[s.rng.IntN(len(s.names))], Locale: "en_US",
		},
	}
}

// address returns base, or base with the first number that makes it unique.
func (s *oktaSeeder) address(base string) string {
	out := base
	for i := max(2, s.next[base]); s.taken[out]; i++ { // no address is given back, so that lower numbers are taken
		out, s.next[base] = base+strconv.Itoa(i), i
	}
	s.taken[out] = true
	return out
}

// groups adds n groups whose names are unique.
func (s *oktaSeeder) groups(n int) []string {
	places := cities()
	out := make([]string, 0, n)
	for i := range n {
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

func (s *oktaSeeder) group(title string) string {
	at := s.created.Add(time.Duration(len(s.d.groupIDs.ids)) * time.Hour)
	g := &OktaGroup{
		ID: oktaID("00g", s.rng), Name: title, Description: "Everyone in " + title, Created: at, LastUpdated: at,
		LastMembershipUpdated: at,
	}
	s.d.groups[g.ID] = g
	s.d.groupIDs.ids = append(s.d.groupIDs.ids, g.ID)
	return g.ID
}

func (s *oktaSeeder) join(group string, people []string) {
	for _, id := range people {
		for _, e := range []struct {
			m        map[string]*idset
			from, to string
		}{{s.d.members, group, id}, {s.d.memberOf, id, group}} {
			if e.m[e.from] == nil {
				e.m[e.from] = &idset{}
			}
			e.m[e.from].ids = append(e.m[e.from].ids, e.to)
		}
	}
}

// fill puts people into the pushed groups: the first holds two fifths of them, each further one less, none fewer than
// three. Every second outsider is in one of them, though not in the last, which may be assigned as well: a member of a
// pushed group who is no application user.
func (s *oktaSeeder) fill(groups, people, outsiders []string) {
	s.drawn = make([]int, len(people))
	for i, g := range groups {
		size := min(len(people), max(3, len(people)*2/(5+3*i)))
		for picked := 0; picked < size; {
			if n := s.rng.IntN(len(people)); s.drawn[n] != i+1 {
				s.drawn[n], picked = i+1, picked+1
				s.join(g, people[n:n+1])
			}
		}
		for j, id := range outsiders {
			if j%2 == 0 && (j/2)%max(len(groups)-1, 1) == i {
				s.join(g, []string{id})
			}
		}
	}
}

func (s *oktaSeeder) push(groups []string, status PushStatus) {
	for _, id := range groups {
		s.d.mappings[id] = &PushMapping{
			ID: oktaID("gPm", s.rng), SourceGroupID: id, TargetGroupID: oktaID("00g", s.rng), Status: status,
			Created: s.created, LastUpdated: s.created,
		}
		s.d.mappingIDs.ids = append(s.d.mappingIDs.ids, id)
	}
}

// assignedGroups adds the groups that are assigned: access groups of their own, which are not pushed, and of five pushed
// groups or more the smallest, against Okta's advice.
func (s *oktaSeeder) assignedGroups(pushed []string) []string {
	var out []string
	for i := range share(s.cfg.AssignedGroups, s.cfg.Groups, 3) {
		out = append(out, s.group(fmt.Sprintf("%s access %d", s.cfg.AppName, i+1)))
	}
	overlap := out
	if len(pushed) >= 5 && len(out) > 0 {
		overlap = append(slices.Clone(out), pushed[len(pushed)-1])
	}
	for i, id := range overlap {
		s.d.assigned[id] = &GroupAssignment{GroupID: id, Priority: i, LastUpdated: s.created}
		s.d.assignIDs.ids = append(s.d.assignIDs.ids, id)
		for _, m := range s.d.members[id].all() {
			s.appUser(m, false)
		}
	}
	return out
}

// apply makes everyone an application user: every seventh person by an assignment of their own, all others by a group.
func (s *oktaSeeder) apply(people, groups []string) {
	for i, id := range people {
		direct := i%7 == 3 || len(groups) == 0
		if !direct {
			s.join(groups[s.rng.IntN(len(groups))], []string{id})
		}
		s.appUser(id, direct)
	}
}

func (s *oktaSeeder) appUser(id string, direct bool) {
	if a := s.d.appUsers[id]; a != nil {
		a.Direct = a.Direct || direct
		return
	}
	u := s.d.users[id]
	s.d.appUsers[id] = &AppUser{
		ID: id, UserName: appUserName(u), Direct: direct, Status: AppProvisioned, Profile: appProfile(u),
		Created: u.Created, LastUpdated: u.LastUpdated, StatusChanged: u.Created,
	}
	s.d.appUserIDs.ids = append(s.d.appUserIDs.ids, id)
}

func (s *oktaSeeder) switchOff(people []string) {
	kinds := offKinds()
	for i, id := range people {
		k := kinds[i%len(kinds)]
		s.d.users[id].Status, s.d.appUsers[id].Status = k.user, k.app
		if k.user == OktaStaged {
			s.d.users[id].Activated = time.Time{}
		}
	}
}

// vary gives some people another of the enabled statuses, and some an application profile that isn't what the mapping
// makes of their own.
func (s *oktaSeeder) vary(people []string) {
	statuses := []OktaStatus{OktaPasswordExpired, OktaLockedOut, OktaRecovery, OktaProvisioned}
	for i, id := range people {
		u, a := s.d.users[id], s.d.appUsers[id]
		if i%9 == 4 {
			u.Status = statuses[i/9%len(statuses)]
		}
		switch {
		case i%20 == 5:
			a.UserName = "app." + a.UserName
		case i%20 == 10:
			a.Profile.DisplayName += " (" + u.Profile.Department + ")"
		case i%20 == 15:
			a.Profile.Email = s.address(fmt.Sprintf("mail%d", i)) + "@" + s.cfg.Domain
		}
		if i%40 == 7 {
			a.Status = AppActive
		}
	}
}

func (s *oktaSeeder) sort() {
	d := s.d
	sets := []*idset{&d.userIDs, &d.groupIDs, &d.appUserIDs, &d.assignIDs, &d.mappingIDs}
	for _, m := range []map[string]*idset{d.members, d.memberOf} {
		for _, set := range m {
			sets = append(sets, set)
		}
	}
	for _, set := range sets {
		slices.Sort(set.ids)
	}
}
