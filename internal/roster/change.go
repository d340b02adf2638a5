package roster

import (
	"time"
)

// Cause says who made a batch of changes and why. It is what the events of the batch carry.
type Cause struct {
	Actor  Actor
	Reason string
	// Connection is the id of the connection that a push's token is bound to, or that a run works for; empty: an
	// unbound token, or an operator. ConnectionName is what it is called, where the cause knows.
	Connection     string
	ConnectionName string
	By             Writer
	RequestID      string
	// Run is set for the batches of a run.
	Run *RunCause
	// Respond is set for pushes: it turns the outcomes into the answer and returns the request-log row, which is written
	// in the same transaction. It may be called again when the transaction is tried again.
	Respond func([]Outcome) (*Request, error)
	// Atomic undoes the whole batch when one change is stale or refused.
	Atomic bool
}

// RunCause names the run and the lease under which a batch is committed. Commit refuses an old fence.
type RunCause struct {
	ID    string
	Fence int64
	// Actions are the numbers of the run's actions that the changes carry out, one for each change; their states are
	// written in the same transaction. 0: the change carries out none.
	Actions []int64
	// Reasons are the words for the changes' events, one for each.
	Reasons []string
	// One is set for a run of mode one, which has no lease and so no fence.
	One *OneRun
}

// Result is what became of one change.
type Result string

// The results. Stale means that the object's version had moved.
const (
	Applied   Result = "applied"
	Unchanged Result = "unchanged"
	Stale     Result = "stale"
	Refused   Result = "refused"
)

// Outcome is what became of one change, with the object as it stands now.
type Outcome struct {
	Result  Result
	Err     *Error // for Refused and Stale
	ID      string
	Created bool
	Member  *Member
	Team    *Team
	// TeamMembers is the team's effective membership where the change named the whole of it, and TeamGroups the groups
	// within it.
	TeamMembers []MemberRef
	TeamGroups  []*Team
	// Remembered are the values named as members that are nobody's here, Waiting the ids named of members who are deleted.
	Remembered, Waiting []string
	// Joined are the teams that had named the member before they came.
	Joined     []*Team
	Token      *Token
	Run        *Run
	Connection *Connection
	Exclusions []Exclusion // those made, or ended
}

// Fate is what the outcome makes of the action that the change carried out, and why.
func (o *Outcome) Fate() (state ActionState, note string) {
	switch o.Result {
	case Stale:
		return ActionSkipped, o.Err.Message
	case Refused:
		return ActionRefused, o.Err.Message
	case Unchanged:
		return ActionSkipped, "it was so already"
	case Applied:
	}
	return ActionApplied, ""
}

// Change is one thing to do; the set of its kinds is closed.
type Change interface{ change() }

// MemberCreate makes a member, or restores a deleted one under the rule "Coming back" of the design.
type MemberCreate struct {
	ID         string // the new member's, where other changes of the batch name it; empty: one is made
	Attributes Attributes
	Active     bool
	Link       *Link // a run's creates come with their link
}

// MemberEdit changes attributes and whether the member is active. Edit sees the stored member and returns the wanted
// attributes (nil: unchanged) and activity (nil: unchanged); it may be called more than once and changes nothing itself.
type MemberEdit struct {
	ID      string
	Version int64 // 0: whatever it is now
	Edit    func(Member) (Attributes, *bool, error)
}

// MemberDelete is a SCIM DELETE: the member reads as 404 and can be restored within retention.
type MemberDelete struct {
	ID      string
	Version int64
}

// MemberPatch is a run's repair of one member: values to write and a change of status. Version is the member's AsOf as
// it was planned; when that has moved, the outcome is Stale.
type MemberPatch struct {
	ID      string
	Version int64
	Values  map[string]string
	Status  Action // ActDeactivate, ActReactivate, ActRestore or "" for none
	Link    *Link  // the link as it is to be kept after, if it changes
}

// MemberPass gives a member whom the cause's connection has lost to another connection that has them in scope. Where
// there is none any more, nothing happens.
type MemberPass struct {
	ID      string
	Version int64
}

// MemberInvite makes a local member, pending.
type MemberInvite struct {
	Email string
	Role  Role
}

// MemberSetStatus is an operator's deactivation or reactivation.
type MemberSetStatus struct {
	ID     string
	Active bool
}

// MemberAdopt hands a local member to a connection, keeping id, teams and keys.
type MemberAdopt struct {
	ID         string
	Connection string
	ByPolicy   bool // owners are adopted one by one, never by policy or in bulk
}

// LinkSet makes, moves or refreshes a link. Claim takes an unclaimed target for the connection.
type LinkSet struct {
	Link   Link
	Claim  bool
	Reason string
	// Event says whether the change is told (made, moved) or only remembered (as last seen).
	Event string
}

