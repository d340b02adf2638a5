package roster

import "time"

// Kind names what differs. The set is closed.
type Kind string

// The drift kinds.
const (
	MissingMember       Kind = "missing_member"
	RedundantSoftDelete Kind = "redundant_soft_delete"
	OrphanedMember      Kind = "orphaned_member"
	StaleMember         Kind = "stale_member"
	StaleTeam           Kind = "stale_team"
	MissingTeam         Kind = "missing_team"
	OrphanedTeam        Kind = "orphaned_team"
	MissingMembership   Kind = "missing_membership"
	ExtraMembership     Kind = "extra_membership"
	MissingKey          Kind = "missing_key"
	ExtraKey            Kind = "extra_key"
	ConflictKind        Kind = "conflict"
	// LinkKind marks a row of a run that makes or moves a link: an event, not drift, and so never listed.
	LinkKind Kind = "link"
)

// Action is what a drift's repair does.
type Action string

// The actions. ActNone lists a difference with nothing to do: a conflict, something held elsewhere, or reported only.
const (
	ActCreate     Action = "create"
	ActUpdate     Action = "update"
	ActDeactivate Action = "deactivate"
	ActReactivate Action = "reactivate"
	ActRestore    Action = "restore"
	ActDelete     Action = "delete"
	ActAdd        Action = "add"
	ActRemove     Action = "remove"
	ActGrant      Action = "grant"
	ActRevoke     Action = "revoke"
	ActNone       Action = "none"
)

// Evidence is one thing that was seen, where and when.
type Evidence struct {
	Source string    `json:"source"` // "graph", "okta", "scim", "push", "store", "provisioning_log", "provisioning_job"
	Time   time.Time `json:"time"`
	Text   string    `json:"text"`
}

// Subject names what a drift or event is about. ID is ours and empty for what is not here yet; ObjectID is the IdP's.
type Subject struct {
	Type     ObjectType
	ID       string
	Name     string
	ObjectID string
}

// WantedMember is one person as the IdP has them, mapped to our attributes.
type WantedMember struct {
	ObjectID string
	Values   map[string]string // managed attribute path to value
	// Problem says which attributes the mapping can't work out for this person, and why; Values don't have those.
	Problem string
	Enabled bool
	// Keep: what the person is here, on or off, stays as it is, whatever Enabled says; who is unknown here isn't created.
	Keep bool
	// Gone says in words that the IdP itself told that they left; Enabled is false then, and Values are not theirs.
	Gone string
	// OutOfScope: that they went out of scope is all that Gone, or Enabled, says; their account there is as it was.
	OutOfScope bool
	// Off says in words why they are off, or gone, where the mapping decides so; empty: the IdP itself does.
	Off string
	// Clear lists the attributes whose empty value takes away what is stored; every other empty value changes nothing.
	Clear []string
	// MemberID is our id of them as the IdP keeps it (Okta's AppUser.externalId); "" where it keeps none.
	MemberID string
	Stamp    int64  // the commit sequence read before the page that speaks of them was asked for
	Scope    string // why they are in scope, in words: "assigned directly", "through group Engineering"
}

// UserName returns the wanted userName.
func (w *WantedMember) UserName() string { return w.Values[AttrUserName] }

// WantedTeam is one group in scope, mapped.
type WantedTeam struct {
	ObjectID    string
	DisplayName string
	ExternalID  string // empty: not mapped
	Stamp       int64
}

// Look is a re-read of one person made for the purpose: "who are they now, and are they in scope now?"
type Look struct {
	Stamp   int64 // the commit sequence read before the look
	At      time.Time
	Found   bool          // the IdP knows the object
	InScope bool          // the person's own assignments say so
	There   *WantedMember // what it says now; nil when not found
	Why     string        // what became of them, or keeps them out of scope, in words; may be empty
}

// Match is a stored member that a first-link rule, or the uniqueness of userName, brings up for an IdP object.
type Match struct {
	Member       Member
	ByID         bool // the IdP's externalId equals our id
	ByExternalID bool // our externalId equals the IdP's object id
	ByUserName   bool
	ByEmail      bool
	// LinkedObject is the object of this connection that the member is linked to already; LinkedWants is the userName
	// which that object has in the snapshot now ("" when the snapshot is silent of it, or has it disabled), LinkedSeen the
	// one that a run last saw (LinkedUnseen: none has yet).
	LinkedObject string
	LinkedWants  string
	LinkedSeen   string
	LinkedUnseen bool
	// Namesake is the object in the snapshot that has the member's userName, where the member was found by email alone.
	Namesake  string
	Protected bool // the member is the organisation's last owner who is not deactivated
}

// MemberCandidate is one person of whom there and here may differ.
type MemberCandidate struct {
	ObjectID  string        // the IdP's; empty for a stored member without a link
	There     *WantedMember // nil: the snapshot is silent of them
	Link      *Link         // this connection's
	Here      *Member       // what the link points to, or the stored member without a link
	Matches   []Match       // other stored members, none of them deleted, that the rules bring up
	Refused   []string      // the members whose link to the object an operator undid: no rule links them again
	Protected bool          // Here is the organisation's last owner who is not deactivated
	HeldBy    string        // the run whose open held plan covers the object
	PassTo    string        // another connection whose link still has the person in scope, when this one owns them
	// SilenceStamp dates the silence when There is nil: taken before the first request of the lists.
	SilenceStamp int64
	// Ungranted: a delta read the assignment list whole, it does not hold them, and no group in it is known to. With There
	// nil it counts as silence in lists read whole does, and like that takes a look.
	Ungranted bool
	Look      *Look
}

