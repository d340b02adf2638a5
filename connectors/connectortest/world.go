package connectortest

import (
	"slices"
	"testing"

	"github.com/rosterd/rosterd/connectors"
)

// world is a tenant that changes, and what it then holds.
type world struct {
	Changing
	is      Directory
	deleted map[string]deletedPerson
	c       Connector
	delta   connectors.DeltaReader
	do      Changes
}

type deletedPerson struct {
	Person
	groups []string
}

// newWorld starts a tenant for the delta part. It skips the test for a connector that reads no deltas.
func newWorld(t *testing.T, start Factory, d Directory) *world {
	t.Helper()
	d = d.clone()
	tenant := start(t, d)
	w := &world{is: d, deleted: map[string]deletedPerson{}, c: tenant.Open(t, Access{})}
	var reads, changes bool
	if w.delta, reads = w.c.(connectors.DeltaReader); !reads {
		t.Skip("this connector reads no deltas")
	}
	if w.Changing, changes = tenant.(Changing); !changes {
		t.Fatal("the connector reads deltas, but its tenant cannot be changed")
	}
	w.do = w.Changes()
	return w
}

func (d Directory) clone() Directory {
	out := Directory{People: slices.Clone(d.People), Groups: slices.Clone(d.Groups)}
	for i := range out.Groups {
		out.Groups[i].Members = slices.Clone(out.Groups[i].Members)
	}
	return out
}

// pull reads everything, preceded by the cursor.
func (w *world) pull(t *testing.T) (known *roster, cursor string) {
	t.Helper()
	cursor, err := w.delta.Cursor(t.Context())
	if err != nil || cursor == "" {
		t.Fatalf("Cursor = %q, %v", cursor, err)
	}
	return w.roster(t, nil), cursor
}

func (w *world) roster(t *testing.T, onPage func(connectors.CollectionKind) error) *roster {
	t.Helper()
	got := &Recorder{OnPage: onPage}
	if err := w.c.Pull(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	return newRoster(w.Lists(), got)
}

// truth is the roster of someone who knows the directory.
func (w *world) truth() *roster {
	k := newRoster(w.Lists(), &Recorder{})
	names := w.Attributes()
	for _, p := range w.is.People {
		if w.is.inScope(p) {
			k.people[w.ObjectID(p.UserName)] = connectors.User{
				Enabled: !p.Disabled, Attributes: map[string]string{names.UserName: p.UserName, names.Email: p.Email},
			}
		}
	}
	for _, g := range w.is.Groups {
		if g.Assigned {
			id := w.ObjectID(g.Name)
			k.groups[id] = connectors.Group{Attributes: map[string]string{names.GroupName: g.Name}}
			k.members[id] = setOf(idsOf(w, g.Members))
		}
	}
	return k
}

// only leaves of the attributes what the suite looks at.
func (k *roster) only(names Attributes) *roster {
	out := newRoster(k.lists, &Recorder{})
	out.members = k.members
	for id, u := range k.people {
		out.people[id] = connectors.User{Enabled: u.Enabled, Attributes: map[string]string{
			names.UserName: u.Attributes[names.UserName], names.Email: u.Attributes[names.Email],
		}}
	}
	for id, g := range k.groups {
		out.groups[id] = connectors.Group{Attributes: map[string]string{names.GroupName: g.Attributes[names.GroupName]}}
	}
	return out
}

// checkTruth holds a roster against the directory.
func (w *world) checkTruth(t *testing.T, k *roster) {
	t.Helper()
	for _, d := range k.only(w.Attributes()).differs(w.truth()) {
		t.Error(d)
	}
}

func (w *world) person(name string) *Person {
	i := slices.IndexFunc(w.is.People, func(p Person) bool { return p.UserName == name })
	return &w.is.People[i]
}

func (w *world) group(name string) *Group {
	i := slices.IndexFunc(w.is.Groups, func(g Group) bool { return g.Name == name })
	return &w.is.Groups[i]
}

func (w *world) addPerson(t *testing.T, p Person) {
	t.Helper()
	w.do.AddPerson(t, p)
	w.is.People = append(w.is.People, p)
}

func (w *world) setEmail(t *testing.T, name, email string) {
	t.Helper()
	w.do.SetEmail(t, name, email)
	w.person(name).Email = email
}

func (w *world) setDisabled(t *testing.T, name string, disabled bool) {
	t.Helper()
	if disabled {
		w.do.Disable(t, name)
	} else {
		w.do.Enable(t, name)
	}
	w.person(name).Disabled = disabled
}

func (w *world) setAssigned(t *testing.T, name string, assigned bool) {
	t.Helper()
	if assigned {
		w.do.Assign(t, name)
	} else {
		w.do.Unassign(t, name)
	}
	w.person(name).Assigned = assigned
}

func (w *world) delete(t *testing.T, name string) {
	t.Helper()
	w.Delete(t, name)
	gone := deletedPerson{Person: *w.person(name)}
	w.is.People = slices.DeleteFunc(w.is.People, func(p Person) bool { return p.UserName == name })
	for i, g := range w.is.Groups {
		if slices.Contains(g.Members, name) {
			gone.groups = append(gone.groups, g.Name)
			w.is.Groups[i].Members = without(g.Members, name)
		}
	}
	w.deleted[name] = gone
}

func (w *world) restore(t *testing.T, name string) {
	t.Helper()
	w.do.Restore(t, name)
	gone := w.deleted[name]
	delete(w.deleted, name)
	w.is.People = append(w.is.People, gone.Person)
	for i, g := range w.is.Groups {
		if slices.Contains(gone.groups, g.Name) {
			w.is.Groups[i].Members = append(w.is.Groups[i].Members, name)
		}
	}
}

func (w *world) addGroup(t *testing.T, g Group) {
	t.Helper()
	w.do.AddGroup(t, g)
	w.is.Groups = append(w.is.Groups, g)
}

func (w *world) setGroupAssigned(t *testing.T, name string, assigned bool) {
	t.Helper()
	if assigned {
		w.do.AssignGroup(t, name)
	} else {
		w.do.UnassignGroup(t, name)
	}
	w.group(name).Assigned = assigned
}

func (w *world) renameGroup(t *testing.T, name, newName string) {
	t.Helper()
	w.do.RenameGroup(t, name, newName)
	w.group(name).Name = newName
	for _, gone := range w.deleted {
		for i, g := range gone.groups {
			if g == name {
				gone.groups[i] = newName
			}
		}
	}
}

func (w *world) deleteGroup(t *testing.T, name string) {
	t.Helper()
	w.do.DeleteGroup(t, name)
	w.is.Groups = slices.DeleteFunc(w.is.Groups, func(g Group) bool { return g.Name == name })
}

func (w *world) addMember(t *testing.T, group, name string) {
	t.Helper()
	w.do.AddMember(t, group, name)
	g := w.group(group)
	g.Members = append(g.Members, name)
}

func (w *world) removeMember(t *testing.T, group, name string) {
	t.Helper()
	w.do.RemoveMember(t, group, name)
	g := w.group(group)
	g.Members = without(g.Members, name)
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}
