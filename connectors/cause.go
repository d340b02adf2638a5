package connectors

import (
	"context"
	"time"
)

// CauseOutcome is what came of a job's attempt at one object.
type CauseOutcome string

// The outcomes. What a job did without trouble explains nothing, and is not read.
const (
	CauseSkipped CauseOutcome = "skipped" // the job had a reason to send nothing
	CauseFailed  CauseOutcome = "failed"
)

// Cause is one entry of the IdP's provisioning log: why its job did not send what it might have. It is evidence for what
// a pull finds; by itself it decides nothing.
type Cause struct {
	ID       string // of the entry
	At       time.Time
	Group    bool // it is about a group; else about a person
	ObjectID string
	Name     string // for a person to read: userPrincipalName or display name
	Action   string // what the job meant to do, in the IdP's word: create, update, disable, delete, other
	Outcome  CauseOutcome
	Reason   string // the IdP's word for why, e.g. RedundantSoftDelete, or the error's code
	Text     string // what the IdP says about it; may be empty
}

// CauseReader reads the IdP's provisioning log. Its errors must not fail a run.
type CauseReader interface {
	// Causes hands over, page by page, what was skipped and what failed since the cursor, and returns the cursor for the
	// next time. An empty cursor begins as far back as helps. Entries come late and are handed over again: the same ID is
	// the same entry. With an error the cursor stays where it was.
	Causes(ctx context.Context, jobID, cursor string, each func([]Cause) error) (next string, err error)
}
