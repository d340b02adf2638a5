package roster

import (
	"context"
	"time"
)

// Store begins the transactions in which Commit works. A deadlock or serialisation failure is tried again from the
// start, so fn must be safe to call more than once.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
}

// MemberSelect picks members of one organisation, by any of the keys.
type MemberSelect struct {
	IDs          []string
	UserNameKeys []string // folded
	EmailKeys    []string // folded; local members only
}

// TeamSelect picks teams of one organisation, by any of the keys.
type TeamSelect struct {
	IDs         []string
	ExternalIDs []string
	Unlocked    bool // for what is only read
}

// Pair names a membership.
type Pair struct{ TeamID, MemberID string }

// LinkSelect picks links of one organisation, by any of the keys.
type LinkSelect struct {
	Type       ObjectType
	Targets    []string
	Connection string // for ObjectIDs
	ObjectIDs  []string
}

// ActionResult is what became of one of a run's actions.
type ActionResult struct {
	N     int64
	State ActionState
	Note  string
}

// MemberRow is a member to write. Rekeyed says that the userName key of a stored one changes, so that it is released
// before any key of the batch is set.
type MemberRow struct {
	Member
	New, Rekeyed bool
}

// TeamRow is a team to write.
type TeamRow struct {
	Team
	New, Rekeyed bool
}

// ScheduleRow is a schedule to write.
type ScheduleRow struct {
	Schedule
	New bool
}

// Rows is everything that one batch writes.
type Rows struct {
	Organisations  []Organisation
	Members        []MemberRow
	Teams          []TeamRow
	Memberships    []Membership
	Nestings       map[Nesting]bool // false: to be dropped
	References     []Reference
	DropRefs       []Reference
	Links          []Link
	DropLinks      []Link
	Refusals       []LinkRefusal
	DropRefusals   []LinkRefusal
	Touched        []Touch
	Tokens         []Token
	DropTokens     []string
	APIKeys        []APIKey
	DropAPIKeys    []string
	Connections    []Connection
	Runs           []Run
	Finished       []FinishedRun
	Schedules      []ScheduleRow
	DropSchedules  []Schedule
	PushWatches    []PushWatch
	Lifelines      []Lifeline
	Exclusions     []Exclusion
	DropExclusions []Exclusion
	Actions        map[string][]ActionResult // by run
	Events         []Event
	Requests       []Request
}

// Touch remembers that a push spoke of an object without changing it.
type Touch struct {
	Type      ObjectType
	ID        string
	PushedSeq int64
	PushedAt  time.Time
}

// Tx is one transaction. Reads lock what they return, in id order.
type Tx interface {
	// Now is the database's time, fixed for the transaction.
	Now() time.Time
	// Seq is the commit sequence number of the transaction.
	Seq() int64
	// Organisation reads the organisation by id; lock takes its row until the end.
	Organisation(ctx context.Context, id string, lock bool) (Organisation, error)
	// CheckFence locks the run and returns a Fenced error unless it is running under that fence.
	CheckFence(ctx context.Context, org, run string, fence int64) error
	Members(ctx context.Context, org string, sel MemberSelect) ([]Member, error)
	Teams(ctx context.Context, org string, sel TeamSelect) ([]Team, error)
	// MemberRefs reads what lists need to know of members, whatever their status, without locking them.
	MemberRefs(ctx context.Context, org string, sel RefSelect) ([]MemberRef, error)
	// Parallel reports whether other transactions write at the same time.
	Parallel() bool
	// LockNames locks values that may name somebody until the transaction's end, beside others or alone. Where nobody writes
	// in parallel it does nothing.
	LockNames(ctx context.Context, org string, beside, alone []string) error
	// References reads remembered values.
	References(ctx context.Context, org string, sel ReferenceSelect) ([]Reference, error)
	// TeamGroups returns the ids of the groups within a team.
	TeamGroups(ctx context.Context, org, team string) ([]string, error)
	Memberships(ctx context.Context, org string, pairs []Pair) ([]Membership, error)
	// TeamMemberships returns all rows of one team, tombstones too.
	TeamMemberships(ctx context.Context, org, team string) ([]Membership, error)
	Links(ctx context.Context, org string, sel LinkSelect) ([]Link, error)
	// LiveOwners counts owners who are pending or active.
	LiveOwners(ctx context.Context, org string) (int, error)
	Connections(ctx context.Context, org string) ([]Connection, error)
	Tokens(ctx context.Context, org string) ([]Token, error)
	APIKeys(ctx context.Context, org string) ([]APIKey, error)
	// OpenRuns returns a connection's runs that are queued, running or held.
	OpenRuns(ctx context.Context, org, connection string) ([]Run, error)
	Run(ctx context.Context, org, id string) (Run, error)
	// Schedules returns a connection's schedules.
	Schedules(ctx context.Context, org, connection string) ([]Schedule, error)
	// PushWatch returns what is remembered of a connection's pushes, and its lifeline; nil: it is on none.
	PushWatch(ctx context.Context, org, connection string) (PushWatch, *Lifeline, error)
	// LastPush is when a request by a token of a connection last came; zero: none is known.
	LastPush(ctx context.Context, org, connection string) (time.Time, error)
	// Exclusions returns those of a member or team that hold now.
	Exclusions(ctx context.Context, org string, typ ObjectType, id string) ([]Exclusion, error)
	// MoveActions sets the state of a run's actions that are in state from, of the given kinds (none: all), and
	// returns how many there were.
	MoveActions(ctx context.Context, run string, from, to ActionState, kinds []Kind) (int, error)
	// Owned counts what a connection owns or is linked to.
	Owned(ctx context.Context, org, connection string) (int, error)
	// OwnedBy returns the members and teams that a connection owns.
	OwnedBy(ctx context.Context, org, connection string) ([]Member, []Team, error)
	// Release makes a connection's objects unclaimed, drops its links and unbinds its tokens; it returns the counts.
	Release(ctx context.Context, org, connection string) error
	// Rename moves everything of one connection to another and removes the first.
	Rename(ctx context.Context, org, from, to string) error
	Write(ctx context.Context, org string, rows *Rows) error
}
