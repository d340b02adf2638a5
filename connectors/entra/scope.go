package entra

import (
	"fmt"

	"github.com/google/uuid"

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
