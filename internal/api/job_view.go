package api

import (
	"context"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// Diagnoser checks a connection against its identity provider; a Runner may be one.
type Diagnoser interface {
	Diagnose(ctx context.Context, org, connectionID string) ([]roster.Finding, error)
}

// job is what the last run read of a connection's own job at the IdP. What was read while it had another target, or before
// it left the configuration, says nothing.
func (h health) job(c *roster.Connection) (*client.Job, *client.Quarantine) {
	j, known := h.jobs[c.ID]
	switch {
	case !known || c.State == roster.ConnectionDetached || j.Target != c.Target:
		return nil, nil
	case c.Kind == roster.KindOkta && j.LogProblem == "": // Okta has a log and no job
		return nil, nil
	}
	out := &client.Job{
		ID: j.ID, State: string(j.State), LastSteadyState: optionalTime(j.SteadyAt), Failures: j.Failures, ReadAt: optionalTime(j.ReadAt),
		Problem: j.Problem, LogProblem: j.LogProblem, RestartedAt: optionalTime(j.RestartedAt), RestartProblem: j.RestartProblem,
	}
	if cy := j.Cycle; cy != nil {
		out.LastCycle = &client.JobCycle{
			Began: optionalTime(cy.Began), Ended: optionalTime(cy.Ended), Failed: cy.Failed, Escrowed: cy.Escrowed, Error: cy.Error,
		}
	}
	q := j.Quarantine
	if q == nil {
		return out, nil
	}
	return out, &client.Quarantine{Reason: q.Reason, Message: q.Message, Since: optionalTime(q.Since), NextAttempt: optionalTime(q.Next)}
}

func (a *API) showConnection(ctx context.Context, s scope, in *connectionInput) (client.Connection, error) {
	c, err := a.connection(ctx, s, in.Name)
	if err != nil {
		return client.Connection{}, err
	}
	h, err := a.health(ctx, s.org.ID)
	if err != nil {
		return client.Connection{}, err
	}
	out, err := a.wireConnection(ctx, &c, h)
	if err != nil {
		return out, err
	}
	out.Lifelines, err = a.lifelines(ctx, &c)
	return out, err
}

func (a *API) diagnoseConnection(ctx context.Context, s scope, in *connectionInput) (client.Diagnosis, error) {
	none := client.Diagnosis{}
	c, err := a.connection(ctx, s, in.Name)
	doctor, able := a.runs.(Diagnoser)
	switch {
	case err != nil:
		return none, err
	case c.Kind == roster.KindSCIM:
		return none, roster.Errorf(roster.Invalid, "connection %s is push only: check it by `rosterd doctor scim`", c.Name)
	case !able:
		return none, roster.Errorf(roster.Unavailable, "this daemon reaches no identity provider")
	}
	found, err := doctor.Diagnose(ctx, s.org.ID, c.ID)
	if err != nil {
		return none, err
	}
	out := client.Diagnosis{Organisation: s.org.Name, Connection: c.Name, Kind: string(c.Kind), OK: true, Checks: make([]client.Finding, len(found))}
	for i, f := range found {
		out.Checks[i] = client.Finding{Check: f.Check, State: string(f.State), Text: f.Text, Fix: f.Fix}
		out.OK = out.OK && f.State != roster.FindingFail
	}
	return out, nil
}

// Provisioner has the IdP's own job send one person; a Runner may be one.
type Provisioner interface {
	Provision(ctx context.Context, org, connectionID, key string) (roster.Provisioned, error)
}

type provisionInput struct {
	InOrg
	Name string `path:"name" doc:"name or id"`
	Body client.Provision
}

func (a *API) provision(ctx context.Context, s scope, in *provisionInput) (client.Provisioned, error) {
	none := client.Provisioned{}
	c, err := a.connection(ctx, s, in.Name)
	control, able := a.runs.(Provisioner)
	switch {
	case err != nil:
		return none, err
	case !able:
		return none, roster.Errorf(roster.Unavailable, "this daemon reaches no identity provider")
	}
	p, err := control.Provision(ctx, s.org.ID, c.ID, in.Body.User)
	if err != nil {
		return none, err
	}
	return client.Provisioned{Connection: c.Name, ObjectID: p.ObjectID, Outcome: p.Outcome, Action: p.Action, Reason: p.Reason, Text: p.Text}, nil
}
