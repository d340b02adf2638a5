package roster

import "time"

// MaxReferences bounds how many values a team remembers that nobody answers to yet.
const MaxReferences = 100_000

// MaxReference bounds the length of such a value in bytes: no id is longer, and PostgreSQL takes no longer key.
const MaxReference = 1024

// Reference is a value that a push named as a member of a team and that is nobody's here: an id that isn't known yet, or
// an IdP's object id sent in its place. It is remembered until somebody comes whose id or externalId it is.
type Reference struct {
	Org        string
	TeamID     string
	TeamName   string // where it is listed
	Value      string // as it was sent
	Since      time.Time
	Connection string // of the token; only whom it sees is put in
	TokenID    string
	TokenName  string
	RequestID  string
}

// ReferenceSelect picks remembered values of one organisation: of a team (all, or those given), or of any team.
type ReferenceSelect struct {
	Team   string
	Values []string
}

// MemberRef is what a team's list needs to know of a member. A team of 100,000 is changed without reading more of them.
type MemberRef struct {
	ID         string
	UserName   string
	ExternalID string
	Status     Status
	Source     Source
	Connection string
}

// Ref returns the member as a team's list knows it.
func (m *Member) Ref() MemberRef {
	return MemberRef{ID: m.ID, UserName: m.UserName(), ExternalID: m.ExternalID(), Status: m.Status, Source: m.Source, Connection: m.Connection}
}

// RefSelect picks members of one organisation, by any of the keys.
type RefSelect struct {
	IDs         []string
	ExternalIDs []string
}

// Nesting is a group within a group. It is kept and shown, and gives nobody anything: whoever is in the inner team is not
// in the outer one by that. It counts while both teams are active.
type Nesting struct {
	TeamID  string
	GroupID string
}
