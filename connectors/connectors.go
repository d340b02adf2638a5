// Package connectors is the contract that every identity provider fulfils, and the small parts that all of them share:
// the budget of calls, the transport that tries again, the one origin that requests go to, the books of a pull. A
// connector implements Reader; what else it can do is found by type assertion.
package connectors

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Stamp is the store's commit sequence, read before a request to the IdP was sent. An object changed here later than
// the stamp of the page that speaks of it is not judged by that page.
type Stamp int64

// User is one person as the IdP has them. Attributes are under the IdP's own names, all as text; booleans that decide
// about access have fields of their own.
type User struct {
	ObjectID string
	Enabled  bool
	// Keep: what the person is here, on or off, stays as it is, whatever Enabled says; who is unknown here isn't created.
	// Attributes are compared as always.
	Keep bool
	// Gone says in words that the IdP itself told that they left: deleted, or not assigned any more. Nothing else of them
	// counts then.
	Gone string
	// OutOfScope: Gone says no more than that they went out of scope; their account is as it was.
	OutOfScope bool
	Scope      string // why they are in scope, for a person to read
	Attributes map[string]string
}

// Group is one group that the IdP means to become a team.
type Group struct {
	ObjectID   string
	Attributes map[string]string
}

// CollectionKind names a list whose wholeness counts.
type CollectionKind string

// The collections of a pull. Users is the list of the users' own attributes.
const (
	Assignments CollectionKind = "assignments" // who and which groups are assigned to the application
	Members     CollectionKind = "members"     // one group's members
	Users       CollectionKind = "users"
	// Teams is the list of groups that mean to become teams, of an IdP that keeps it apart from the assignments. Where it
	// is reported, it stands in for Assignments in everything said about groups, and groups put nobody in scope.
	Teams CollectionKind = "teams"
)

// Collection reports how one list was read. Silence in it counts only if Whole. Assignments is whole only if every
// assigned group's own attributes could be read too, unless the IdP says that the group is gone; where Teams is reported,
// that is Teams' condition instead.
type Collection struct {
	Kind  CollectionKind
	ID    string // the group's object id for Members
	Name  string // for a person to read
	Began Stamp  // taken before the list's first request; 0 when none was sent
	Count int    // objects handed to the sink: people in scope for Users; for Assignments, people and groups assigned
	Whole bool
	Err   string // why it isn't whole
	// Refused: the IdP never gives this list, and the configuration says how to go on without. It isn't Whole, so silence
	// in it counts for nothing, but a pull that lacks nothing else is complete.
	Refused bool
	// Changes: a delta read of this list only what the IdP's log told of. It isn't Whole, so silence in it counts for
	// nothing, but the cursor moves on.
	Changes bool
}

// Sink takes what a pull reads, page by page. Its errors stop the pull.
type Sink interface {
	// Stamp is called before each request to the IdP.
	Stamp(ctx context.Context) (Stamp, error)
	// Users takes a page of people in scope, enabled or not. One person may come more than once; the last counts.
	Users(ctx context.Context, at Stamp, page []User) error
	// Groups takes groups in scope.
	Groups(ctx context.Context, at Stamp, page []Group) error
	// Members takes a page of one group's members by object id; only people, enabled or not, in scope or not.
	Members(ctx context.Context, at Stamp, groupID string, page []string) error
	// Collection ends a list. A list that is never ended was not read whole.
	Collection(ctx context.Context, c Collection) error
}

// Expecter is a Sink that wants to know beforehand how much there is to read.
type Expecter interface {
	// Expect says how many objects there are of a kind: of Users, people in scope; of Teams, groups.
	Expect(kind CollectionKind, n int)
}

// Reader reads everything in scope. An error means that nothing sensible could be read (bad credentials, a missing
// permission, the IdP unreachable), that the sink returned it, or that the context ended; a list that broke off is
// reported by Collection and is no error. Calls are taken from the context's Budget (WithBudget).
type Reader interface {
	Pull(ctx context.Context, sink Sink) error
}

// Person is what a look at one person found.
type Person struct {
	User    *User // nil: the IdP does not know the object
	InScope bool  // the person's own assignments, and the rules of the IdP's job, say that they are in scope
	// Why says in words what became of somebody whom the IdP does not know any more, or what keeps them out of scope; "": no
	// more is known.
	Why string
}

// Team is what a look at one group found.
type Team struct {
	Group   *Group
	InScope bool // the group's own assignment says that it is in scope
}

