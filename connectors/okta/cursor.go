package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

// cursorMark begins a cursor, and a time of Okta's follows, then, if there is one, a position in the system log. Another
// version will tell its own by another mark.
const cursorMark = "okta/1 "

// cursor says from where a delta goes on.
type cursor struct {
	from time.Time
	log  *logPosition // nil: the log is not gone by
}

// logPosition says how far the system log was gone by.
type logPosition struct {
	Listed time.Time `json:"listed"`          // when the application's users were last listed, by Okta's clock
	Pages  int       `json:"pages,omitempty"` // how many requests that took; 0: not known
	// An event that the log has: one that doesn't have it any more is not the same, or has forgotten.
	Anchor string    `json:"anchor"`
	At     time.Time `json:"at"`
	// Done are marks of the events that need not be looked at again.
	Done []string `json:"done,omitempty"`
}

func (c cursor) String() string {
	out := cursorMark + c.from.UTC().Format(time.RFC3339)
	if c.log == nil {
		return out
	}
	raw, err := json.Marshal(c.log)
	if err != nil { // a time outside of the years that JSON can hold
		return out
	}
	return out + " " + string(raw)
}

func cursorAt(now time.Time, log *logPosition) string {
	return cursor{from: now.Add(-overlap), log: log}.String()
}

func parseCursor(text string) (cursor, error) {
	rest, marked := strings.CutPrefix(text, cursorMark)
	at, position, more := strings.Cut(rest, " ")
	from, err := time.Parse(time.RFC3339, at)
	out := cursor{from: from}
	if more && err == nil {
		out.log = &logPosition{}
		err = json.Unmarshal([]byte(position), out.log)
	}
	if !marked || err != nil {
		return cursor{}, lost("The cursor is not one of Okta's")
	}
	return out, nil
}

func lost(what string) error {
	return &connectors.Error{Fault: connectors.LostCursor, Message: what, Fix: "Everything has to be read once."}
}

// Cursor returns Okta's time, by which alone its groups' times can be judged, and where the system log is now.
func (c *Connector) Cursor(ctx context.Context) (string, error) {
	ctx = c.budgeted(ctx)
	now, err := c.now(ctx)
	if err != nil {
		return "", err
	}
	log, err := c.logNow(ctx, now, 0)
	if err != nil {
		return "", err
	}
	return cursorAt(now, log), nil
}

// logNow returns the position of a log that is gone by from a listing on; nil: it can't be.
func (c *Connector) logNow(ctx context.Context, listed time.Time, pages int) (*logPosition, error) {
	if !c.mayReadLog() {
		return nil, nil //nolint:nilnil // there is no position, and nothing wrong
	}
	last, err := c.lastEvent(ctx, listed)
	if c.withoutLog(ctx, err) || err == nil && last == nil {
		return nil, nil //nolint:nilnil // there is no position, and nothing wrong
	}
	if err != nil {
		return nil, err
	}
	return &logPosition{Listed: listed, Pages: pages, Anchor: last.UUID, At: last.Published}, nil
}

// mark shortens an event's uuid.
func mark(uuid string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(uuid))
	return fmt.Sprintf("%x", h.Sum64())
}
