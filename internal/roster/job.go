package roster

import "time"

// Job is what was last read of the IdP's own provisioning job of a connection.
type Job struct {
	Target     string      `json:"target"` // of the connection when this was read: of another it says nothing
	ID         string      `json:"id"`
	State      JobState    `json:"state"`
	Quarantine *Quarantine `json:"quarantine,omitempty"`
	SteadyAt   time.Time   `json:"steady_at"` // when it last had nothing left to do
	Cycle      *JobCycle   `json:"cycle,omitempty"`
	Failures   int         `json:"failures"` // cycles in a row that failed whole
	ReadAt     time.Time   `json:"read_at"`  // when all of this was read; zero: never
	// Problem is why the job could not be read at the last attempt, in words for an administrator. What was read before
	// stands.
	Problem string `json:"problem,omitempty"`
	// LogProblem is the same for the job's log.
	LogProblem string `json:"log_problem,omitempty"`
	// RestartedAt is when a run last asked the IdP to restart the job, RestartProblem why it could not, or would not yet.
	RestartedAt    time.Time `json:"restarted_at"`
	RestartProblem string    `json:"restart_problem,omitempty"`
	// Scope is a digest of the job's rules of who is in scope, under which a run last read and applied everything.
	Scope string `json:"scope,omitempty"`
}

// JobState is what a provisioning job is doing.
type JobState string

// The states. JobNone: the application has no job; JobNotKnown: it was never read, or is in a state without a word here.
const (
	JobNone        JobState = "none"
	JobNotKnown    JobState = "unknown"
	JobNotSetUp    JobState = "not_set_up"
	JobNotRun      JobState = "not_run"
	JobActive      JobState = "active"
	JobPaused      JobState = "paused"
	JobQuarantined JobState = "quarantined"
)

// Quarantine is why the IdP slowed its job down, and since when.
type Quarantine struct {
	Reason  string    `json:"reason"` // the IdP's word
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since"`
	Next    time.Time `json:"next"` // when the job tries again; zero: not known
}

// TooManyDeletes is the reason of a quarantine in which the IdP itself holds removals back.
const TooManyDeletes = "TooManyDeletes"

// HoldsRemovals reports whether the IdP itself holds removals back.
func (j *Job) HoldsRemovals() bool {
	return j != nil && j.Quarantine != nil && j.Quarantine.Reason == TooManyDeletes
}

// JobCycle is the last cycle of a job.
type JobCycle struct {
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`
	Failed   bool      `json:"failed"`
	Escrowed int       `json:"escrowed"` // objects that failed and wait for another try
	Error    string    `json:"error,omitempty"`
}

// LogEntry is an entry of the IdP's provisioning log: what its job skipped or failed at, and why.
type LogEntry struct {
	Type     ObjectType // member or team
	ObjectID string     // the IdP's
	At       time.Time
	Failed   bool   // else skipped
	Reason   string // the IdP's word, e.g. RedundantSoftDelete
	Action   string // what the job meant to do, in its own word
	Text     string
}
