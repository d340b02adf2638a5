package roster

// Finding is what one check of a connection found, and the way out.
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

// Provisioned is what came of having the IdP's own job send one person.
type Provisioned struct {
	ObjectID string
	Outcome  string // done, skipped or failed
	Action   string
	Reason   string
	Text     string
}
