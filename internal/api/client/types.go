// Package client is the management API's wire types and its Go client. The JSON here is the contract that `--json`
// prints; it is kept stable.
package client

import (
	"encoding/json"
	"time"
)

// Organisation is a tenant.
type Organisation struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	SCIM      bool      `json:"scim" doc:"whether pushes are taken"`
	CreatedAt time.Time `json:"created_at"`
}

// Token is a SCIM bearer token. Token itself is there only in the answer that creates it.
type Token struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Token      string     `json:"token,omitempty" doc:"shown once, in the answer that creates it"`
	Connection *string    `json:"connection" doc:"name of the connection it is bound to; null: unbound"`
	ExpiresAt  *time.Time `json:"expires_at" doc:"null: never"`
	Disabled   bool       `json:"disabled"`
	LastUsedAt *time.Time `json:"last_used_at"`
	CreatedAt  time.Time  `json:"created_at"`
	DaysLeft   *int       `json:"days_left,omitempty" doc:"whole days until it expires; left out: never"`
	From       []string   `json:"from,omitempty" doc:"the ranges of addresses that it is taken from; left out: any"`
	Rate       int        `json:"rate,omitempty" doc:"requests a second that each replica takes with it; left out: any number"`
}

// TokenCheck says what is wrong with a token for an organisation.
type TokenCheck struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems" doc:"each with the way out"`
	Token    *Token   `json:"token" doc:"null: it is none of this organisation"`
}

// APIKey opens the management API for one organisation. Key itself is there only in the answer that creates it.
type APIKey struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	Key       string     `json:"key,omitempty" doc:"shown once, in the answer that creates it"`
	ExpiresAt *time.Time `json:"expires_at" doc:"null: never"`
	CreatedAt time.Time  `json:"created_at"`
}

// Member is a person in an organisation.
type Member struct {
	ID          string   `json:"id"`
	UserName    string   `json:"user_name"`
	ExternalID  string   `json:"external_id"`
	DisplayName string   `json:"display_name"`
	Email       string   `json:"email"`
	Status      string   `json:"status" enum:"pending,active,deactivated,deleted"`
	Source      string   `json:"source" enum:"scim,local"`
	Role        string   `json:"role" enum:"owner,admin,viewer,member"`
	Connection  *string  `json:"connection" doc:"name of the owning connection; null: unclaimed or local"`
	Teams       []string `json:"teams" doc:"display names"`
}

// Team is what an IdP group becomes.
type Team struct {
	ID          string   `json:"id"`
	DisplayName string   `json:"display_name"`
	ExternalID  string   `json:"external_id"`
	Managed     bool     `json:"managed"`
	Status      string   `json:"status" enum:"active,deleted"`
	Connection  *string  `json:"connection"`
	Members     []string `json:"members" doc:"user names"`
	Awaited     int      `json:"awaited,omitempty" doc:"how many members a push named who are not here yet; left out: none"`
}

// Awaited is a member whom a push named and who is not here yet.
type Awaited struct {
	Value   string    `json:"value" doc:"as the push named them: an id, or an externalId"`
	Since   time.Time `json:"since"`
	Token   string    `json:"token" doc:"the name of the token of that push"`
	Request string    `json:"request" doc:"the id of that push in the request log"`
}

// Connection is an organisation's tie to one IdP application.
type Connection struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	State   string `json:"state" enum:"ok,failing,held,paused,detached"`
	Reason  string `json:"reason,omitempty" doc:"why it is detached, paused or failing"`
	Target  string `json:"target"`
	Members int    `json:"members" doc:"members it owns"`
	Teams   int    `json:"teams"`
	// Quarantine and Job are what the last run read of the IdP's own job.
	Quarantine *Quarantine `json:"quarantine,omitempty" doc:"of the IdP's own job; left out: it is in none"`
	Job        *Job        `json:"job,omitempty" doc:"left out: the IdP has none that can be read, or no run has read it yet"`
	Paused     *Pause      `json:"paused,omitempty" doc:"left out: it is not paused"`
	Policy     *Policy     `json:"policy,omitempty" doc:"left out: it has no runs"`
	Lifeline   *Lifeline   `json:"lifeline,omitempty" doc:"left out: pushes are healthy, as far as is known"`
	Lifelines  []Lifeline  `json:"lifelines,omitempty" doc:"the last ten, the newest first; of one connection alone"`
	Blackout   *Blackout   `json:"blackout,omitempty" doc:"left out: its schedule has none"`
}

