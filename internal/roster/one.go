package roster

import "time"

// AskOne asks for a resync of one person: one read, one commit, in the caller's time.
type AskOne struct {
	Org string
	// Key is our id, a userName, an email, an externalId or the IdP's object id.
	Key string
	// Connections are the ids of those that may be asked. Where there are several, those linked to the person are, or, if
	// none is, those that find them.
	Connections []string
	Dry         bool // only say what differs
	By          string
}

// OneRun is a run that takes no lease. Commit checks no fence for it, and writes its row, finished, with its plan in the
// transaction of its changes.
type OneRun struct {
	Connection string
	// Pin is the target to pin where the connection has none yet; empty: none.
	Pin string
	// Counted: guards count what it removes. They don't count what an operator asked for.
	Counted bool
	// Finish makes the row and its actions of what became of the changes. It may be called again when the transaction is
	// tried again.
	Finish func(outs []Outcome, now time.Time) (Run, []RunAction)
}

// FinishedRun is what is written beside the row of a run that was never queued: its actions as they ended.
type FinishedRun struct {
	Run     *Run
	Actions []RunAction
	Pin     string
	Counted bool
}

// beginOne refuses a run without a lease on a connection that starts no run.
func (b *batch) beginOne(one *OneRun) error {
	conn := b.connections[one.Connection]
	switch {
	case conn == nil:
		return Errorf(NotFound, "no such connection")
	case conn.Kind == KindSCIM:
		return Errorf(Invalid, "connection %s is push only: there is nothing to pull from", conn.Name)
	case conn.State == ConnectionDetached:
		return Errorf(Conflict, "connection %s is detached: %s", conn.Name, conn.DetachedReason)
	}
	return nil
}

func (b *batch) finishOne(one *OneRun, outs []Outcome) {
	run, actions := one.Finish(outs, b.tx.Now())
	b.rows.Runs = append(b.rows.Runs, run)
	b.rows.Finished = append(b.rows.Finished, FinishedRun{Run: &run, Actions: actions, Pin: one.Pin, Counted: one.Counted})
}
