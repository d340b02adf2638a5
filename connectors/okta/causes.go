package okta

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

const (
	// causesBack is how far back the first look at the log goes.
	causesBack = 7 * 24 * time.Hour
	// causesLate is how late an entry may turn up: what is younger than the newest one by less is asked for again.
	causesLate = 30 * time.Minute
	// causePages bounds one look at the log; the next goes on from there.
	causePages = 20
)

// Causes reads what Okta's provisioning failed at: from the system log what could not be pushed of people and groups, with
// Okta's reason (Okta documentation, "Event types", application.provision.*); and from the push mappings, at the first look
// and where the log is not to be had, those in ERROR. Okta has no job: its id counts for nothing. The cursor is the time to
// go on from.
func (c *Connector) Causes(ctx context.Context, _, cursor string, each func([]connectors.Cause) error) (string, error) {
	ctx = c.budgeted(ctx)
	next, refused := cursor, error(nil)
	if c.mayReadLog() {
		since := time.Now().UTC().Add(-causesBack)
		if at, err := time.Parse(time.RFC3339, cursor); err == nil && at.After(since) {
			since = at
		}
		reached, err := c.failures(ctx, since, each)
		if err != nil && connectors.FaultOf(err) != connectors.MissingPermission {
			return cursor, err
		}
		refused = err
		if err == nil {
			next = reached.Format(time.RFC3339)
		}
	}
	if cursor == "" || refused != nil {
		if err := c.failedMappings(ctx, each); err != nil {
			return cursor, err
		}
	}
	return next, refused
}

// failures reads what failed from the log, and returns from when on to look the next time. A page that isn't full ends the
// look: what came meanwhile is for the next one.
func (c *Connector) failures(ctx context.Context, since time.Time, each func([]connectors.Cause) error) (time.Time, error) {
	read := c.logs(url.Values{
		"since": {logTime(since)}, "sortOrder": {"ASCENDING"}, "limit": {fmt.Sprint(logLimit)},
		"filter": {`outcome.result eq "FAILURE" and eventType sw "application.provision." and ` + equals("target.id", c.cfg.AppID)},
	})
	newest := since
	for link, pages := "", 1; ; pages++ {
		p, err := read(ctx, link)
		if err != nil {
			return since, err
		}
		var page []connectors.Cause
		for _, e := range p.Items {
			if e.Published.After(newest) {
				newest = e.Published
			}
			if cause, ok := causeOf(e); ok {
				page = append(page, cause)
			}
		}
		if len(page) > 0 {
			if err := each(page); err != nil {
				return since, err
			}
		}
		switch {
		case len(p.Items) < logLimit || p.Next == "":
			if late := newest.Add(-causesLate); late.After(since) {
				return late, nil
			}
			return since, nil
		case pages == causePages:
			return newest, nil
		}
		link = p.Next
	}
}

// causeOf converts an event of provisioning. One that names nobody explains nothing.
func causeOf(e *logEvent) (connectors.Cause, bool) {
	kind, known := targetUser, map[string]string{
		"user.push": "create", "user.push_profile": "update", "user.sync": "update", "user.push_password": "update",
		"user.push_okta_password": "update", "user.deactivate": "disable", "user.deprovision": "disable",
		"user.activate": "enable", "user.reactivate": "enable",
	}
	what := strings.TrimPrefix(e.Type, "application.provision.")
	action := known[what]
	if strings.HasPrefix(what, "group") {
		kind, action = targetGroup, "push"
	}
	ids := e.of(kind)
	if len(ids) == 0 || e.UUID == "" {
		return connectors.Cause{}, false
	}
	out := connectors.Cause{
		ID: e.UUID, At: e.Published, Group: kind == targetGroup, ObjectID: ids[0], Action: cmp.Or(action, "other"),
		Outcome: connectors.CauseFailed, Reason: cmp.Or(e.Outcome.Reason, e.Message, e.Type),
	}
	for _, t := range e.Targets {
		if t.ID != ids[0] {
			continue
		}
		out.Name = cmp.Or(t.AlternateID, t.DisplayName)
		if out.Group { // groups have no other name: the log says unknown
			out.Name = t.DisplayName
		}
	}
	if e.Message != out.Reason {
		out.Text = e.Message
	}
	return out, true
}

// failedMappings tells of the push mappings whose last push failed. Where they are refused, nothing is told of them: the
// pull says so.
func (c *Connector) failedMappings(ctx context.Context, each func([]connectors.Cause) error) error {
	var all []connectors.Cause
	err := connectors.Walk(ctx, connectors.Unstamped, c.pushMappings("", pageLimit), func(_ connectors.Stamp, items []*pushMapping) error {
		for _, m := range items {
			if m.Status != pushFailed || !validID(m.SourceGroupID) || m.LastUpdated == nil {
				continue
			}
			all = append(all, connectors.Cause{
				ID: "mapping " + m.SourceGroupID, At: *m.LastUpdated, Group: true, ObjectID: m.SourceGroupID, Action: "push",
				Outcome: connectors.CauseFailed, Reason: cmp.Or(m.ErrorSummary, "the push mapping is in the state ERROR"),
			})
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		if connectors.FaultOf(err) == connectors.OverBudget || ctx.Err() != nil {
			return err
		}
		return nil // it is evidence, and the pull that reads the same list tells what is wrong with it
	}
	return each(all)
}
