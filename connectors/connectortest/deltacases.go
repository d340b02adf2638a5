package connectortest

import (
	"testing"

	"github.com/rosterd/rosterd/connectors"
)

// The directory of the delta cases. Small knows the people by what they are in it.
const (
	direct    = "direct@contoso.example"    // assigned directly
	grouped   = "grouped@contoso.example"   // in Red
	twice     = "twice@contoso.example"     // assigned directly, and in Red
	inBoth    = "inboth@contoso.example"    // in Red and in Blue
	off       = "off@contoso.example"       // in Red, disabled
	outside   = "outside@contoso.example"   // in Grey, which is not assigned
	elsewhere = "elsewhere@contoso.example" // nowhere
)

// small returns the directory, with enough people beside those for lists of several pages.
func small() Directory {
	d := Directory{Groups: []Group{
		{Name: "Red", Assigned: true, Members: []string{grouped, twice, inBoth, off}},
		{Name: "Blue", Assigned: true, Members: []string{inBoth}},
		{Name: "Grey", Members: []string{outside}},
	}}
	for _, name := range []string{direct, grouped, twice, inBoth, off, outside, elsewhere} {
		d.People = append(d.People, Person{UserName: name, Email: "mail." + name})
	}
	d.People[0].Assigned, d.People[2].Assigned, d.People[4].Disabled = true, true, true
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		p := Person{UserName: name + "@contoso.example", Email: "mail." + name + "@contoso.example", Assigned: true}
		d.People = append(d.People, p)
		d.Groups[0].Members = append(d.Groups[0].Members, p.UserName)
	}
	return d
}

// deltaCase is one change of the small directory between a full pull and a delta. Whatever the case, what is known
// afterwards has to be what is there.
type deltaCase struct {
	change func(t *testing.T, w *world)
	// people and groups are those of whom the delta may say something, besides that they are assigned.
	people, groups []string
	check          func(t *testing.T, w *world, said *DeltaRecorder)
}

// read checks that people are handed over, with the reason of their scope where they have come into it.
func read(names ...string) func(*testing.T, *world, *DeltaRecorder) {
	return func(t *testing.T, w *world, said *DeltaRecorder) {
		t.Helper()
		for _, name := range names {
			id := w.ObjectID(name)
			u, found := said.User(id)
			if !found || u.Gone != "" {
				t.Errorf("%s is not handed over as there: %t, %+v", name, found, u)
			}
			if !said.PeopleKnown[id] && u.Scope == "" {
				t.Errorf("%s has come into scope, and nothing says why", name)
			}
		}
	}
}

// deltaCases returns the changes of people, then those of groups.
func deltaCases() map[string]deltaCase {
	cases := peopleCases()
	for name, c := range groupCases() {
		cases[name] = c
	}
	return cases
}

func peopleCases() map[string]deltaCase {
	const joiner = "joiner@contoso.example"
	return map[string]deltaCase{
		"nothing changed": {change: func(*testing.T, *world) {}},
		"an attribute": {
			change: func(t *testing.T, w *world) { w.setEmail(t, grouped, "new@contoso.example") },
			people: []string{grouped}, check: read(grouped),
		},
		"an attribute of someone out of scope": {change: func(t *testing.T, w *world) {
			w.setEmail(t, outside, "new@contoso.example")
		}},
		"an account was disabled": {
			change: func(t *testing.T, w *world) { w.setDisabled(t, direct, true) },
			people: []string{direct}, check: read(direct),
		},
		"an account was enabled": {
			change: func(t *testing.T, w *world) { w.setDisabled(t, off, false) },
			people: []string{off}, check: read(off),
		},
		"someone assigned was deleted": {
			change: func(t *testing.T, w *world) { w.delete(t, direct) }, people: []string{direct},
			check: func(t *testing.T, w *world, said *DeltaRecorder) {
				t.Helper()
				if u, _ := said.User(w.ObjectID(direct)); u.Gone == "" && !said.wholeOf(connectors.Users, "") {
					t.Error("nothing says that they have left")
				}
			},
		},
		"a member was deleted": {
			change: func(t *testing.T, w *world) { w.delete(t, inBoth) }, people: []string{inBoth}, groups: []string{"Red", "Blue"},
		},
		"someone was assigned": {
			change: func(t *testing.T, w *world) { w.setAssigned(t, elsewhere, true) },
			people: []string{elsewhere}, check: read(elsewhere),
		},
		"someone was unassigned": {
			change: func(t *testing.T, w *world) { w.setAssigned(t, direct, false) }, people: []string{direct},
			check: func(t *testing.T, w *world, said *DeltaRecorder) {
				t.Helper()
				if said.people[w.ObjectID(direct)] {
					t.Error("they still stand in the assignment list")
				}
			},
		},
		"a member was unassigned": {
			change: func(t *testing.T, w *world) { w.setAssigned(t, twice, false) }, people: []string{twice},
		},
		"a member was assigned as well": {
			change: func(t *testing.T, w *world) { w.setAssigned(t, grouped, true) }, people: []string{grouped},
		},
		"someone new": {
			change: func(t *testing.T, w *world) {
				w.addPerson(t, Person{UserName: joiner, Email: joiner, Assigned: true})
				w.addMember(t, "Blue", joiner)
			},
			people: []string{joiner}, groups: []string{"Blue"}, check: read(joiner),
		},
		"someone new whom nobody assigned": {change: func(t *testing.T, w *world) {
			w.addPerson(t, Person{UserName: joiner, Email: joiner})
		}},
	}
}

