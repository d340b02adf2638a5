// Package connectortest is the one suite that every connector passes. A connector's own test brings a Factory that puts
// a Directory into a simulated tenant; Run does the rest.
package connectortest

import (
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

// PageSize is how many objects a Tenant gives in one page at most, so that small directories take several.
const PageSize = 7

// Connector is everything that the suite asks of a connector.
type Connector interface {
	connectors.Reader
	connectors.OneReader
	connectors.Tester
}

// Directory is what a tenant holds. UserNames and group names are unique.
type Directory struct {
	People []Person
	Groups []Group
}

// Person is someone in a directory.
type Person struct {
	UserName string
	Email    string
	Disabled bool
	Assigned bool // to the application, directly
}

// Group is a group in a directory. An assigned one means to become a team, and puts its members in scope.
type Group struct {
	Name     string
	Assigned bool
	Members  []string // userNames
}

// Factory starts a tenant that holds d, for the time of the test.
type Factory func(t *testing.T, d Directory) Tenant

// Tenant is a simulated IdP with one application.
type Tenant interface {
	// Open returns a connector for the application.
	Open(t *testing.T, a Access) Connector
	// ObjectID returns the IdP's id of a person by userName, or of a group by name.
	ObjectID(name string) string
	// Delete removes a person from the IdP.
	Delete(t *testing.T, userName string)
	// Fail makes requests fail from now on.
	Fail(f Failure)
	// Attributes says under which names this IdP keeps what the suite looks at.
	Attributes() Attributes
	// Lists says how this IdP cuts what it gives into lists.
	Lists() Lists
}

// Access says with what rights a connector is opened. The zero Access has every right.
type Access struct {
	// Secret stands in for the right one, when not empty, and is refused.
	Secret string
	// Without is a list that the application has no permission for.
	Without connectors.CollectionKind
}

// Failure is how requests for a list fail.
type Failure struct {
	Kind       connectors.CollectionKind
	Group      string // the group's name, for Members
	Page       int    // from 1
	Status     int
	RetryAfter time.Duration
	Times      int // 0: always
}

// Attributes are an IdP's names for attributes.
type Attributes struct{ UserName, Email, GroupName string }

// Lists says how an IdP cuts what it gives into lists. Entra's are apart, and its groups are among the assignments.
type Lists struct {
	OneOfPeople bool // the assignments are the list of users: what breaks one breaks the other
	Teams       bool // the groups that mean to become teams are a list of their own
	OneAnswer   bool // a group's members come in one answer, however many they are
	// Repeats: a delta may say again what changed before its cursor. The suite then doesn't ask for silence about what did
	// not change.
	Repeats bool
}

// same reports whether two kinds are one list.
func (l Lists) same(a, b connectors.CollectionKind) bool {
	ofPeople := func(k connectors.CollectionKind) bool { return k == connectors.Assignments || k == connectors.Users }
	return a == b || l.OneOfPeople && ofPeople(a) && ofPeople(b)
}

// broken returns the page of a group's members that the suite breaks, where it can something that comes before.
func (l Lists) broken() int {
	if l.OneAnswer {
		return 1
	}
	return 2
}
