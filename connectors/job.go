package connectors

import (
	"context"
	"time"
)

// Job is the IdP's own provisioning job: what pushes people and groups to us.
type Job struct {
	ID    string
	State JobState
	// Quarantine is set while the IdP has slowed the job down because of what went wrong.
	Quarantine *Quarantine
	// SteadySince is when the job last had nothing left to do; zero: never.
	SteadySince time.Time
	Last        *JobCycle // the last cycle, whatever its end
	LastGood    *JobCycle
	Failures    int // cycles in a row that failed whole
	// Settings are the job's own, under the IdP's names.
	Settings map[string]string
}

// JobState is what a job is doing.
type JobState string

// The states of a job.
const (
	JobNotSetUp    JobState = "not_set_up" // there is a job, and nothing for it to work with
	JobNotRun      JobState = "not_run"    // set up, and no cycle has ended
	JobActive      JobState = "active"
	JobPaused      JobState = "paused"
	JobQuarantined JobState = "quarantined"
	JobUnknown     JobState = "unknown" // a state that this version has no word for
)

// Quarantine is why a job was slowed down, and since when.
type Quarantine struct {
	Reason  string    // the IdP's own word, e.g. TooManyDeletes
	Message string    // what the IdP says about it; may be empty
	Since   time.Time // when the present series began; zero: the IdP does not say
	Next    time.Time // when the job tries again; zero: the IdP does not say
}

// TooManyDeletes is the reason of a quarantine that holds back deprovisioning, so that a mistake in the IdP removes
// nobody. A run must not do what the IdP itself is holding back.
const TooManyDeletes = "TooManyDeletes"

// JobCycle is one cycle of a job.
type JobCycle struct {
	ID                 string
	Began, Ended       time.Time
	Failed             bool
	Imported, Exported int
	Escrowed           int    // objects that failed and wait for another try
	Error              string // the IdP's code and message of a cycle that failed
}

// JobReader reads the IdP's own provisioning job. Its errors must not fail a run: the job is evidence, not a source.
type JobReader interface {
	// Job reads the application's job; where there are several, the one that needs attention most. nil: there is none.
	Job(ctx context.Context) (*Job, error)
}

// JobController acts on the IdP's own provisioning job. It needs more permissions than reading does.
type JobController interface {
	// CheckJob has the IdP try the credentials that it has for the job. An error says that they don't work.
	CheckJob(ctx context.Context, jobID string) error
	// RestartJob ends a quarantine: the job looks at everybody again, and tries what failed. What it holds back as too many
	// deletions stays held.
	RestartJob(ctx context.Context, jobID string) error
	// Provision has the job send one person now, by object id, whatever state it is in.
	Provision(ctx context.Context, jobID, objectID string) (Provisioned, error)
}

// Provisioned is what came of sending one person.
type Provisioned struct {
	Outcome ProvisionOutcome
	Action  string // what the job did, in the IdP's word: create, update, disable, delete, other
	Reason  string // the IdP's word for why it was skipped or failed
	Text    string
}

// ProvisionOutcome is what came of an attempt.
type ProvisionOutcome string

// The outcomes.
const (
	ProvisionDone    ProvisionOutcome = "done"
	ProvisionSkipped ProvisionOutcome = "skipped"
	ProvisionFailed  ProvisionOutcome = "failed"
)

// JobSchemaReader reads how the provisioning job maps and scopes what it pushes.
type JobSchemaReader interface {
	JobSchema(ctx context.Context, jobID string) (*JobSchema, error)
}

// JobSchema is how a provisioning job maps and scopes what it pushes.
type JobSchema struct {
	Objects []JobObject
}

// JobObjectKind says what a mapping of a job is about.
type JobObjectKind string

// The kinds of objects.
const (
	JobUsers  JobObjectKind = "users"
	JobGroups JobObjectKind = "groups"
	JobOther  JobObjectKind = "other"
)

// JobObject is the mapping of one kind of object.
type JobObject struct {
	RuleID     string // the IdP's id of the rule that the mapping is part of
	Name       string
	Kind       JobObjectKind
	Source     string // the IdP's name of the kind, e.g. User
	Target     string // the target's, e.g. urn:ietf:params:scim:schemas:extension:enterprise:2.0:User
	Enabled    bool
	Creates    bool
	Updates    bool
	Deletes    bool
	Attributes []JobAttribute
	// Scope is who is in scope: whoever one of the groups of clauses lets in; everybody assigned where it is empty.
	Scope []JobScope
}

// JobSourceType says what an attribute's value is made from.
type JobSourceType string

// The types of sources.
const (
	JobFromAttribute JobSourceType = "attribute"
	JobFromConstant  JobSourceType = "constant"
	JobFromFunction  JobSourceType = "function"
)

// JobAttribute is where a job takes the value of one target attribute from.
type JobAttribute struct {
	// Target is the attribute as the job names it, e.g. userName, emails[type eq "work"].value or
	// urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department.
	Target string
	Type   JobSourceType
	Source string // the IdP's attribute, the constant, or the function's name, by Type
	// Expression is the whole source as the IdP writes it, e.g. [userPrincipalName] or
	// Switch([IsSoftDeleted], , "False", "True", "True", "False").
	Expression string
	Default    string // the value in place of none
	// Matching is the attribute's place among those that the job finds existing objects by, 1 first; 0: it is none of them.
	Matching int
	// OnCreate: the value is sent only with the creation of an object.
	OnCreate bool
}

// JobScope is a group of clauses that must all hold.
type JobScope struct {
	Name    string
	Clauses []JobClause
}

// JobClause compares one attribute of the IdP's object.
type JobClause struct {
	Attribute string   // the IdP's attribute
	Operator  string   // as the IdP names it, e.g. EQUALS, IS NOT NULL, REGEX MATCH
	Values    []string // none for operators that compare with nothing
}

// ScopeReader tells by which rules of the IdP's own job it is decided who is in scope. A run asks before it reads; what it
// reads, and its second looks, follow the rules by themselves.
type ScopeReader interface {
	Scope(ctx context.Context) (Scope, error)
}

type lastScopeKey struct{}

// WithLastScope returns a context for ScopeReader.Scope that knows the digest of the rules under which a run last read and
// applied everything.
func WithLastScope(ctx context.Context, rules string) context.Context {
	return context.WithValue(ctx, lastScopeKey{}, rules)
}

// LastScope returns that digest; ok is false where no run has read and applied everything yet.
func LastScope(ctx context.Context) (rules string, ok bool) {
	rules, ok = ctx.Value(lastScopeKey{}).(string)
	return rules, ok
}

// Scope is what a run has to know of those rules.
type Scope struct {
	// Rules is a digest of them: while it differs from that of the last run that read and applied everything, a run is held
	// as after a change of the connection's own settings. "": whoever is assigned is in scope.
	Rules string
	// Filtered: scoping filters decide as well, and are followed.
	Filtered bool
	// KeepOutOfScope says in words why who merely goes out of scope keeps their account; "": they lose it.
	KeepOutOfScope string
	// Notes say what of the rules could not be read, or can't be judged, and what a run does about it.
	Notes []string
}