// LinkDrop removes a connection's link to a target. With Refuse it is an operator who says that the two are not the same:
// no rule links them again until an operator does.
type LinkDrop struct {
	Connection string
	Type       ObjectType
	ObjectID   string
	Refuse     bool
}

// TeamCreate makes a team, or restores a deleted one with the same non-empty externalId.
type TeamCreate struct {
	DisplayName string
	ExternalID  string
	Members     []string
	Link        *Link
	Local       bool
}

// TeamEdit changes a team's names and members. With Replace, Set is the whole membership; else Add and Remove apply.
// Version is the team's version for a push, its AsOf for a run; 0: whatever it is now.
type TeamEdit struct {
	ID          string
	Version     int64
	DisplayName *string
	ExternalID  *string
	Replace     bool
	Set         []string
	Add         []string
	Remove      []string
	Link        *Link
}

// TeamDelete is a SCIM DELETE, or a run's removal of an orphaned team. Memberships are kept without effect.
type TeamDelete struct {
	ID      string
	Version int64
	Link    *Link
}

// TeamRestore brings a deleted team back with id and memberships.
type TeamRestore struct {
	ID      string
	Version int64
	Values  map[string]string
	Link    *Link
}

// MembershipSet is a run's add or remove of one membership; Version is the row's as planned, 0 for no row.
type MembershipSet struct {
	TeamID   string
	MemberID string
	Present  bool
	Version  int64
}

// OrgCreate makes an organisation.
type OrgCreate struct {
	ID   string
	Name string
	SCIM bool
}

// OrgSCIM switches pushes on or off.
type OrgSCIM struct{ On bool }

// TokenCreate stores a new token's digest.
type TokenCreate struct{ Token Token }

// TokenSet disables or enables a token.
type TokenSet struct {
	ID       string
	Disabled bool
}

// TokenDelete removes a token.
type TokenDelete struct{ ID string }

// APIKeyCreate stores a new key's digest.
type APIKeyCreate struct{ Key APIKey }

// APIKeyDelete removes a key.
type APIKeyDelete struct{ ID string }

// ConnectionSync brings what is stored of a connection in line with the configuration's entry.
type ConnectionSync struct {
	Name       string
	Kind       ConnectionKind
	Target     string
	Settings   string
	Managed    []string
	AdoptLocal bool
	Settle     time.Duration
	Schedules  []Schedule // at most one of a mode; Next is worked out
}

// ConnectionDetach is for an entry that left the configuration.
type ConnectionDetach struct {
	ID     string
	Reason string
}

// ConnectionRebind accepts a detached connection's new target.
type ConnectionRebind struct{ ID string }

// ConnectionRename gives the file's entry To, which must own nothing yet, everything of From.
type ConnectionRename struct{ From, To string }

// ConnectionRelease makes a detached connection's objects unclaimed, drops its links and unbinds its tokens.
type ConnectionRelease struct{ ID string }

// RunRequest asks for a run; it joins one that is queued already. With Due it is the connection's schedule of that mode
// that asks: the schedule moves on in the same commit, and the outcome is stale where that is not its due time any more.
type RunRequest struct {
	Connection string
	Mode       Mode
	By         string
	Due        time.Time
}

// RunCancel asks a run to stop at the next safe point, or drops what it holds.
type RunCancel struct {
	ID string
	By string
}

// RunApprove approves a held plan, or those of its actions of the given kinds.
type RunApprove struct {
	ID   string
	Only []Kind
	By   string
}

func (MemberCreate) change()      {}
func (MemberEdit) change()        {}
func (MemberDelete) change()      {}
func (MemberPatch) change()       {}
func (MemberPass) change()        {}
func (MemberInvite) change()      {}
func (MemberSetStatus) change()   {}
func (MemberAdopt) change()       {}
func (LinkSet) change()           {}
func (LinkDrop) change()          {}
func (TeamCreate) change()        {}
func (TeamEdit) change()          {}
func (TeamDelete) change()        {}
func (TeamRestore) change()       {}
func (MembershipSet) change()     {}
func (OrgCreate) change()         {}
func (OrgSCIM) change()           {}
func (TokenCreate) change()       {}
func (TokenSet) change()          {}
func (TokenDelete) change()       {}
func (APIKeyCreate) change()      {}
func (APIKeyDelete) change()      {}
func (ConnectionSync) change()    {}
func (ConnectionDetach) change()  {}
func (ConnectionRebind) change()  {}
func (ConnectionRename) change()  {}
func (ConnectionRelease) change() {}
func (RunRequest) change()        {}
func (RunCancel) change()         {}
func (RunApprove) change()        {}
