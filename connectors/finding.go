package connectors

import "context"

// Finding is what one check of a set-up found, and the way out.
type Finding struct {
	Check string
	State FindingState
	Text  string
	Fix   string
}

// FindingState is what became of a check.
type FindingState string

// The states. FindingWarn: it works, but not well, or not for everybody; FindingSkip: it could not be checked.
const (
	FindingOK   FindingState = "ok"
	FindingWarn FindingState = "warn"
	FindingFail FindingState = "fail"
	FindingSkip FindingState = "skip"
)

// Diagnoser checks what is special to one IdP's set-up, beyond what Tester, JobReader and CauseReader tell.
type Diagnoser interface {
	Diagnose(ctx context.Context) ([]Finding, error)
}