func groupCases() map[string]deltaCase {
	return map[string]deltaCase{
		"someone unknown was added": {
			change: func(t *testing.T, w *world) { w.addMember(t, "Blue", elsewhere) },
			people: []string{elsewhere}, groups: []string{"Blue"}, check: read(elsewhere),
		},
		"someone known was added": {
			change: func(t *testing.T, w *world) { w.addMember(t, "Blue", direct) }, people: []string{direct}, groups: []string{"Blue"},
		},
		"a member was removed": {
			change: func(t *testing.T, w *world) { w.removeMember(t, "Red", grouped) }, people: []string{grouped}, groups: []string{"Red"},
			check: func(t *testing.T, w *world, said *DeltaRecorder) {
				t.Helper()
				if !said.hasLeft(w.ObjectID("Red"), w.ObjectID(grouped)) {
					t.Error("nothing says that they left the group")
				}
			},
		},
		"a member of two was removed from one": {
			change: func(t *testing.T, w *world) { w.removeMember(t, "Blue", inBoth) }, people: []string{inBoth}, groups: []string{"Blue"},
		},
		"a member was moved": {
			change: func(t *testing.T, w *world) { w.removeMember(t, "Red", grouped); w.addMember(t, "Blue", grouped) },
			people: []string{grouped}, groups: []string{"Red", "Blue"},
		},
		"a member was added and removed again": {
			change: func(t *testing.T, w *world) { w.addMember(t, "Blue", elsewhere); w.removeMember(t, "Blue", elsewhere) },
			people: []string{elsewhere}, groups: []string{"Blue"},
		},
		"a member was removed and added again": {
			change: func(t *testing.T, w *world) { w.removeMember(t, "Red", grouped); w.addMember(t, "Red", grouped) },
			people: []string{grouped}, groups: []string{"Red"},
		},
		"a group was renamed": {
			change: func(t *testing.T, w *world) { w.renameGroup(t, "Blue", "Navy") }, groups: []string{"Navy"},
		},
		"a group was assigned": {
			change: func(t *testing.T, w *world) { w.setGroupAssigned(t, "Grey", true) },
			people: []string{outside}, groups: []string{"Grey"}, check: groupRead("Grey", outside),
		},
		"a new group was assigned": {
			change: func(t *testing.T, w *world) {
				w.addGroup(t, Group{Name: "Green", Assigned: true, Members: []string{elsewhere, direct}})
			},
			people: []string{elsewhere, direct}, groups: []string{"Green"}, check: groupRead("Green", elsewhere),
		},
		"a group was unassigned": {
			change: func(t *testing.T, w *world) { w.setGroupAssigned(t, "Blue", false) }, people: []string{inBoth},
			check: func(t *testing.T, w *world, said *DeltaRecorder) {
				t.Helper()
				if said.teams[w.ObjectID("Blue")] {
					t.Error("it still stands in the assignment list")
				}
			},
		},
		"a group was deleted": {change: func(t *testing.T, w *world) { w.deleteGroup(t, "Blue") }, people: []string{inBoth}},
		"a group that isn't assigned changed": {change: func(t *testing.T, w *world) {
			w.renameGroup(t, "Grey", "Slate")
			w.addMember(t, "Slate", elsewhere)
		}},
	}
}

// groupRead checks that a group was read whole, and that somebody in it was handed over.
func groupRead(group, member string) func(*testing.T, *world, *DeltaRecorder) {
	return func(t *testing.T, w *world, said *DeltaRecorder) {
		t.Helper()
		id := w.ObjectID(group)
		if l, found := said.ListOf(connectors.Members, id); !found || !l.Whole {
			t.Errorf("the group's list was ended: %t, %+v", found, l)
		}
		if said.groups[id].Attributes[w.Attributes().GroupName] != group {
			t.Errorf("the group is handed over as %+v", said.groups[id])
		}
		read(member)(t, w, said)
	}
}
