package api

import (
	"context"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

const actionPage = 1000

// totals counts the actions other than none, by run and kind.
type totals map[string]map[roster.Kind]int

// of are the totals of one run; never nil. A link is an event, not drift.
func (t totals) of(run string) map[string]int {
	out := map[string]int{}
	for k, n := range t[run] {
		if k != roster.LinkKind {
			out[string(k)] = n
		}
	}
	return out
}

// totals takes the totals of runs that have ended from their rows and counts the others': a plan may be large.
func (a *API) totals(ctx context.Context, runs []roster.Run) (totals, error) {
	var ids []string
	known := func(r *roster.Run) bool { return r.State.Finished() && len(r.Totals) > 0 }
	for i := range runs {
		if !known(&runs[i]) {
			ids = append(ids, runs[i].ID)
		}
	}
	counted, err := a.store.RunTotals(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range runs {
		if known(&runs[i]) {
			counted[runs[i].ID] = runs[i].Totals
		}
	}
	return counted, nil
}

// wireRuns are runs without their actions. orgs gives organisations their names by id.
func (a *API) wireRuns(ctx context.Context, runs []roster.Run, orgs map[string]string) ([]client.Run, error) {
	counted, err := a.totals(ctx, runs)
	if err != nil {
		return nil, err
	}
	out := make([]client.Run, len(runs))
	for i := range runs {
		out[i] = wireRun(&runs[i], orgs[runs[i].Org], counted.of(runs[i].ID))
	}
	return out, nil
}

func wireRun(r *roster.Run, org string, counted map[string]int) client.Run {
	out := client.Run{
		Run: r.ID, Organisation: org, Connection: r.ConnectionName, Mode: string(r.Mode), State: string(r.State), Complete: r.Complete,
		Actions: []client.Action{}, Totals: counted, Error: r.Error, Note: r.Note, Person: wirePerson(r.Said), RequestedBy: r.RequestedBy, Approver: r.Approver,
		PlanDropped: r.PlanDropped, CreatedAt: r.CreatedAt, StartedAt: optionalTime(r.StartedAt), FinishedAt: optionalTime(r.FinishedAt),
	}
	if r.State == roster.RunHeld && r.Approval {
		out.State = string(roster.RunQueued) // what was approved waits to be applied
	}
	for _, l := range r.Held {
		out.Held = append(out.Held, client.HeldLimit{
			Limit: l.Limit, Actions: l.Actions, Of: l.Of, Ceiling: l.Ceiling, Floor: l.Floor, Percent: l.Percent, Window: l.Window, Text: l.Text,
		})
	}
	if !r.StartedAt.IsZero() {
		out.Timings = &client.Timings{
			Queued: seconds(r.Queued()), Pull: seconds(r.Timings.Pull), Plan: seconds(r.Timings.Plan), Apply: seconds(r.Timings.Apply),
		}
		out.Progress = &client.Progress{Phase: r.Phase, Pages: r.Pages, Objects: r.Objects, Applied: r.Applied, Compared: r.Compared, Total: r.Expected, TotalIsEstimate: r.ExpectedEstimate}
	}
	return out
}

// seconds has milliseconds, as no more than that is ever of interest.
func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond).Milliseconds()) / 1000
}

func wirePerson(s *roster.Said) *client.Person {
	if s == nil {
		return nil
	}
	return &client.Person{
		Key: s.Key, ObjectID: s.ObjectID, MemberID: optional(s.MemberID), There: s.There, Here: s.Here, Done: s.Done,
		Wanted: s.Wanted, Stored: s.Stored,
	}
}

// fullRun is one run with the lists that were not read whole and, if asked, its actions in the order of apply.
func (a *API) fullRun(ctx context.Context, r *roster.Run, actions bool) (client.Run, error) {
	none := client.Run{}
	org, err := a.store.Organisation(ctx, r.Org)
	if err != nil {
		return none, err
	}
	runs, err := a.wireRuns(ctx, []roster.Run{*r}, map[string]string{org.ID: org.Name})
	if err != nil {
		return none, err
	}
	out := runs[0]
	broken, err := a.store.Collections(ctx, r.ID, true)
	if err != nil {
		return none, err
	}
	for _, c := range broken {
		out.Incomplete = append(out.Incomplete, incomplete(c))
	}
	if !actions {
		return out, nil
	}
	out.Actions, err = a.actions(ctx, r.ID)
	return out, err
}

// incomplete says which list was not read whole, and why.
func incomplete(c store.Collection) string {
	text := c.Kind
	switch {
	case c.Name != "":
		text = fmt.Sprintf("%s of %s", c.Kind, c.Name)
	case c.ObjectID != "":
		text = fmt.Sprintf("%s of %s", c.Kind, c.ObjectID)
	}
	if c.Error == "" {
		return text
	}
	return text + ": " + c.Error
}

// maxActions is how many actions a run is shown with in one answer; a longer plan is paged through.
const maxActions = 10_000

func (a *API) actions(ctx context.Context, run string) ([]client.Action, error) {
	out := []client.Action{}
	for after := (store.ActionPos{}); ; {
		page, next, err := a.actionPage(ctx, run, after, actionPage)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if next == nil {
			return out, nil
		}
		if len(out) >= maxActions {
			return nil, roster.Errorf(roster.TooLarge, "run %s has more than %d actions: page through %s/runs/%s/actions", run, maxActions, Prefix, run)
		}
		after = *next
	}
}

// actionPage is a page of a run's actions after a position, and the position after it; nil: there are no more.
func (a *API) actionPage(ctx context.Context, run string, after store.ActionPos, limit int) ([]client.Action, *store.ActionPos, error) {
	page, err := a.store.Actions(ctx, run, after, limit)
	if err != nil {
		return nil, nil, err
	}
	out := make([]client.Action, 0, len(page))
	for i := range page {
		if page[i].Drift.Kind != roster.LinkKind {
			out = append(out, wireAction(&page[i]))
		}
	}
	if len(page) < limit {
		return out, nil, nil
	}
	last := &page[len(page)-1]
	return out, &store.ActionPos{Phase: last.Phase, N: last.N}, nil
}

func wireAction(r *roster.RunAction) client.Action {
	d := &r.Drift
	out := client.Action{
		Kind: string(d.Kind), Subject: wireSubject(d.Subject), Action: string(d.Action), Reason: d.Reason,
		Evidence: make([]client.Evidence, len(d.Evidence)), State: string(r.State), Note: r.Note, Before: d.Before, After: d.Values,
	}
	for i, e := range d.Evidence {
		out.Evidence[i] = client.Evidence(e)
	}
	return out
}

func wireSubject(s roster.Subject) client.Subject {
	return client.Subject{Type: string(s.Type), ID: optional(s.ID), Name: s.Name, ObjectID: s.ObjectID}
}