// ConnectionTest is the answer of a connection test.
type ConnectionTest struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Message string `json:"message"`
}

// Subject names what an action or event is about.
type Subject struct {
	Type     string  `json:"type" enum:"member,team,membership,key"`
	ID       *string `json:"id" doc:"null for what is not here yet"`
	Name     string  `json:"name"`
	ObjectID string  `json:"object_id" doc:"the IdP's id"`
}

// Evidence is one thing that was seen, where and when.
type Evidence struct {
	Source string    `json:"source"`
	Time   time.Time `json:"time"`
	Text   string    `json:"text"`
}

// Action is one drift with the action that repairs it.
type Action struct {
	Kind     string            `json:"kind"`
	Subject  Subject           `json:"subject"`
	Action   string            `json:"action"`
	Reason   string            `json:"reason"`
	Evidence []Evidence        `json:"evidence"`
	State    string            `json:"state,omitempty" enum:"planned,applied,held,approved,skipped,refused,listed"`
	Note     string            `json:"note,omitempty" doc:"why it was held, skipped or refused"`
	Before   map[string]string `json:"before,omitempty"`
	After    map[string]string `json:"after,omitempty"`
}

// HeldLimit is a limit that a plan crossed, with its figures.
type HeldLimit struct {
	Limit   string `json:"limit"`
	Actions int    `json:"actions"`
	Of      int    `json:"of"`
	Ceiling int    `json:"ceiling,omitempty"`
	Floor   int    `json:"floor,omitempty"`
	Percent int    `json:"percent,omitempty"`
	Window  string `json:"window,omitempty"`
	Text    string `json:"text"`
}

// Progress is how far a run has come.
type Progress struct {
	Phase   string `json:"phase"`
	Pages   int    `json:"pages"`
	Objects int    `json:"objects"`
	Applied int    `json:"applied"`
	// Compared grows to Objects while the plan is made.
	Compared int `json:"compared" doc:"how many objects the plan has dealt with"`
	// Total is what Objects grows to.
	Total           int  `json:"total" doc:"how many objects the pull is going to read; 0: not known"`
	TotalIsEstimate bool `json:"total_is_estimate" doc:"the total, or a part of it, is what earlier runs found"`
}

// Person is what a resync of one person saw and did.
type Person struct {
	Key      string            `json:"key" doc:"as it was given"`
	ObjectID string            `json:"object_id" doc:"the IdP's id; empty: the IdP has no such person"`
	MemberID *string           `json:"member_id" doc:"null: nobody here"`
	There    string            `json:"there" doc:"what the IdP said"`
	Here     string            `json:"here" doc:"what was stored"`
	Done     string            `json:"done" doc:"what was done, and why something was not"`
	Wanted   map[string]string `json:"wanted,omitempty" doc:"the mapped attributes, as the IdP has them"`
	Stored   map[string]string `json:"stored,omitempty" doc:"the same attributes, as they were here"`
}

