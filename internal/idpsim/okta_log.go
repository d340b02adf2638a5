package idpsim

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// oktaEvent is one entry of the system log.
type oktaEvent struct {
	typ     string
	message string
	failure string // why the outcome is FAILURE; "" for SUCCESS
	targets []oktaTarget
	at      time.Time
	version int // the change that it tells of: a reader that lags behind doesn't see it
}

type oktaTarget struct{ id, kind, alternate, title string }

// record adds an event; the caller holds the lock.
func (t *OktaTenant) record(e oktaEvent) {
	e.at, e.version = t.cfg.Now().UTC(), len(t.changes)
	t.events = append(t.events, e)
}

// provisioned adds an event of the push engine. failure is empty for a success.
func (t *OktaTenant) provisioned(typ, failure string, targets ...oktaTarget) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.record(oktaEvent{typ: typ, message: "Push to external application", failure: failure, targets: targets})
}

func (t *OktaTenant) appTarget() oktaTarget {
	return oktaTarget{t.cfg.AppID, "AppInstance", t.cfg.AppName, t.cfg.AppName}
}

func (u *OktaUser) target() oktaTarget {
	return oktaTarget{u.ID, "User", u.Profile.Login, u.Profile.FirstName + " " + u.Profile.LastName}
}

func (a *AppUser) target() oktaTarget {
	return oktaTarget{a.ID, "AppUser", a.UserName, a.Profile.DisplayName}
}

func (g *OktaGroup) target() oktaTarget { return oktaTarget{g.ID, "UserGroup", "unknown", g.Name} }

// renderEvent follows the page "System Log", "LogEvent object".
func (t *OktaTenant) renderEvent(n int) object {
	e := t.events[n]
	result, reason, severity := "SUCCESS", any(nil), "INFO"
	if e.failure != "" {
		result, reason, severity = "FAILURE", e.failure, "ERROR"
	}
	targets := make([]object, 0, len(e.targets))
	for _, x := range e.targets {
		targets = append(targets, object{
			"id": x.id, "type": x.kind, "alternateId": x.alternate, "displayName": x.title, "detailEntry": nil,
		})
	}
	return object{
		"uuid": fmt.Sprintf("5e0d1d00-0c7a-4000-8000-%012x", n), "published": oktaStamp(e.at), "eventType": e.typ,
		"version": "0", "severity": severity, "displayMessage": e.message, "legacyEventType": nil, "target": targets,
		"actor": object{
			"id": "00u0000000000000sim0", "type": "SystemPrincipal", "alternateId": "system@okta.com",
			"displayName": "Okta System", "detailEntry": nil,
		},
		"outcome": object{"result": result, "reason": reason},
		"transaction": object{
			"type": "WEB", "id": fmt.Sprintf("sim%017d", e.version), "detail": object{},
		},
		"debugContext": object{"debugData": object{}},
	}
}

// listLogs answers the page "System Log", "List all system log events". A query in ascending order without until is a
// polling one: it always has a next link, also from an empty page.
func (t *OktaTenant) listLogs(d *oktaDirectory, r *request) oktaReply {
	q, rep := t.logQuery(r)
	if rep != nil {
		return *rep
	}
	values := []object{}
	i := q.start
	if q.descending && i < 0 {
		i = len(t.events) - 1
	}
	i = max(i, 0)
	step := 1
	if q.descending {
		step = -1
	}
	for ; i >= 0 && i < len(t.events) && len(values) < q.limit; i += step {
		e := t.events[i]
		if e.version > d.version {
			if q.descending {
				continue
			}
			break // later readers get it
		}
		if e.at.Before(q.since) || !q.until.IsZero() && !e.at.Before(q.until) {
			continue
		}
		if out := t.renderEvent(i); q.where.matches(out) {
			values = append(values, out)
		}
	}
	out := oktaReply{status: http.StatusOK, body: values}
	polling := !q.descending && q.until.IsZero()
	if more := i >= 0 && i < len(t.events); polling || more {
		out.next = r.after("seq_"+strconv.Itoa(max(i, 0)), q.limit)
	}
	return out
}

type logQuery struct {
	since, until time.Time
	descending   bool
	where        *clause
	start, limit int // start is -1 without a cursor
}

func (t *OktaTenant) logQuery(r *request) (logQuery, *oktaReply) {
	q := logQuery{descending: r.query.Get("sortOrder") == "DESCENDING", start: -1}
	invalid := func(param string) (logQuery, *oktaReply) {
		rep := oktaInvalid(param + ": not a valid value")
		return q, &rep
	}
	var ok bool
	if q.limit, ok = t.limit(r, 100, 1000); !ok {
		return invalid("limit")
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
	if after := r.query.Get("after"); after != "" {
		if _, err := fmt.Sscanf(after, "seq_%d", &q.start); err != nil || q.start < 0 {
			return invalid("after")
		}
	}
	known := []string{"eventType", "published", "uuid", "outcome", "severity"}
	var rep *oktaReply
	q.where, rep = oktaWhere(r, known)
	return q, rep
}
