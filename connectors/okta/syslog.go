package okta

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

// logLimit is the largest page of the system log (Okta documentation, "System Log", "List all system log events").
const logLimit = 1000

// logEvent is an entry of the org's system log (Okta documentation, "System Log", "LogEvent object").
type logEvent struct {
	UUID      string      `json:"uuid"`
	Published time.Time   `json:"published"`
	Type      string      `json:"eventType"`
	Message   string      `json:"displayMessage"`
	Targets   []logTarget `json:"target"`
	Outcome   struct {
		Reason string `json:"reason"`
	} `json:"outcome"`
}

type logTarget struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	AlternateID string `json:"alternateId"`
	DisplayName string `json:"displayName"`
}

// The types of targets. An AppUser has an id of its own in the log, by which nothing can be read.
const (
	targetUser  = "User"
	targetGroup = "UserGroup"
	targetApp   = "AppInstance"
)

// of returns the ids of an event's targets of one type.
func (e *logEvent) of(kind string) []string {
	var ids []string
	for _, t := range e.Targets {
		if t.Type == kind && validID(t.ID) {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// about reports whether an event is about an application, and whether it is about others.
func (e *logEvent) about(app string) (ours, others bool) {
	for _, t := range e.Targets {
		ours = ours || t.ID == app
		others = others || t.Type == targetApp && t.ID != app
	}
	return ours, others
}

// logs lists events of the system log.
func (c *Connector) logs(q url.Values) connectors.Fetch[*logEvent] {
	return list(c, ask{what: "the system log", grant: readLogs}, execute[logEvent](c, "/api/v1/logs?"+q.Encode()))
}

// polled asks for what the log has had since a time, in the order in which it had it: without until and in ascending order
// since means when the log had an event, so that none that came late is passed over (Okta documentation, "System Log",
// "Polling requests").
func (c *Connector) polled(since time.Time) connectors.Fetch[*logEvent] {
	return c.logs(url.Values{
		"since": {logTime(since)}, "sortOrder": {"ASCENDING"}, "limit": {fmt.Sprint(logLimit)}, "filter": {concerning},
	})
}

// lastEvent returns the newest event of those that deltas go by, of the last days; nil: there is none.
func (c *Connector) lastEvent(ctx context.Context, now time.Time) (*logEvent, error) {
	p, err := c.logs(url.Values{
		"since": {logTime(now.AddDate(0, 0, -7))}, "sortOrder": {"DESCENDING"}, "limit": {"1"}, "filter": {concerning},
	})(ctx, "")
	if err != nil || len(p.Items) == 0 {
		return nil, err
	}
	return p.Items[0], nil
}

func logTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// mayReadLog reports whether it is worth to ask for the log: not where the access token is not even asked to allow it.
func (c *Connector) mayReadLog() bool {
	return c.cfg.byToken() || slices.ContainsFunc(c.cfg.Scopes, func(s string) bool { return s == readLogs || s == "okta.logs.manage" })
}

// withoutLog reports whether to go on without the log after an error of it: unless what is asked next would meet the same.
// That it is refused is told once.
func (c *Connector) withoutLog(ctx context.Context, err error) bool {
	fault := connectors.FaultOf(err)
	if err == nil || ctx.Err() != nil || fault == connectors.OverBudget || fault == connectors.BadCredentials || halts(err) {
		return false
	}
	if fault != connectors.MissingPermission || c.logRefused.CompareAndSwap(false, true) {
		c.log.InfoContext(ctx, "Okta's system log can't be read: what changed is found by the list of application users",
			slog.String("error", err.Error()))
	}
	return true
}

// halts reports whether an error is the sink's own.
func halts(err error) bool {
	var own *connectors.Error
	return !errors.As(err, &own)
}

// concerning are the events that may tell of a change of the application's users (Okta documentation, "Event types").
// Sign-ins, which are most of a log, are not among them.
const concerning = `eventType sw "application." or eventType sw "app.user_management" or eventType sw "user.lifecycle." or ` +
	`eventType sw "user.account." or eventType sw "user.import" or eventType sw "group.application_assignment." or ` +
	`eventType sw "directory." or eventType sw "system.import.complete"`

// touches says whom an event may have changed as an application user, or that it can't be told whom.
//
//	| event                                                  | about another app | says whom       | does not say      |
//	|--------------------------------------------------------|-------------------|-----------------|-------------------|
//	| application.provision.group…, .integration…            | nobody            | nobody          | nobody            |
//	| other application.…, app.…, group.application_assign…  | nobody            | them            | not to be told    |
//	| … without any application                              |                   | them            | nobody            |
//	| user.…                                                 | them              | them            | not to be told    |
//	| directory.…, system.import.complete, any other         | not to be told    | not to be told  | not to be told    |
//
// Which groups are pushed, and what is in them, is read by other means.
func (e *logEvent) touches(app string) (people []string, told bool) {
	ours, others := e.about(app)
	people = e.of(targetUser)
	kind := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(e.Type, p) })
	}
	switch {
	case kind("application.provision.group", "application.provision.integration."):
		return nil, true
	case kind("application.", "app.", "group.application_assignment."):
		if others && !ours {
			return nil, true
		}
		return people, len(people) > 0 || !ours
	case kind("user."):
		return people, len(people) > 0
	default:
		return nil, false
	}
}
