package connectortest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rosterd/rosterd/connectors"
)

// schedules is how many random schedules are run.
const schedules = 150

// testDeltaSchedules holds deltas against an oracle: whoever takes a cursor, pulls everything and merges every delta from
// then on knows what a fresh full pull finds. In every other schedule the directory also changes while it is read; nobody
// is restored in those, as a restoration between two pages can hide a membership (see entra's Delta).
func testDeltaSchedules(t *testing.T, start Factory) {
	for seed := range uint64(schedules) {
		if ok := t.Run(fmt.Sprint(seed), func(t *testing.T) { runSchedule(t, start, seed) }); !ok {
			return
		}
	}
}

func runSchedule(t *testing.T, start Factory, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	s := &schedule{world: newWorld(t, start, randomDirectory(rng)), rng: rng, moving: seed%2 == 1}
	cursor, err := s.delta.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := s.roster(t, s.onPage(t))
	for round := range 4 {
		onPage := s.onPage(t)
		if round == 3 {
			onPage = nil // the last delta and the pull find the directory at rest
		}
		s.change(t, s.rng.IntN(7))
		if _, cursor, err = known.follow(t.Context(), s.delta, connectors.Since{Cursor: cursor}, onPage); err != nil {
			t.Fatal(err)
		}
	}
	fresh := s.roster(t, nil)
	for _, d := range known.differs(fresh) {
		t.Error(d)
	}
	s.checkTruth(t, fresh)
	if t.Failed() {
		for _, line := range s.log {
			t.Log(line)
		}
	}
}

// randomDirectory returns a directory in which people are in scope in many ways.
func randomDirectory(rng *rand.Rand) Directory {
	var d Directory
	for i := range 12 + rng.IntN(10) {
		name := fmt.Sprintf("person%02d@contoso.example", i)
		d.People = append(d.People, Person{UserName: name, Email: "mail." + name, Disabled: rng.IntN(8) == 0, Assigned: rng.IntN(4) == 0})
	}
	for i := range 3 + rng.IntN(3) {
		g := Group{Name: fmt.Sprintf("Group %02d", i), Assigned: rng.IntN(3) > 0}
		for _, p := range d.People {
			if rng.IntN(3) == 0 {
				g.Members = append(g.Members, p.UserName)
			}
		}
		d.Groups = append(d.Groups, g)
	}
	return d
}

// schedule changes a world at random.
type schedule struct {
	*world
	rng    *rand.Rand
	moving bool // also while it is read
	made   int
	log    []string
}

// onPage returns what changes the directory between two pages.
func (s *schedule) onPage(t *testing.T) func(connectors.CollectionKind) error {
	t.Helper()
	if !s.moving {
		return nil
	}
	return func(kind connectors.CollectionKind) error {
		if s.rng.IntN(3) == 0 {
			s.log = append(s.log, "at a page of "+string(kind))
			s.change(t, 1)
		}
		return nil
	}
}

// change makes n changes.
func (s *schedule) change(t *testing.T, n int) {
	t.Helper()
	changes := []func(*testing.T) string{
		s.anyAttribute, s.anyAccount, s.anyAssignment, s.anyMembership, s.anyMembership, s.anyMembership, s.anyGroup, s.anyDeletion, s.anyNew,
	}
	for range n {
		if did := changes[s.rng.IntN(len(changes))](t); did != "" {
			s.log = append(s.log, did)
		}
	}
}

func (s *schedule) anyPerson() Person { return s.is.People[s.rng.IntN(len(s.is.People))] }

func (s *schedule) next() int { s.made++; return s.made }

func (s *schedule) anyAttribute(t *testing.T) string {
	t.Helper()
	p := s.anyPerson()
	s.setEmail(t, p.UserName, fmt.Sprintf("changed%d@contoso.example", s.next()))
	return "email of " + p.UserName
}

func (s *schedule) anyAccount(t *testing.T) string {
	t.Helper()
	p := s.anyPerson()
	s.setDisabled(t, p.UserName, !p.Disabled)
	return fmt.Sprintf("disable %s: %t", p.UserName, !p.Disabled)
}

func (s *schedule) anyAssignment(t *testing.T) string {
	t.Helper()
	p := s.anyPerson()
	s.setAssigned(t, p.UserName, !p.Assigned)
	return fmt.Sprintf("assign %s: %t", p.UserName, !p.Assigned)
}

func (s *schedule) anyMembership(t *testing.T) string {
	t.Helper()
	if len(s.is.Groups) == 0 {
		return ""
	}
	p, g := s.anyPerson(), s.is.Groups[s.rng.IntN(len(s.is.Groups))]
	if slices.Contains(g.Members, p.UserName) {
		s.removeMember(t, g.Name, p.UserName)
		return "remove " + p.UserName + " from " + g.Name
	}
	s.addMember(t, g.Name, p.UserName)
	return "add " + p.UserName + " to " + g.Name
}

func (s *schedule) anyGroup(t *testing.T) string {
	t.Helper()
	if len(s.is.Groups) == 0 {
		return ""
	}
	g := s.is.Groups[s.rng.IntN(len(s.is.Groups))]
	switch s.rng.IntN(5) {
	case 0:
		newName := fmt.Sprintf("Renamed %d", s.next())
		s.renameGroup(t, g.Name, newName)
		return "rename " + g.Name + " to " + newName
	case 1:
		s.deleteGroup(t, g.Name)
		return "delete " + g.Name
	default:
		s.setGroupAssigned(t, g.Name, !g.Assigned)
		return fmt.Sprintf("assign %s: %t", g.Name, !g.Assigned)
	}
}

func (s *schedule) anyDeletion(t *testing.T) string {
	t.Helper()
	if s.do.Restore != nil && !s.moving && len(s.deleted) > 0 && s.rng.IntN(3) > 0 {
		names := make([]string, 0, len(s.deleted))
		for name := range s.deleted {
			names = append(names, name)
		}
		slices.Sort(names)
		name := names[s.rng.IntN(len(names))]
		s.restore(t, name)
		return "restore " + name
	}
	if len(s.is.People) < 5 {
		return ""
	}
	p := s.anyPerson()
	s.delete(t, p.UserName)
	return "delete " + p.UserName
}

func (s *schedule) anyNew(t *testing.T) string {
	t.Helper()
	if s.rng.IntN(3) > 0 {
		name := fmt.Sprintf("new%d@contoso.example", s.next())
		s.addPerson(t, Person{UserName: name, Email: "mail." + name, Assigned: s.rng.IntN(2) == 0})
		return "new person " + name
	}
	g := Group{Name: fmt.Sprintf("New %d", s.next()), Assigned: s.rng.IntN(2) == 0}
	for range s.rng.IntN(4) {
		if p := s.anyPerson(); !slices.Contains(g.Members, p.UserName) {
			g.Members = append(g.Members, p.UserName)
		}
	}
	s.addGroup(t, g)
	return fmt.Sprintf("new group %s of %v, assigned %t", g.Name, g.Members, g.Assigned)
}
