package roster

import (
	"fmt"
	"time"
)

// Pause keeps a connection's runs from starting. Pushes go on.
type Pause struct {
	Since  time.Time
	Until  time.Time // zero: until it is resumed
	Reason string
	By     string
}

// PausedAt returns the pause that holds at a time; nil: there is none, or it has ended.
func (c *Connection) PausedAt(now time.Time) *Pause {
	if c.Pause == nil || !c.Pause.Until.IsZero() && !now.Before(c.Pause.Until) {
		return nil
	}
	return c.Pause
}

// String says it in words: until when, who said so, and why.
func (p *Pause) String() string {
	text := "paused until it is resumed"
	if !p.Until.IsZero() {
		text = "paused until " + p.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	if p.By != "" {
		text += ", by " + p.By
	}
	if p.Reason != "" {
		text += " (" + p.Reason + ")"
	}
	return text
}

// RefusesRuns says why no run that writes may start now, and what to do; nil: it may.
func (c *Connection) RefusesRuns(now time.Time) *Error {
	p := c.PausedAt(now)
	if p == nil {
		return nil
	}
	return Errorf(Conflict, "connection %s is %s: `rosterd connection resume %s` ends that; a dry run, `rosterd diff`, is possible meanwhile",
		c.Name, p, c.Name)
}

// ConnectionPause keeps a connection's runs from starting until a time; the zero time: until it is resumed. It takes the
// place of a pause that holds already.
type ConnectionPause struct {
	ID     string
	Until  time.Time
	Reason string
}

// ConnectionResume ends a pause before its time.
type ConnectionResume struct{ ID string }

func (ConnectionPause) change()  {}
func (ConnectionResume) change() {}

func (b *batch) pauseConnection(p ConnectionPause) (Outcome, error) {
	c := b.connections[p.ID]
	switch {
	case c == nil:
		return refuse(Errorf(NotFound, "no such connection"))
	case c.Kind == KindSCIM:
		return refuse(Errorf(Invalid, "connection %s is push only: it has no runs to pause; `rosterd token disable` stops pushes", c.Name))
	case !p.Until.IsZero() && !p.Until.After(b.tx.Now()):
		return refuse(Errorf(Invalid, "until: %s is past already", p.Until.UTC().Format(time.RFC3339)))
	}
	before := connectionDoc(c)
	c.Pause = &Pause{Since: b.tx.Now(), Until: p.Until, Reason: p.Reason, By: b.cause.Actor.Name}
	b.putConnection(c, "connection.paused", fmt.Sprintf("%s; %s", c.Pause, b.cause.Reason), before)
	return Outcome{Result: Applied, ID: c.ID, Connection: c}, nil
}

func (b *batch) resumeConnection(r ConnectionResume) (Outcome, error) {
	c := b.connections[r.ID]
	switch {
	case c == nil:
		return refuse(Errorf(NotFound, "no such connection"))
	case c.PausedAt(b.tx.Now()) == nil:
		return refuse(Errorf(Conflict, "connection %s is not paused: there is nothing to resume", c.Name))
	}
	before := connectionDoc(c)
	c.Pause = nil
	b.putConnection(c, "connection.resumed", b.cause.Reason, before)
	return Outcome{Result: Applied, ID: c.ID, Connection: c}, nil
}
