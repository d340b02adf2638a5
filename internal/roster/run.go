package roster

import "time"

// Mode is how much a run reads and whether it writes.
type Mode string

// The modes of a run.
const (
	ModeFull  Mode = "full"
	ModeDelta Mode = "delta"
	ModeDry   Mode = "dry"
	ModeOne   Mode = "one"
)

// RunState is where a run is.
type RunState string

// The states of a run. Partial means that something was not read or not applied; held that a plan waits for approval.
const (
	RunQueued    RunState = "queued"
	RunRunning   RunState = "running"
	RunHeld      RunState = "held"
	RunDone      RunState = "done"
	RunPartial   RunState = "partial"
	RunFailed    RunState = "failed"
	RunCancelled RunState = "cancelled"
)

// Finished reports whether a run of this state has ended; a held one has, though its held plan stays open.
func (s RunState) Finished() bool { return s != RunQueued && s != RunRunning }

// HeldLimit is one limit that a plan crossed, with its figures.
type HeldLimit struct {
	Limit   string `json:"limit"`   // "members", "memberships", "reactivations", "team", "first_run", "settings", "target", "too_many_deletes", "unlinked", "mapping_mismatch", "renames", "conflicts", "policy"
	Actions int    `json:"actions"` // how many actions are held by it
	Of      int    `json:"of"`      // what the connection owned when the run, or the day, began
	Ceiling int    `json:"ceiling,omitempty"`
	Floor   int    `json:"floor,omitempty"`
	Percent int    `json:"percent,omitempty"`
	Window  string `json:"window,omitempty"` // "run" or "24h"
	Text    string `json:"text"`             // the same for a person
}

// Run is one pull, plan, guard and apply; a row. All but resyncs of one person hold a lease and a fence.
type Run struct {
	ID             string
	Org            string
	Connection     string
	ConnectionName string
	Mode           Mode
	State          RunState
	RequestedBy    string
	Complete       bool
	Held           []HeldLimit
	Totals         map[Kind]int
	Error          string
	Fault          string // the class of what the IdP refused, where that ended the run: "bad_credentials", ...
	// Fence is the number of the lease under which the run works now; Commit refuses an older one.
	Fence       int64
	LeaseHolder string
	LeaseUntil  time.Time
	Cancel      bool // cancelling was asked for
	Approval    bool // approved actions wait to be applied
	Approver    string
	Pages       int
	Objects     int
	// Expected is how many objects the pull is going to read; 0: that isn't known. An estimate goes by the last run.
	Expected         int
	ExpectedEstimate bool
	Compared         int // objects that the plan has dealt with
	Applied          int
	Phase            string
	Note             string // what is to be known of the run beside its state: why a delta was read in full, what was caught up
	Said             *Said  // of a run of mode one: what was seen
	CreatedAt        time.Time
	StartedAt        time.Time
	FinishedAt       time.Time
	Timings          Timings
	PlanDropped      bool // the plan's actions are too old to be kept
}

// Timings says how long the phases of a run took; what was approved later is a part of Apply. Of a run that another holder
// took over, they are that one's.
type Timings struct {
	Pull  time.Duration `json:"pull,omitempty"`
	Plan  time.Duration `json:"plan,omitempty"`
	Apply time.Duration `json:"apply,omitempty"`
}

// Queued is how long the run waited until it began.
func (r *Run) Queued() time.Duration {
	if r.StartedAt.IsZero() {
		return 0
	}
	return max(0, r.StartedAt.Sub(r.CreatedAt))
}

// Said is what a resync of one person saw and did, in words and values.
type Said struct {
	Key      string            `json:"key"`       // as the operator gave it
	ObjectID string            `json:"object_id"` // the IdP's; empty: the IdP has no such person
	MemberID string            `json:"member_id"` // ours; empty: nobody here
	There    string            `json:"there"`     // what the IdP said, in words
	Here     string            `json:"here"`      // what was stored, in words
	Done     string            `json:"done"`      // what was done, in words
	Wanted   map[string]string `json:"wanted"`    // the mapped attributes there
	Stored   map[string]string `json:"stored"`    // the same attributes as they were here
}

// ActionState is what became of one planned action.
type ActionState string

// The states of an action of a run.
const (
	ActionPlanned  ActionState = "planned"
	ActionApplied  ActionState = "applied"
	ActionHeld     ActionState = "held"
	ActionApproved ActionState = "approved" // held before, to be applied by the same run
	ActionSkipped  ActionState = "skipped"  // changed since it was planned
	ActionRefused  ActionState = "refused"
	ActionListed   ActionState = "listed" // action none: nothing to do
)

// RunAction is one row of a run's plan.
type RunAction struct {
	Run   string
	N     int64 // order within the run: the phase, then as planned
	Phase int
	Drift Drift
	State ActionState
	Note  string // why it was held, skipped or refused
}
