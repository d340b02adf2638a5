package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// Alerter tells operators of what needs them.
type Alerter interface {
	// Test sends a message on every channel that is configured, and says how each fared.
	Test(ctx context.Context, organisation string) ([]roster.AlertTest, error)
}

// watchRoutes are those by which operators watch the daemon.
func (a *API) watchRoutes() {
	route(a, get("/status", "status", "The daemon's account of itself"), a.status)
	route(a, get("/alerts", "list-alerts", "List alerts: what operators are to know of, the oldest first"), a.listAlerts)
	route(a, post("/alerts/test", "test-alerts", "Send a message on every channel of alerts", http.StatusOK), a.testAlerts)
}

type listAlertsInput struct {
	InPage
	Org string `query:"org" doc:"only those of this organisation, by id or name"`
	All bool   `query:"all" doc:"those that are resolved too"`
}

// listAlerts lists alerts, the oldest first, of every organisation that the caller sees.
func (a *API) listAlerts(ctx context.Context, c caller, in *listAlertsInput) (client.Page[client.Alert], error) {
	none := client.Page[client.Alert]{}
	var orgs []roster.Organisation
	var err error
	if in.Org != "" {
		orgs = make([]roster.Organisation, 1)
		orgs[0], err = a.org(ctx, c, in.Org)
	} else {
		orgs, err = a.orgsOf(ctx, c)
	}
	if err != nil {
		return none, err
	}
	all, names := []roster.Alert{}, map[string]string{}
	for i := range orgs {
		found, err := a.store.Alerts(ctx, orgs[i].ID, in.All)
		if err != nil {
			return none, err
		}
		names[orgs[i].ID] = orgs[i].Name
		all = append(all, found...)
	}
	slices.SortFunc(all, func(x, y roster.Alert) int { return cmp.Compare(x.ID, y.ID) })
	items, next, err := pageOf(in.InPage, all, func(x *roster.Alert) string { return x.ID })
	if err != nil {
		return none, err
	}
	return mapped(items, next, func(x *roster.Alert) client.Alert { return wireAlert(x, names[x.Org]) }), nil
}

func wireAlert(x *roster.Alert, org string) client.Alert {
	out := client.Alert{
		ID: x.ID, Organisation: org, Kind: string(x.Kind), SubjectType: x.SubjectType, Subject: x.Subject, Severity: string(x.Severity),
		State: string(x.State), Title: x.Title, Text: x.Text, Details: x.Details, OpenedAt: x.OpenedAt, ResolvedAt: optionalTime(x.ResolvedAt),
		LastSeenAt: x.SeenAt, Deliveries: []client.AlertDelivery{},
	}
	if out.Details == nil {
		out.Details = map[string]any{}
	}
	for i := range x.Deliveries {
		d := &x.Deliveries[i]
		w := client.AlertDelivery{
			ID: d.ID, Channel: d.Channel, What: string(d.What), State: "waiting", Attempts: d.Attempts, CreatedAt: d.CreatedAt,
			SentAt: optionalTime(d.SentAt), Error: d.LastError,
		}
		switch {
		case !d.SentAt.IsZero():
			w.State = "sent"
		case !d.GaveUpAt.IsZero():
			w.State = "given_up"
		default:
			w.NextAttemptAt = optionalTime(d.NextAt)
		}
		out.Deliveries = append(out.Deliveries, w)
	}
	return out
}

// openAlerts are what the daemon's status says of an organisation's alerts.
func (a *API) openAlerts(ctx context.Context, org *roster.Organisation) ([]client.OpenAlert, error) {
	open, err := a.store.Alerts(ctx, org.ID, false)
	if err != nil {
		return nil, err
	}
	out := make([]client.OpenAlert, len(open))
	for i := range open {
		x := &open[i]
		out[i] = client.OpenAlert{
			ID: x.ID, Organisation: org.Name, Kind: string(x.Kind), Subject: x.Subject, Severity: string(x.Severity), Title: x.Title, OpenedAt: x.OpenedAt,
		}
	}
	return out, nil
}

type testAlertsInput struct{}

func (a *API) testAlerts(ctx context.Context, c caller, _ *testAlertsInput) (client.AlertTests, error) {
	none := client.AlertTests{}
	if a.alerts == nil {
		return none, roster.Errorf(roster.Unavailable, "this daemon sends no alerts")
	}
	org := ""
	if !c.local() {
		orgs, err := a.orgsOf(ctx, c)
		if err != nil {
			return none, err
		}
		org = orgs[0].Name
	}
	tests, err := a.alerts.Test(ctx, org)
	if err != nil {
		return none, err
	}
	if len(tests) == 0 {
		return none, roster.Errorf(roster.Conflict,
			"no channel is configured: write alerts.email or alerts.webhook into the configuration file and restart the daemon (docs/alerts.md)")
	}
	out := client.AlertTests{OK: true, Channels: make([]client.AlertTest, len(tests))}
	for i, t := range tests {
		out.Channels[i] = client.AlertTest{Channel: t.Channel, OK: t.OK, Error: t.Error}
		out.OK = out.OK && t.OK
	}
	return out, nil
}
