package idpsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oktaLogKept is how long the log keeps events (page "System Log", "Data retention").
const oktaLogKept = 90 * 24 * time.Hour

// listLogs answers the page "System Log", "List all system log events".
//
//	| request                      | since and until go by | order                | next link                     |
//	|------------------------------|-----------------------|----------------------|-------------------------------|
//	| polling: ascending, no until | when the log had them | as the log had them  | always, also of an empty page |
//	| any other                    | published             | published            | while there is more           |
func (t *OktaTenant) listLogs(d *oktaDirectory, r *request) oktaReply {
	q, rep := t.logQuery(r)
	if rep != nil {
		return *rep
	}
	events := t.logged(d, q)
	values, i, last := []object{}, 0, q.last
	for j := range events {
		if events[j].number == q.last {
			i = j + 1
		}
	}
	for ; i < len(events) && len(values) < q.limit; i++ {
		if out := renderEvent(events[i]); q.where.tells(out) {
			values = append(values, out)
		}
		last = events[i].number
	}
	out := oktaReply{status: http.StatusOK, body: values}
	if q.polling() || i < len(events) {
		out.next = r.after("seq_"+strconv.Itoa(last+1), q.limit)
	}
	return out
}

// logged returns the events that a query is about, in its order. Of what polling has given nothing comes before it later:
// the log gets events at its end.
func (t *OktaTenant) logged(d *oktaDirectory, q logQuery) []oktaEvent {
	now := t.cfg.Now()
	var out []oktaEvent
	for _, e := range t.events {
		dated := e.at
		if q.polling() {
			dated = e.kept
		}
		switch {
		case e.kept.After(now), e.version > d.version, e.at.Before(now.Add(-oktaLogKept)):
		case dated.Before(q.since), !q.until.IsZero() && !dated.Before(q.until):
		default:
			out = append(out, e)
		}
	}
	if !q.polling() {
		slices.SortStableFunc(out, func(a, b oktaEvent) int { return a.at.Compare(b.at) })
	}
	if q.descending {
		slices.Reverse(out)
	}
	return out
}

type logQuery struct {
	since, until time.Time
	descending   bool
	where        *clause
	last, limit  int // number of the event that the page before ended with; -1 for the first page
}

func (q logQuery) polling() bool { return !q.descending && q.until.IsZero() }

func (t *OktaTenant) logQuery(r *request) (logQuery, *oktaReply) {
	q := logQuery{descending: r.query.Get("sortOrder") == "DESCENDING", last: -1}
	invalid := func(param string) (logQuery, *oktaReply) {
		rep := oktaInvalid(param + ": not a valid value")
		return q, &rep
	}
	if q.limit = 100; r.query.Has("limit") {
		n, err := strconv.Atoi(r.query.Get("limit"))
		if err != nil || n < 1 {
			return invalid("limit")
		}
		q.limit = min(n, 1000)
	}
	q.since = t.cfg.Now().AddDate(0, 0, -7)
	for param, into := range map[string]*time.Time{"since": &q.since, "until": &q.until} {
		if s := r.query.Get(param); s != "" {
			at, err := time.Parse(time.RFC3339, s)
			if err != nil {
				return invalid(param)
			}
			*into = at
		}
	}
	if q.since.Before(t.cfg.Now().AddDate(0, 0, -180)) {
		rep := oktaError(http.StatusBadRequest, "E0000053", "Invalid parameter: The since parameter is over 180 days prior to the current day.")
		return q, &rep
	}
	if after := r.query.Get("after"); after != "" {
		if _, err := fmt.Sscanf(after, "seq_%d", &q.last); err != nil || q.last < 0 {
			return invalid("after")
		}
		q.last--
	}
	known := []string{"eventType", "uuid", "outcome", "severity", "target", "actor"}
	var rep *oktaReply
	q.where, rep = oktaWhere(r, known)
	return q, rep
}

// tells says whether an event fulfils a filter. An event has several targets: one of them is enough.
func (c *clause) tells(event object) bool {
	switch {
	case c == nil:
		return true
	case c.op == "and":
		return c.left.tells(event) && c.right.tells(event)
	case c.op == "or":
		return c.left.tells(event) || c.right.tells(event)
	}
	of, aboutTarget := strings.CutPrefix(c.prop, "target/")
	targets, _ := event["target"].([]object)
	if !aboutTarget {
		return c.matches(event)
	}
	return slices.ContainsFunc(targets, func(x object) bool { return c.holds(func(string) string { return text(x, of) }) })
}
