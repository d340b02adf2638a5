package connectortest

import (
	"slices"
	"testing"

	"github.com/rosterd/rosterd/connectors"
)

func testPerson(t *testing.T, start Factory) {
	d := company()
	tenant := start(t, d)
	c := tenant.Open(t, Access{})
	for name, as := range map[string]func(Person) bool{
		"assigned directly":          func(p Person) bool { return p.Assigned && !p.Disabled },
		"assigned through a group":   func(p Person) bool { return !p.Assigned && d.inScope(p) && !p.Disabled },
		"out of scope":               func(p Person) bool { return !d.inScope(p) && !p.Disabled },
		"disabled, but in scope":     func(p Person) bool { return d.inScope(p) && p.Disabled },
		"disabled, and out of scope": func(p Person) bool { return !d.inScope(p) && p.Disabled },
	} {
		t.Run(name, func(t *testing.T) {
			want := d.first(t, as)
			got, err := c.Person(t.Context(), tenant.ObjectID(want.UserName))
			if err != nil || got.User == nil {
				t.Fatalf("Person(%s) = %+v, %v", want.UserName, got, err)
			}
			if got.InScope != d.inScope(want) || (got.User.Scope != "") != got.InScope {
				t.Errorf("%s in scope: %t because %q, want %t", want.UserName, got.InScope, got.User.Scope, d.inScope(want))
			}
			if got.User.Enabled == want.Disabled || got.User.Attributes[tenant.Attributes().UserName] != want.UserName {
				t.Errorf("%s is %+v", want.UserName, got.User)
			}
		})
	}
	gone := d.People[1]
	tenant.Delete(t, gone.UserName)
	got, err := c.Person(t.Context(), tenant.ObjectID(gone.UserName))
	if err != nil || got.User != nil || got.InScope {
		t.Errorf("someone deleted is %+v, %v, want nobody", got, err)
	}
}

func testTeam(t *testing.T, start Factory) {
	d := company()
	tenant := start(t, d)
	c := tenant.Open(t, Access{})
	for _, g := range d.Groups {
		got, err := c.Team(t.Context(), tenant.ObjectID(g.Name))
		if err != nil || got.Group == nil || got.InScope != g.Assigned {
			t.Errorf("Team(%q) = %+v, %v, want it assigned: %t", g.Name, got, err, g.Assigned)
			continue
		}
		if name := got.Group.Attributes[tenant.Attributes().GroupName]; name != g.Name {
			t.Errorf("group %q is called %q", g.Name, name)
		}
	}
	nobodys := tenant.ObjectID(d.People[0].UserName)
	if got, err := c.Team(t.Context(), nobodys); err != nil || got.Group != nil || got.InScope {
		t.Errorf("a group that is not there is %+v, %v", got, err)
	}
}

func testGroupMembers(t *testing.T, start Factory) {
	d := company()
	tenant := start(t, d)
	c := tenant.Open(t, Access{})
	for _, g := range d.Groups {
		got, err := c.GroupMembers(t.Context(), tenant.ObjectID(g.Name))
		slices.Sort(got)
		if err != nil || !slices.Equal(got, idsOf(tenant, g.Members)) {
			t.Errorf("GroupMembers(%q) = %v, %v, want %v", g.Name, got, err, idsOf(tenant, g.Members))
		}
	}
	nobodys := tenant.ObjectID(d.People[0].UserName)
	if got, err := c.GroupMembers(t.Context(), nobodys); connectors.FaultOf(err) != connectors.NotFound {
		t.Errorf("the members of a group that is not there are %v, %v, want not found", got, err)
	}
	tenant.Fail(Failure{Kind: connectors.Members, Group: d.Groups[0].Name, Page: tenant.Lists().broken(), Status: 500})
	if got, err := c.GroupMembers(t.Context(), tenant.ObjectID(d.Groups[0].Name)); err == nil {
		t.Errorf("a list that broke off gave %v and no error", got)
	}
}

func testFind(t *testing.T, start Factory) {
	d := company()
	tenant := start(t, d)
	c := tenant.Open(t, Access{})
	ohara := d.first(t, func(p Person) bool { return p.UserName == "o'hara@contoso.example" })
	for name, tc := range map[string]struct {
		userName, email string
		want            []string
	}{
		"by userName":                   {"person07@contoso.example", "", []string{"person07@contoso.example"}},
		"by userName in other letters":  {"PERSON07@contoso.example", "", []string{"person07@contoso.example"}},
		"by email":                      {"", "mail08@contoso.example", []string{"person08@contoso.example"}},
		"by both, the same person":      {ohara.UserName, ohara.Email, []string{ohara.UserName}},
		"by both, two people":           {"person07@contoso.example", "mail08@contoso.example", []string{"person07@contoso.example", "person08@contoso.example"}},
		"someone who is out of scope":   {"person59@contoso.example", "", []string{"person59@contoso.example"}},
		"nobody":                        {"nobody@contoso.example", "nobody@contoso.example", nil},
		"a text that would be a filter": {"x' or userName ne '", "", nil},
		"nothing to look for":           {"", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := c.FindUsers(t.Context(), tc.userName, tc.email)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, u := range found {
				ids = append(ids, u.ObjectID)
			}
			slices.Sort(ids)
			if !slices.Equal(ids, idsOf(tenant, tc.want)) {
				t.Errorf("FindUsers(%q, %q) = %v, want %v", tc.userName, tc.email, found, tc.want)
			}
		})
	}
	for _, name := range []string{"Team 03", "Women's team"} {
		found, err := c.FindGroups(t.Context(), name)
		if err != nil || len(found) != 1 || found[0].ObjectID != tenant.ObjectID(name) {
			t.Errorf("FindGroups(%q) = %v, %v", name, found, err)
		}
	}
	if found, err := c.FindGroups(t.Context(), "No such team"); err != nil || len(found) > 0 {
		t.Errorf("FindGroups of none = %v, %v", found, err)
	}
}