// TeamLook is a re-read of one group.
type TeamLook struct {
	Stamp   int64
	At      time.Time
	Found   bool
	InScope bool // the group's own assignment says so
	There   *WantedTeam
}

// TeamMatch is a stored team that a first-link rule brings up.
type TeamMatch struct {
	Team          Team
	ByExternalID  bool
	ByDisplayName bool
	LinkedObject  string
}

// TeamCandidate is one group of which there and here may differ.
type TeamCandidate struct {
	ObjectID string
	There    *WantedTeam
	Link     *Link
	Here     *Team
	Matches  []TeamMatch // deleted teams only with the same non-empty externalId
	Refused  []string    // the teams whose link to the group an operator undid
	Members  int         // members that count now
	HeldBy   string
	// SilenceStamp dates the silence when There is nil: taken before the first request of the list.
	SilenceStamp int64
	Look         *TeamLook
}

// PlannedFor is what this run already plans for the member or team of a membership.
type PlannedFor struct {
	Kind   Kind
	Action Action
	Held   bool
}

// MembershipCandidate is one membership that exists on one side only.
type MembershipCandidate struct {
	TeamObject, MemberObject string
	There                    bool  // the group's list holds the person
	Stamp                    int64 // of the page that says so, or, for silence, taken before the list's first request
	ListWhole                bool
	Left                     bool // the IdP says that the person left the group
	Enabled                  bool // the person is in scope and enabled there
	TeamID, MemberID         string
	TeamName, UserName       string
	TeamOwner                string // the connection that owns the team
	TeamMembers              int    // members of the team that count now
	TeamStatus               Status // "" when it is not here yet
	MemberStatus             Status // "" when they are not here yet
	MemberLinked             bool   // the member is linked to this connection
	Row                      *Membership
	TeamPlan, MemberPlan     *PlannedFor
	HeldBy                   string
	// Look is a re-read of the group's list: whether it holds the person now; nil before one was made.
	Look      *bool
	LookStamp int64
	LookAt    time.Time
}

// Drift is one explained difference with the action that repairs it, and what apply needs to carry it out.
type Drift struct {
	Kind     Kind
	Action   Action
	Subject  Subject
	Reason   string
	Evidence []Evidence
	// Values are the attributes to write, Before what they are now; for a team the paths are displayName and externalId.
	Values map[string]string
	Before map[string]string
	// Version is what the action was planned against: the AsOf of a member or team, the Version of a membership's row; 0
	// for something new. An update that follows a reactivation or restore of the same object has the same.
	Version int64
	// TeamObject and MemberObject name a membership's ends by the IdP's ids, so that ends made in this run resolve.
	TeamObject, MemberObject string
	TeamID, MemberID         string
	// AlwaysHeld says that no limit decides: a person does.
	AlwaysHeld string
	// Needs are the classes of actions that must be applied for this one to be: while such a class is held, so is this.
	Needs []Guarded
	// Waits says which held action this one was seen to wait for when it was planned.
	Waits string
	// TeamName and TeamSize, the members of the team that count now, come with a membership or a deleted team.
	TeamName string
	TeamSize int
	// Uncounted says that no limit counts the removal: the membership's member has no access, or loses it in this run.
	Uncounted bool
	// Again says that the next run is to judge the object anew, also one that reads only what has changed.
	Again bool
	// State of the link that comes with the action, and the fingerprint seen.
	Link *Link
}

// Guarded says which limit counts the drift.
type Guarded string

// The classes of guarded actions.
const (
	GuardNone       Guarded = ""
	GuardMember     Guarded = "members"
	GuardMembership Guarded = "memberships"
	GuardReactivate Guarded = "reactivations"
	GuardTeam       Guarded = "teams"
	// GuardRename is no class of its own: it is what an action needs that takes a userName which another member gives up
	// first, and is held with the updates of userName.
	GuardRename Guarded = "renames"
	// GuardNewMember and GuardNewTeam are no classes either: what memberships need whose end is made, or restored, by the same run.
	GuardNewMember Guarded = "new_members"
	GuardNewTeam   Guarded = "new_teams"
)

// Guard returns the class of limits that the drift's action counts against.
func (d *Drift) Guard() Guarded {
	switch {
	case d.Kind == OrphanedMember && d.Action == ActDeactivate:
		return GuardMember
	case d.Kind == ExtraMembership && d.Action == ActRemove:
		return GuardMembership
	case d.Kind == RedundantSoftDelete && (d.Action == ActReactivate || d.Action == ActRestore):
		return GuardReactivate
	case d.Kind == OrphanedTeam && d.Action == ActDelete:
		return GuardTeam
	}
	return GuardNone
}

// Values returns what the IdP wants of the team.
func (w *WantedTeam) Values() map[string]string {
	return map[string]string{AttrDisplayName: w.DisplayName, AttrExternalID: w.ExternalID}
}