// Run is one pull, plan, guard and apply.
type Run struct {
	Run          string         `json:"run"`
	Organisation string         `json:"organisation"`
	Connection   string         `json:"connection"`
	Mode         string         `json:"mode" enum:"full,delta,dry,one"`
	State        string         `json:"state" enum:"queued,running,held,done,partial,failed,cancelled"`
	Complete     bool           `json:"complete" doc:"every list was read whole"`
	Held         []HeldLimit    `json:"held" doc:"null, or which limits with which figures"`
	Actions      []Action       `json:"actions"`
	Totals       map[string]int `json:"totals" doc:"actions other than none, by drift kind"`
	Error        string         `json:"error,omitempty"`
	Note         string         `json:"note,omitempty" doc:"what is to be known beside the state"`
	Person       *Person        `json:"person,omitempty" doc:"what a run of mode one saw and did"`
	Incomplete   []string       `json:"incomplete,omitempty" doc:"the lists that were not read whole, and why"`
	Progress     *Progress      `json:"progress,omitempty"`
	RequestedBy  string         `json:"requested_by"`
	Approver     string         `json:"approver,omitempty"`
	CreatedAt    time.Time      `json:"created_at"`
	StartedAt    *time.Time     `json:"started_at"`
	FinishedAt   *time.Time     `json:"finished_at"`
	Timings      *Timings       `json:"timings,omitempty" doc:"left out: it has not begun"`
	PlanDropped  bool           `json:"plan_dropped,omitempty" doc:"the actions are no longer kept; the totals are"`
}

// Timings says how long a run waited and how long its phases took, in seconds; 0: that phase did not come.
type Timings struct {
	Queued float64 `json:"queued_seconds"`
	Pull   float64 `json:"pull_seconds"`
	Plan   float64 `json:"plan_seconds"`
	Apply  float64 `json:"apply_seconds" doc:"what was approved later is a part of it"`
}

// Finished reports whether the run has ended (a held one has, though its held plan stays open).
func (r *Run) Finished() bool { return r.State != "queued" && r.State != "running" }

