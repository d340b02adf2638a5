package entra_test

import (
	"slices"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// nest makes an assigned group with a group in it, two deep, and somebody in the innermost; the ids of the outer group and
// of the person.
func nest(t *testing.T, s *idpsim.Tenant) (outer, innermost, person string) {
	t.Helper()
	u, err := s.AddUser(idpsim.User{UserPrincipalName: "deep@contoso.example"})
	must(t, err)
	var ids []string
	for _, name := range []string{"Outer", "Inner", "Innermost"} {
		g, err := s.AddGroup(idpsim.Group{DisplayName: name})
		must(t, err)
		ids = append(ids, g.ObjectID)
	}
	must(t, s.AddToGroup(ids[0], ids[1]))
	must(t, s.AddToGroup(ids[1], ids[2]))
	must(t, s.AddToGroup(ids[2], u.ObjectID))
	must(t, s.Assign(ids[0]))
	return ids[0], ids[2], u.ObjectID
}

// Entra's own provisioning reads direct members only, and so does a connection that does not choose otherwise.
func TestWhoIsInANestedGroupIsInScopeOnlyByChoice(t *testing.T) {
	t.Parallel()
	for name, nested := range map[string]bool{"by default": false, "by choice": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := idpsim.New(idpsim.Config{Seed: 1, Members: 5, Groups: 1})
			outer, _, person := nest(t, s)
			c := scoped(t, s, func(cfg *entra.Config) { cfg.NestedGroups = nested })
			r := pulled(t, c)
			if _, found := r.User(person); found != nested {
				t.Errorf("a pull brings them: %t", found)
			}
			if in := slices.Contains(r.MembersOf(outer), person); in != nested {
				t.Errorf("in the team: %t", in)
			}
			p, err := c.Person(t.Context(), person)
			must(t, err)
			if p.InScope != nested || nested && p.User.Scope != "through group Outer" {
				t.Errorf("a look says in scope: %t (%q)", p.InScope, p.User.Scope)
			}
			many, err := c.People(t.Context(), []string{person})
			must(t, err)
			if many[person].InScope != nested {
				t.Errorf("a look at several says in scope: %t", many[person].InScope)
			}
			of, err := c.GroupsOf(t.Context(), person)
			must(t, err)
			if slices.Contains(of, outer) != nested {
				t.Errorf("their groups are %v", of)
			}
			members, err := c.GroupMembers(t.Context(), outer)
			must(t, err)
			if slices.Contains(members, person) != nested {
				t.Errorf("the group's list, read again, is %v", members)
			}
		})
	}
}

// Graph tells of no change of an inner group where the outer one is asked for, so a delta reads the outer one whole.
func TestADeltaSeesWhatChangedInANestedGroup(t *testing.T) {
	t.Parallel()
	s := idpsim.New(idpsim.Config{Seed: 1, Members: 5, Groups: 1})
	outer, innermost, person := nest(t, s)
	c := scoped(t, s, func(cfg *entra.Config) { cfg.NestedGroups = true })
	cursor, err := c.Cursor(t.Context())
	must(t, err)
	late, err := s.AddUser(idpsim.User{UserPrincipalName: "late@contoso.example"})
	must(t, err)
	must(t, s.AddToGroup(innermost, late.ObjectID))
	must(t, s.RemoveFromGroup(innermost, person))
	r := &connectortest.DeltaRecorder{GroupsKnown: map[string]bool{outer: true}, PeopleKnown: map[string]bool{person: true}}
	_, err = c.Delta(t.Context(), connectors.Since{Cursor: cursor}, r)
	must(t, err)
	if l, ended := r.ListOf(connectors.Members, outer); !ended || !l.Whole { // only such a list says that somebody left
		t.Errorf("the outer group's list: %+v", l)
	}
	members := r.MembersOf(outer)
	if !slices.Contains(members, late.ObjectID) || slices.Contains(members, person) {
		t.Errorf("the delta's list of the outer group is %v", members)
	}
	if u, found := r.User(late.ObjectID); !found || u.Scope == "" {
		t.Errorf("who came is handed over: %t, %+v", found, u)
	}
}
