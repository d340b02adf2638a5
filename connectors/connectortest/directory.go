package connectortest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rosterd/rosterd/connectors"
)

// company returns a directory in which every way to be in scope, and out of it, occurs more than once.
func company() Directory {
	var d Directory
	for i := range 60 {
		name := fmt.Sprintf("person%02d@contoso.example", i)
		d.People = append(d.People, Person{
			UserName: name, Email: fmt.Sprintf("mail%02d@contoso.example", i), Disabled: i%9 == 4, Assigned: i < 12,
		})
	}
	d.People = append(d.People, Person{UserName: "o'hara@contoso.example", Email: "scarlett.o'hara@contoso.example", Assigned: true})
	for g := range 12 {
		group := Group{Name: fmt.Sprintf("Team %02d", g), Assigned: g%4 != 3}
		for i := g; i < 50; i += g + 1 {
			group.Members = append(group.Members, d.People[i].UserName)
		}
		d.Groups = append(d.Groups, group)
	}
	d.Groups = append(d.Groups, Group{Name: "Team of none", Assigned: true}, Group{Name: "Women's team", Assigned: true})
	return d
}

// fewPeople returns a directory in which hardly anyone is in scope.
func fewPeople() Directory {
	d := Directory{Groups: []Group{{Name: "Team", Assigned: true}}}
	for i := range 40 {
		d.People = append(d.People, Person{
			UserName: fmt.Sprintf("person%02d@contoso.example", i), Email: fmt.Sprintf("mail%02d@contoso.example", i),
			Assigned: i < 4, Disabled: i == 3,
		})
	}
	for _, p := range d.People[10:24] {
		d.Groups[0].Members = append(d.Groups[0].Members, p.UserName)
	}
	return d
}

// inScope says whether a person is assigned, directly or through a group.
func (d Directory) inScope(p Person) bool {
	return p.Assigned || slices.ContainsFunc(d.Groups, func(g Group) bool {
		return g.Assigned && slices.Contains(g.Members, p.UserName)
	})
}

// first returns the first person who is as asked.
func (d Directory) first(t *testing.T, as func(Person) bool) Person {
	t.Helper()
	i := slices.IndexFunc(d.People, as)
	if i < 0 {
		t.Fatal("the directory holds no such person")
	}
	return d.People[i]
}

// compare holds what a pull handed over against the directory.
func (d Directory) compare(t *testing.T, tenant Tenant, got *Recorder) {
	t.Helper()
	d.compareUsers(t, tenant, got)
	d.compareGroups(t, tenant, got)
	for _, c := range got.lists {
		if !c.Whole {
			t.Errorf("list %s %q is not whole: %s", c.Kind, c.Name, c.Err)
		}
	}
	for _, p := range got.problems {
		t.Error(p)
	}
}

func (d Directory) compareUsers(t *testing.T, tenant Tenant, got *Recorder) {
	t.Helper()
	names, want := tenant.Attributes(), 0
	for _, p := range d.People {
		u, found := got.User(tenant.ObjectID(p.UserName))
		if found != d.inScope(p) {
			t.Errorf("%s handed over: %t, in scope: %t", p.UserName, found, d.inScope(p))
		}
		if !found {
			continue
		}
		want++
		if u.Enabled == p.Disabled || u.Attributes[names.UserName] != p.UserName || u.Attributes[names.Email] != p.Email || u.Scope == "" {
			t.Errorf("%s is %+v, want %+v with the reason", p.UserName, u, p)
		}
	}
	if len(got.users) != want {
		t.Errorf("%d people handed over, want %d", len(got.users), want)
	}
	if c, found := got.ListOf(connectors.Users, ""); !found || c.Count < want {
		t.Errorf("list of users: found %t, %+v", found, c)
	}
}

func (d Directory) compareGroups(t *testing.T, tenant Tenant, got *Recorder) {
	t.Helper()
	want := 0
	for _, g := range d.Groups {
		id := tenant.ObjectID(g.Name)
		handed, found := got.groups[id]
		if found != g.Assigned {
			t.Errorf("group %q handed over: %t, assigned: %t", g.Name, found, g.Assigned)
		}
		if !g.Assigned {
			continue
		}
		want++
		if name := handed.Attributes[tenant.Attributes().GroupName]; name != g.Name {
			t.Errorf("group %q is called %q", g.Name, name)
		}
		if ids := idsOf(tenant, g.Members); !slices.Equal(got.MembersOf(id), ids) {
			t.Errorf("members of %q: %v, want %v", g.Name, got.MembersOf(id), ids)
		}
		if c, listed := got.ListOf(connectors.Members, id); !listed || c.Count < len(g.Members) {
			t.Errorf("list of members of %q: found %t, %+v", g.Name, listed, c)
		}
	}
	if len(got.groups) != want {
		t.Errorf("%d groups handed over, want %d", len(got.groups), want)
	}
	if _, found := got.ListOf(connectors.Assignments, ""); !found {
		t.Error("the list of assignments was never ended")
	}
	if c, found := got.ListOf(connectors.Teams, ""); found != tenant.Lists().Teams || found && c.Count != want {
		t.Errorf("list of teams: found %t, %+v, want %d groups", found, c, want)
	}
}

func idsOf(tenant Tenant, names []string) []string {
	var ids []string
	for _, n := range names {
		ids = append(ids, tenant.ObjectID(n))
	}
	slices.Sort(ids)
	return ids
}
