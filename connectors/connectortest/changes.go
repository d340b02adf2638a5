package connectortest

import "testing"

// Changing is a Tenant whose directory can be changed while it is read. The tenant of a connector that reads deltas has
// to be one.
type Changing interface {
	Tenant
	// Changes returns the ways to change the directory.
	Changes() Changes
}

// Changes are ways to change what a Tenant holds, each as an administrator of that IdP does it. People go by userName,
// groups by name. A hook that is nil stands for something that the IdP does not have: the suite skips, and says so, the
// cases that need it. Only ExpireCursor, Restore and FailChanged may be nil.
type Changes struct {
	// AddPerson adds someone, who is assigned directly if Assigned says so. From then on ObjectID knows the userName.
	AddPerson func(t *testing.T, p Person)
	// SetEmail changes a work email (the attribute that Attributes calls Email), where the IdP's application reads it.
	SetEmail func(t *testing.T, userName, email string)
	// Disable turns an account off, Enable on again, in the way that Directory's Disabled is made.
	Disable, Enable func(t *testing.T, userName string)
	// Restore takes back who Tenant.Delete removed, with the same object id, assignments and memberships.
	Restore func(t *testing.T, userName string)
	// Assign and Unassign give and take a person's own assignment to the application. Who is in an assigned group that
	// puts people in scope stays in scope by it.
	Assign, Unassign func(t *testing.T, userName string)
	// AddGroup adds a group with its members. An assigned one means to become a team, as in Directory.
	AddGroup func(t *testing.T, g Group)
	// AssignGroup makes a group that is there one that means to become a team, and puts its members in scope, as
	// Directory's Assigned does; UnassignGroup undoes both.
	AssignGroup, UnassignGroup func(t *testing.T, name string)
	// AddMember and RemoveMember change one group's direct members by one person.
	AddMember, RemoveMember func(t *testing.T, group, userName string)
	// RenameGroup changes a group's name. From then on ObjectID knows it by the new one.
	RenameGroup func(t *testing.T, name, newName string)
	// DeleteGroup removes a group from the IdP, with its memberships and assignment.
	DeleteGroup func(t *testing.T, name string)
	// ExpireCursor makes the IdP refuse every cursor that it has given so far. nil: its cursors never expire.
	ExpireCursor func(t *testing.T)
	// FailChanged makes requests for what has changed fail from now on; Kind Users is about people, Members about groups
	// and their members. What is asked for besides is failed by Tenant.Fail. nil: there are no such requests.
	FailChanged func(f Failure)
}
