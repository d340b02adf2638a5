package idpsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// oktaEvent is one entry of the system log.
type oktaEvent struct {
	typ     string
	message string
	failure string // why the outcome is FAILURE; "" for SUCCESS
	targets []oktaTarget
	at      time.Time
	kept    time.Time // when the log had it: what polling goes by
	number  int
	version int // the change that it tells of: a reader that lags behind doesn't see it
}

type oktaTarget struct{ id, kind, alternate, title string }

// record adds an event; the caller holds the lock.
func (t *OktaTenant) record(e oktaEvent) {
	e.at, e.version, e.number = t.cfg.Now().UTC(), len(t.changes), len(t.events)
	e.kept = e.at.Add(t.logLate)
	i := len(t.events)
	for i > 0 && t.events[i-1].kept.After(e.kept) {
		i--
	}
	t.events = slices.Insert(t.events, i, e)
}

// DelayLog has events from now on appear in the system log that much after they happened, dated as they happened (page
// "System Log", "Bounded requests": events may be delayed); 0 ends it.
func (t *OktaTenant) DelayLog(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logLate = d
}

// LogEvent writes an event of any type into the system log, as of what else goes on in an org. Targets are ids; their type
// is that of the object, and AppInstance for what is no user or group of the org.
func (t *OktaTenant) LogEvent(typ, failure string, targets ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := oktaEvent{typ: typ, message: typ, failure: failure}
	for _, id := range targets {
		u, g := t.dir.users[id], t.dir.groups[id]
		switch {
		case u != nil:
			e.targets = append(e.targets, u.target())
		case g != nil:
			e.targets = append(e.targets, g.target())
		default:
			e.targets = append(e.targets, oktaTarget{id, "AppInstance", id, id})
		}
	}
	t.record(e)
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

// target is the application user, who has an id of their own in the log and nowhere else.
func (a *AppUser) target() oktaTarget {
	return oktaTarget{"0ua" + strings.TrimPrefix(a.ID, "00u"), "AppUser", a.UserName, a.Profile.DisplayName}
}

func (g *OktaGroup) target() oktaTarget { return oktaTarget{g.ID, "UserGroup", "unknown", g.Name} }

// renderEvent follows the page "System Log", "LogEvent object".
func renderEvent(e oktaEvent) object {
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
		"uuid": fmt.Sprintf("5e0d1d00-0c7a-4000-8000-%012x", e.number), "published": oktaStamp(e.at), "eventType": e.typ,
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
