package roster

import (
	"context"
	"fmt"
	"time"
)

const (
	// pushesExpected is how long after its last push a connection is still taken for one that is pushed to.
	pushesExpected = 30 * 24 * time.Hour
	// pushesStopped is how long an IdP that has changed may send nothing: three times the usual cycle of Entra's job, 40
	// minutes (https://learn.microsoft.com/entra/identity/app-provisioning/how-provisioning-works#provisioning-cycles-initial-and-incremental).
	pushesStopped = 2 * time.Hour
	// cleanRuns is how many runs in a row must have found nothing that a push missed, where no push says so itself.
	cleanRuns = 3
)

// LifelineCause says what made runs take the place of pushes.
type LifelineCause string

// The causes.
const (
	LifelineQuarantine LifelineCause = "quarantine"
	LifelineStopped    LifelineCause = "pushes_stopped"
)

// Lifeline is a time in which a connection's runs take the place of its pushes: a delta runs more often than its schedule
// says.
type Lifeline struct {
	ID         string
	Org        string
	Connection string
	Since      time.Time
	Until      time.Time // zero: it goes on
	Cause      LifelineCause
	Reason     string
	Ended      string // why it ended
}

// PushWatch is what is remembered of a connection's pushes from one run to the next; its zero value is that there is
// nothing to watch.
type PushWatch struct {
	Org           string
	Connection    string
	MissedAt      time.Time // when a run first found what no push had brought; zero: none has since the last push
	Missed        int       // how many such changes runs have found since
	QuarantinedAt time.Time // when a run last found the IdP's job in quarantine; zero: none has since the lifeline began
	Clean         int       // runs in a row, within a lifeline, that found nothing
}

// quiet reports whether there is nothing to remember.
func (w *PushWatch) quiet() bool {
	return w.MissedAt.IsZero() && w.QuarantinedAt.IsZero() && w.Clean == 0
}

// PushesJudged is the change by which a run tells what it has seen of a connection's pushes: its lifeline begins or ends.
type PushesJudged struct {
	Connection string
	Quarantine *Quarantine // of the IdP's own job; nil: it is in none
	// Read: the run has read the IdP and repaired what it found, of which Missed changes are such as a push should have
	// brought. A run that failed says only in which state the job is.
	Read   bool
	Missed int
}

func (PushesJudged) change() {}

// judgePushes begins or ends a connection's lifeline, and keeps what is to be remembered.
func (b *batch) judgePushes(ctx context.Context, c PushesJudged) (Outcome, error) {
	conn := b.connections[c.Connection]
	if conn == nil {
		return refuse(Errorf(NotFound, "no such connection"))
	}
	was, open, err := b.tx.PushWatch(ctx, b.org, conn.ID)
	if err != nil {
		return Outcome{}, err
	}
	if open == nil && was.quiet() && c.Quarantine == nil && c.Missed == 0 {
		return Outcome{Result: Unchanged, ID: conn.ID}, nil // nothing is written of a run that had nothing to tell
	}
	heard, err := b.tx.LastPush(ctx, b.org, conn.ID)
	if err != nil {
		return Outcome{}, err
	}
	now := b.tx.Now()
	watch := was.after(&c, heard, now)
	switch {
	case open == nil:
		if cause, reason := watch.begins(&c, heard, now); cause != "" {
			l := Lifeline{ID: NewID(), Org: b.org, Connection: conn.ID, Since: now, Cause: cause, Reason: reason}
			b.putLifeline(conn, &l, "connection.lifeline_began", reason)
		}
		watch.Clean = 0 // runs count within a lifeline
	default:
		if why := watch.ends(open, &c, heard); why != "" {
			open.Until, open.Ended = now, why
			b.putLifeline(conn, open, "connection.lifeline_ended", why)
			watch = PushWatch{}
		}
	}
	watch.Org, watch.Connection = b.org, conn.ID
	b.rows.PushWatches = append(b.rows.PushWatches, watch)
	return Outcome{Result: Applied, ID: conn.ID}, nil
}

func (b *batch) putLifeline(conn *Connection, l *Lifeline, event, why string) {
	b.rows.Lifelines = append(b.rows.Lifelines, *l)
	before, after := map[string]any{"pushes": "healthy"}, map[string]any{"pushes": "lifeline"}
	if !l.Until.IsZero() {
		before, after = after, before
	}
	b.tell(Subject{Type: "connection", ID: conn.ID, Name: conn.Name}, event, why, before, after)
}

// after is what is remembered after a run; heard is when the connection was last pushed to.
func (w PushWatch) after(c *PushesJudged, heard, now time.Time) PushWatch {
	if heard.After(w.MissedAt) {
		w.MissedAt, w.Missed = time.Time{}, 0
	}
	if c.Missed > 0 {
		if w.MissedAt.IsZero() {
			w.MissedAt = now
		}
		w.Missed += c.Missed
	}
	switch {
	case c.Quarantine != nil:
		w.QuarantinedAt, w.Clean = now, 0
	case c.Missed > 0:
		w.Clean = 0
	case c.Read:
		w.Clean++
	}
	return w
}

// begins says why a lifeline begins now; an empty cause: it doesn't. That pushes have stopped takes time to tell: an IdP
// that sends in cycles has not sent yet what a run has just found, and a run that was quicker leaves it nothing to send,
// for which it asks all the same.
func (w *PushWatch) begins(c *PushesJudged, heard, now time.Time) (LifelineCause, string) {
	if q := c.Quarantine; q != nil {
		reason := "the identity provider's own job is in quarantine: " + q.Reason
		if !q.Since.IsZero() {
			reason += ", since " + q.Since.UTC().Format(time.RFC3339)
		}
		return LifelineQuarantine, reason
	}
	if w.MissedAt.IsZero() || heard.IsZero() || now.Sub(heard) > pushesExpected || now.Sub(w.MissedAt) < pushesStopped {
		return "", ""
	}
	changes := "changes"
	if w.Missed == 1 {
		changes = "change"
	}
	return LifelineStopped, fmt.Sprintf("pushes stopped: the last one was at %s, and runs found %d %s in the identity provider since that no push brought",
		heard.UTC().Format(time.RFC3339), w.Missed, changes)
}

// ends says why a lifeline ends now; empty: it goes on.
func (w *PushWatch) ends(open *Lifeline, c *PushesJudged, heard time.Time) string {
	since := open.Since
	if w.QuarantinedAt.After(since) {
		since = w.QuarantinedAt
	}
	switch {
	case c.Quarantine != nil || !c.Read:
		return ""
	case heard.After(since):
		return "a push came at " + heard.UTC().Format(time.RFC3339)
	case w.Clean >= cleanRuns:
		return fmt.Sprintf("%d runs in a row found nothing that a push had missed", cleanRuns)
	}
	return ""
}
