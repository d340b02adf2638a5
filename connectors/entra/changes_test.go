package entra_test

import (
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// TestDeltasThatRepeat runs the part of the suite about deltas against a Graph that says again what was said before.
func TestDeltasThatRepeat(t *testing.T) {
	t.Parallel()
	connectortest.RunDeltas(t, func(t *testing.T, d connectortest.Directory) connectortest.Tenant {
		t.Helper()
		return startRepeating(t, d, 5)
	})
}

// Changes are the tenant's own mutations, by name.
func (s *tenant) Changes() connectortest.Changes {
	on := func(change func(id string) error) func(*testing.T, string) {
		return func(t *testing.T, name string) {
			t.Helper()
			must(t, change(s.ids[name]))
		}
	}
	assign := func(id string) error { return s.Assign(id) }
	unassign := func(id string) error { return s.Unassign(id) }
	return connectortest.Changes{
		AddPerson: func(t *testing.T, p connectortest.Person) { t.Helper(); s.addPerson(t, p) },
		AddGroup:  func(t *testing.T, g connectortest.Group) { t.Helper(); s.addGroup(t, g) },
		SetEmail: func(t *testing.T, userName, email string) {
			t.Helper()
			must(t, s.UpdateUser(s.ids[userName], func(u *idpsim.User) { u.Mail = email }))
		},
		Disable: on(s.DisableUser), Enable: on(s.EnableUser), Restore: on(s.RestoreUser),
		Assign: on(assign), Unassign: on(unassign), AssignGroup: on(assign), UnassignGroup: on(unassign),
		AddMember: func(t *testing.T, group, userName string) {
			t.Helper()
			must(t, s.AddToGroup(s.ids[group], s.ids[userName]))
		},
		RemoveMember: func(t *testing.T, group, userName string) {
			t.Helper()
			must(t, s.RemoveFromGroup(s.ids[group], s.ids[userName]))
		},
		RenameGroup: func(t *testing.T, name, newName string) {
			t.Helper()
			must(t, s.Tenant.RenameGroup(s.ids[name], newName))
			s.ids[newName] = s.ids[name]
		},
		DeleteGroup:  on(s.DeleteGroup),
		ExpireCursor: func(t *testing.T) { t.Helper(); s.ExpireDeltaTokens(idpsim.DeltaGone) },
		FailChanged: func(f connectortest.Failure) {
			path := "/users/delta()"
			if f.Kind == connectors.Members {
				path = "/groups/delta()"
			}
			s.fail(path, f)
		},
	}
}