// Actor is who or what made a change.
type Actor struct {
	Type string `json:"type" enum:"token,run,operator,system"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Event is one immutable record of one change.
type Event struct {
	Number  *int64          `json:"number" doc:"null until it is numbered"`
	Time    time.Time       `json:"time"`
	Type    string          `json:"type"`
	Actor   Actor           `json:"actor"`
	Subject Subject         `json:"subject"`
	Before  json.RawMessage `json:"before" doc:"the changed fields before; null for something new"`
	After   json.RawMessage `json:"after"`
	Reason  string          `json:"reason"`
	Run     *string         `json:"run"`
	Request *string         `json:"request"`
}

// Request is one row of the SCIM request log.
type Request struct {
	ID           string    `json:"id"`
	Time         time.Time `json:"time"`
	Method       string    `json:"method"`
	Path         string    `json:"path"`
	Status       int       `json:"status"`
	Token        string    `json:"token" doc:"the token's name"`
	Client       string    `json:"client" doc:"the client's address"`
	UserAgent    string    `json:"user_agent"`
	RequestBody  string    `json:"request_body"`
	ResponseBody string    `json:"response_body"`
	DurationMS   int64     `json:"duration_ms"`
	Detail       string    `json:"detail,omitempty" doc:"for the operator: what the answer did not say"`
	Quirk        string    `json:"quirk,omitempty" doc:"what was tolerated of the request, with commas"`
	Repeats      int       `json:"repeats,omitempty"`
}

// RunRef points at a connection's latest run.
type RunRef struct {
	Run        string     `json:"run"`
	Mode       string     `json:"mode"`
	State      string     `json:"state"`
	FinishedAt *time.Time `json:"finished_at"`
}

// Quarantine is why the IdP has slowed its own job down.
type Quarantine struct {
	Reason      string     `json:"reason" doc:"in the IdP's word, e.g. TooManyDeletes"`
	Message     string     `json:"message,omitempty" doc:"what the IdP says about it"`
	Since       *time.Time `json:"since"`
	NextAttempt *time.Time `json:"next_attempt"`
}

// Job is what the last run read of the IdP's own provisioning job.
type Job struct {
	ID              string     `json:"id"`
	State           string     `json:"state" enum:"none,unknown,not_set_up,not_run,active,paused,quarantined" doc:"none: the application has no job"`
	LastSteadyState *time.Time `json:"last_steady_state" doc:"when it last had nothing left to do"`
	LastCycle       *JobCycle  `json:"last_cycle"`
	Failures        int        `json:"failures" doc:"cycles in a row that failed whole"`
	ReadAt          *time.Time `json:"read_at"`
	Problem         string     `json:"problem,omitempty" doc:"why it could not be read at the last attempt; the rest is of read_at"`
	LogProblem      string     `json:"log_problem,omitempty" doc:"why its log could not be read"`
	RestartedAt     *time.Time `json:"restarted_at,omitempty" doc:"when a run last restarted it, as the policy says"`
	RestartProblem  string     `json:"restart_problem,omitempty" doc:"why a run could not restart it"`
}

// JobCycle is the last cycle of the IdP's own job.
type JobCycle struct {
	Began    *time.Time `json:"began"`
	Ended    *time.Time `json:"ended"`
	Failed   bool       `json:"failed"`
	Escrowed int        `json:"escrowed" doc:"objects that failed and wait for another try"`
	Error    string     `json:"error,omitempty"`
}

// Finding is what one check of a connection found, and the way out.
type Finding struct {
	Check string `json:"check"`
	State string `json:"state" enum:"ok,warn,fail,skip"`
	Text  string `json:"text"`
	Fix   string `json:"fix,omitempty"`
}

// Provision names a person whom the IdP's own job is to send now.
type Provision struct {
	User string `json:"user" minLength:"1" maxLength:"1000" doc:"id, userName, email, externalId or the IdP's id"`
}

// Provisioned is what came of it.
type Provisioned struct {
	Connection string `json:"connection"`
	ObjectID   string `json:"object_id"`
	Outcome    string `json:"outcome" enum:"done,skipped,failed"`
	Action     string `json:"action,omitempty" doc:"what the job did, in the IdP's word"`
	Reason     string `json:"reason,omitempty" doc:"the IdP's word for why it was skipped or failed"`
	Text       string `json:"text,omitempty"`
}

// Diagnosis is what checking a connection against its IdP found.
type Diagnosis struct {
	Organisation string    `json:"organisation"`
	Connection   string    `json:"connection"`
	Kind         string    `json:"kind"`
	OK           bool      `json:"ok" doc:"no check failed"`
	Checks       []Finding `json:"checks"`
}

// ConnectionStatus is one connection's health.
type ConnectionStatus struct {
	Organisation string         `json:"organisation"`
	Name         string         `json:"name"`
	Kind         string         `json:"kind"`
	State        string         `json:"state" enum:"ok,failing,held,paused,detached"`
	Quarantine   *Quarantine    `json:"quarantine"`
	Job          *Job           `json:"job"`
	LastRun      *RunRef        `json:"last_run"`
	NextDelta    *time.Time     `json:"next_delta"`
	NextFull     *time.Time     `json:"next_full"`
	Drift        map[string]int `json:"drift" doc:"actions found by the last finished run, by kind"`
	Paused       *Pause         `json:"paused,omitempty" doc:"left out: it is not paused"`
	DryRun       bool           `json:"dry_run,omitempty" doc:"every run of the connection only reports"`
	Lifeline     *Lifeline      `json:"lifeline,omitempty" doc:"left out: pushes are healthy, as far as is known"`
	Blackout     *Blackout      `json:"blackout,omitempty" doc:"left out: its schedule has none"`
}

// Status is the daemon's own account of itself.
type Status struct {
	Version     string             `json:"version"`
	Database    string             `json:"database" enum:"sqlite,postgres"`
	Connections []ConnectionStatus `json:"connections"`
	Alerts      []OpenAlert        `json:"alerts" doc:"those that are open now"`
}

// Runs is a list of runs, as `resync --json` prints it.
type Runs struct {
	Runs []Run `json:"runs"`
}

// SCIMStatus says whether an organisation takes pushes, and where.
type SCIMStatus struct {
	Organisation string `json:"organisation"`
	Enabled      bool   `json:"enabled"`
	BaseURL      string `json:"base_url"`
}

// Problem is an error answer (RFC 9457).
type Problem struct {
	Title  string `json:"title,omitempty"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code,omitempty" doc:"invalid, conflict, not_found, forbidden, unauthorized, ..."`
}

// Page is one page of a list. Next is empty on the last page.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}
