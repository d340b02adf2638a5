package entra

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/rosterd/rosterd/connectors"
)

// scope is who is in scope, as far as a pull knows: some thirty bytes for each person, whatever the tenant's size.
type scope struct {
	people  map[uuid.UUID]int // index of the reason
	reasons []string
}

// direct is the index of the first reason.
const direct = 0

func newScope() *scope {
	return &scope{people: map[uuid.UUID]int{}, reasons: []string{"assigned directly"}}
}

// through adds a reason and returns its index.
func (s *scope) through(groupName string) int {
	s.reasons = append(s.reasons, throughGroup(groupName))
	return len(s.reasons) - 1
}

func throughGroup(name string) string { return "through group " + name }

// add puts a person in scope; the first reason stays.
func (s *scope) add(person uuid.UUID, reason int) {
	if _, known := s.people[person]; !known {
		s.people[person] = reason
	}
}

// reason returns why a person is in scope.
func (s *scope) reason(objectID string) (string, bool) {
	id, err := uuid.Parse(objectID)
	if err != nil {
		return "", false
	}
	i, found := s.people[id]
	if !found {
		return "", false
	}
	return s.reasons[i], true
}

// parseID reads an object id, which is a GUID. Anything else in a request's path Graph would take for a userPrincipalName,
// and nothing at all for the whole list.
func parseID(objectID string) (uuid.UUID, error) {
	id, err := uuid.Parse(objectID)
	if err != nil || len(objectID) != len(uuid.UUID{}.String()) {
		return uuid.UUID{}, &connectors.Error{Fault: connectors.Broken, Message: fmt.Sprintf("%q is not an object id of Entra", objectID)}
	}
	return id, nil
}

// userFields are those that the filter of users compares.
func (r *rules) userFields() []userField {
	if r == nil {
		return nil
	}
	return r.fields
}

// place says of a user whom something puts in scope what the job's rules make of that: nothing, or that they are out of
// scope, or that it can't be judged.
func (r *rules) place(item models.Userable, u connectors.User) connectors.User {
	switch v, why := r.user(item); v {
	case keptOut:
		return outOfScope(u, why)
	case unjudged: // who is switched off is off, in scope or not
		u.Keep = u.Enabled
	case letIn:
	}
	return u
}

// outOfScope is somebody of whom it is read that they are not in scope.
func outOfScope(u connectors.User, why string) connectors.User {
	if !u.Enabled {
		why = "accountEnabled is false; " + why
	}
	return connectors.User{ObjectID: u.ObjectID, Gone: why, OutOfScope: u.Enabled}
}

// person is what a look at one of these users found; why says why they are in scope by assignment, "" that they aren't.
func (r *rules) person(item models.Userable, u connectors.User, why string) connectors.Person {
	if r.all {
		why = everybody
	}
	u.Scope = why
	p := connectors.Person{User: &u, InScope: why != ""}
	switch v, out := r.user(item); {
	case r.unread != nil:
		p.InScope, u.Keep = true, u.Enabled
	case !p.InScope:
	case v == keptOut:
		p.InScope, p.Why = false, out
	case v == unjudged:
		u.Keep = u.Enabled
	}
	return p
}

// user holds the filter of users against one.
func (r *rules) user(item models.Userable) (verdict, string) {
	if r.unread != nil {
		return unjudged, ""
	}
	return r.users.judge(func(attribute string) string {
		for _, f := range r.fields {
			if f.name == attribute {
				return text(f.get(item))
			}
		}
		return ""
	})
}

// group holds the filter of groups against one.
func (r *rules) group(g models.Groupable) verdict {
	if r.unread != nil {
		return unjudged
	}
	v, _ := r.groups.judge(func(attribute string) string { return groupValue(g, attribute) })
	return v
}