// OneReader reads single objects, for second looks and look-ups of objects without a link.
type OneReader interface {
	// Person reads one person by object id, and whether they are in scope now.
	Person(ctx context.Context, objectID string) (Person, error)
	// Team reads one group by object id, and whether it is assigned now.
	Team(ctx context.Context, objectID string) (Team, error)
	// GroupMembers reads one group's list again, whole or with an error; only people.
	GroupMembers(ctx context.Context, groupID string) ([]string, error)
	// FindUsers looks for people by userName and, when not empty, by work email. It returns every one found.
	FindUsers(ctx context.Context, userName, email string) ([]User, error)
	// FindGroups looks for groups by display name.
	FindGroups(ctx context.Context, displayName string) ([]Group, error)
}

// ManyReader reads several single objects at less cost than one after the other.
type ManyReader interface {
	// People reads people as OneReader's Person does. Who could not be read alone is not in the answer; the error is one that
	// a look at any of them would meet, and the answer then holds who was read before.
	People(ctx context.Context, objectIDs []string) (map[string]Person, error)
}

// GroupsReader reads which groups hold a person, for a look at that one person.
type GroupsReader interface {
	// GroupsOf returns the object ids of groups that hold the person directly, at least those that are in scope.
	GroupsOf(ctx context.Context, objectID string) ([]string, error)
}

// Since says from where a delta goes on, and what it is to read whether it changed or not.
type Since struct {
	Cursor        string
	Users, Groups []string // object ids
}

// DeltaReader reads what has changed in the IdP.
type DeltaReader interface {
	// Cursor returns a cursor that stands for now. A full pull is preceded by it, so that what changes while the pull reads
	// is read again by the first delta.
	Cursor(ctx context.Context) (string, error)
	// Delta reads the assignment list in full, or ends it as one of Changes, and, of everything else, what has changed since
	// the cursor, what the sink does not know, and what Since names. It returns the cursor for the next delta. Any error means that the cursor stays
	// where it was; the fault LostCursor, that only a full pull can go on.
	Delta(ctx context.Context, since Since, sink DeltaSink) (next string, err error)
}

// DeltaSink takes what a delta reads. A Sink's rules hold, and besides:
//
//   - Users hands over people who changed or had to be read. One whose Scope is empty is not said to be in scope: the
//     caller finds that out. Who the IdP says has left has Gone set.
//   - Groups hands over groups whose own attributes, or whose members, were read again.
//   - Members hands over who was added to a group, or, ended by a whole Collection of kind Members, everybody in it.
//   - Collection ends Assignments, whole or of Changes, and Teams where there is one. Users is ended only by an IdP whose delta hands over
//     everyone in scope; silence about a person counts then as after a full pull.
type DeltaSink interface {
	Sink
	// Assigned takes a page of the list of who and what is in scope by an assignment of their own: people, and groups that
	// mean to become teams.
	Assigned(ctx context.Context, at Stamp, users, groups []string) error
	// KnownUsers returns those of some people who are known here as in scope; of others nothing is known.
	KnownUsers(ctx context.Context, ids []string) (map[string]bool, error)
	// KnownGroup reports whether a group's members are known: only what changed in them need be read.
	KnownGroup(id string) bool
	// Left takes people whom the IdP says to have left one group.
	Left(ctx context.Context, at Stamp, groupID string, ids []string) error
}

// Tester checks that the credentials work and that every permission a pull needs is granted.
type Tester interface {
	Test(ctx context.Context) error
}

// Fault classes an error from an IdP, for the caller to decide on.
type Fault string

// The faults.
const (
	BadCredentials    Fault = "bad_credentials"
	MissingPermission Fault = "missing_permission"
	Throttled         Fault = "throttled"
	Unreachable       Fault = "unreachable"
	NotFound          Fault = "not_found"
	LostCursor        Fault = "lost_cursor" // the IdP does not take the cursor of a delta any more
	OverBudget        Fault = "over_budget" // the run's declared limit of calls is used up
	Broken            Fault = "broken"      // an answer that makes no sense
)

// Error is an error from an IdP in words that an administrator can act on. It never holds a secret.
type Error struct {
	Fault      Fault
	Message    string
	Fix        string // what to do, e.g. the permission to grant
	Status     int    // HTTP status, 0 when there was no answer
	RetryAfter time.Duration
	Err        error
}

// Error returns the message and the fix.
func (e *Error) Error() string {
	if e.Fix != "" {
		return fmt.Sprintf("%s. %s", e.Message, e.Fix)
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// FaultOf returns the fault of err, or "" when it carries none.
func FaultOf(err error) Fault {
	var e *Error
	if errors.As(err, &e) {
		return e.Fault
	}
	return ""
}
