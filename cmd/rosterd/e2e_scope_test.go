package main

import (
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// However Entra's job decides who is in scope, its pushes and rosterd's runs come to the same: neither undoes the other.
func TestE2EPushAndPullAgreeOnWhoIsInScope(t *testing.T) {
	only := func(attribute, operator, value string) []idpsim.ScopeGroup {
		return []idpsim.ScopeGroup{{Name: "these", Clauses: []idpsim.ScopeClause{{Attribute: attribute, Operator: operator, Values: []string{value}}}}}
	}
	for name, set := range map[string]func(d *directory){
		"filters": func(d *directory) {
			d.EditSchema(func(s *idpsim.Schema) {
				s.Users.Scope = append(only("department", "EQUALS", "Sales"), only("userPrincipalName", "REGEX MATCH", "^a")...)
			})
		},
		"everybody, filtered": func(d *directory) {
			d.SyncAll(true)
			d.EditSchema(func(s *idpsim.Schema) { s.Users.Scope = only("department", "NOT EQUALS", "Legal") })
		},
		"leavers keep their accounts": func(d *directory) {
			d.SkipOutOfScopeDeletions(true)
			d.EditSchema(func(s *idpsim.Schema) { s.Users.Scope = only("department", "EQUALS", "Sales") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachMachine(t, func(m *machine) {
				d := m.directory(idpsim.Config{Seed: 41, Members: 24, Groups: 3})
				m.department(d, "Sales", "Legal")
				set(d)
				m.configure(d.entry("default", "entra"))
				m.again()
				pusher := m.provision(d, m.token("default", "idp"))
				m.resync(exitDone, "done")
				m.converged("default", d)

				// What changes is pushed, and a run finds nothing to do; or a run does it, and nothing is left to push.
				m.department(d, "Legal", "Sales", "Sales")
				m.cycle(pusher)
				m.resync(exitDone, "done")
				for i, u := range d.Users()[:4] {
					m.ok(d.UpdateUser(u.ObjectID, func(u *idpsim.User) { u.Department = []string{"Sales", "Legal"}[i%2] }))
				}
				asked[client.Runs](m, exitDone, "resync --org default --wait")
				sum, err := pusher.Cycle(m.t.Context())
				m.ok(err)
				if n := sum.Created + sum.Updated + sum.Disabled + sum.Deleted; n > 0 {
					m.t.Errorf("the job still found %d to do: %+v", n, sum.Details)
				}
				m.resync(exitDone, "done")
			})
		})
	}
}

// department puts the people of a tenant into departments, in turn.
func (m *machine) department(d *directory, names ...string) {
	m.t.Helper()
	for i, u := range d.Users() {
		m.ok(d.UpdateUser(u.ObjectID, func(u *idpsim.User) { u.Department = names[i%len(names)] }))
	}
}
