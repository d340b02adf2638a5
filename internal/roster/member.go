package roster

import "time"

// Status is where a member stands in the life of an account.
type Status string

// The statuses of a member. A deactivated member is still readable over SCIM (active: false); a deleted one reads as
// 404, its userName is free, and it can be restored within retention.
const (
	Pending     Status = "pending"
	Active      Status = "active"
	Deactivated Status = "deactivated"
	Deleted     Status = "deleted"
)

// Live reports whether a member of this status has access: pending or active.
func (s Status) Live() bool { return s == Pending || s == Active }

// Source says where a member or team comes from: an IdP (pushed or pulled) or this organisation's own people.
type Source string

// The sources.
const (
	SourceSCIM  Source = "scim"
	SourceLocal Source = "local"
)

// Role is what a member may do here. A plain push or pull never sets it.
type Role string

// The roles. The first three make an operator.
const (
	RoleOwner  Role = "owner"
	RoleAdmin  Role = "admin"
	RoleViewer Role = "viewer"
	RoleMember Role = "member"
)

// Writer is who last wrote a match key, or who deactivated a member.
type Writer string

// The writers.
const (
	ByPush     Writer = "push"
	ByRun      Writer = "run"
	ByOperator Writer = "operator"
)

// Member is a person in an organisation.
type Member struct {
	ID         string
	Org        string
	Attributes Attributes // the SCIM attributes, userName and externalId among them
	Status     Status
	// Prior is the status that a deactivated or deleted member returns to.
	Prior Status
	// OffBy says who deactivated or deleted the member; empty while they are live.
	OffBy      Writer
	Source     Source
	Role       Role
	Connection string // id of the owning connection; empty: unclaimed or local
	// UserNameBy and ExternalIDBy say who last wrote each match key.
	UserNameBy   Writer
	ExternalIDBy Writer
	Version      int64 // grows by one with each accepted change
	Seq          int64 // the commit sequence of the last accepted change
	PushedSeq    int64 // the commit sequence of the last push that spoke of the member, changed or not
	PushedAt     time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// UserName returns the member's userName as it was given.
func (m *Member) UserName() string { return m.Attributes.Get(AttrUserName) }

// ExternalID returns the member's externalId.
func (m *Member) ExternalID() string { return m.Attributes.Get(AttrExternalID) }

// DisplayName returns the name to show: displayName, else the full name, else the userName.
func (m *Member) DisplayName() string {
	if v := m.Attributes.Get(AttrDisplayName); v != "" {
		return v
	}
	given, family := m.Attributes.Get(AttrGivenName), m.Attributes.Get(AttrFamilyName)
	switch {
	case given != "" && family != "":
		return given + " " + family
	case given+family != "":
		return given + family
	}
	return m.UserName()
}

// Email returns the work email, else the primary one, else the first.
func (m *Member) Email() string { return m.Attributes.Email() }

// AsOf is the commit sequence of the last thing that was said of the member here: a run plans against it, and its
// commit is refused as stale when it has moved.
func (m *Member) AsOf() int64 { return max(m.Seq, m.PushedSeq) }

// Team is what an IdP group becomes.
type Team struct {
	ID           string
	Org          string
	DisplayName  string
	ExternalID   string
	Status       Status // Active or Deleted
	Source       Source
	Connection   string
	ExternalIDBy Writer
	Version      int64
	Seq          int64
	PushedSeq    int64
	PushedAt     time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
	// Listings counts the pushes of the whole list of members, and ListedSeq is the commit sequence of the last one. Each
	// speaks of every membership there is or could be, without writing its row; see Membership.Listed.
	Listings  int64
	ListedSeq int64
	Pending   int64 // remembered values; see Reference
	Nested    int64 // groups within
}

// Managed reports whether the team's people come from an IdP, claimed or not: it takes no member by hand.
func (t *Team) Managed() bool { return t.Source == SourceSCIM }

// AsOf is as for a member. Changes of the membership don't move it.
func (t *Team) AsOf() int64 { return max(t.Seq, t.PushedSeq) }

// Values returns the attributes of a team that a connection manages.
func (t *Team) Values() map[string]string {
	return map[string]string{AttrDisplayName: t.DisplayName, AttrExternalID: t.ExternalID}
}

// Membership ties a member to a team. A removed one stays as a tombstone (Present false), so that a snapshot older than
// the removal can't bring it back.
type Membership struct {
	Org      string
	TeamID   string
	MemberID string
	Present  bool
	Version  int64
	Seq      int64
	PushedAt time.Time // when a push last spoke of it
}

// Listed returns a membership as the pushes of its team's whole list leave it: they count as if each had moved the row,
// or left a tombstone where there is none. m may be nil. A run plans and applies against that.
func (t *Team) Listed(member string, m *Membership) *Membership {
	if t.Listings == 0 {
		return m
	}
	out := Membership{Org: t.Org, TeamID: t.ID, MemberID: member}
	if m != nil {
		out = *m
	}
	out.Version += t.Listings
	if t.ListedSeq > out.Seq {
		out.Seq = t.ListedSeq
		if t.PushedAt.After(out.PushedAt) {
			out.PushedAt = t.PushedAt
		}
	}
	return &out
}
