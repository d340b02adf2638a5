package api_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// alerter only remembers.
type alerter struct {
	tests []roster.AlertTest // what Test returns
	asked []string
}

func (a *alerter) Test(_ context.Context, organisation string) ([]roster.AlertTest, error) {
	a.asked = append(a.asked, organisation)
	return a.tests, nil
}

// alert opens an alert of an organisation, or resolves it.
func (b *bench) alert(org string, state roster.AlertState, told ...roster.AlertDelivery) roster.Alert {
	b.t.Helper()
	ctx := b.t.Context()
	look, err := b.db.BeginLook(ctx, org)
	b.ok(err)
	now, err := b.db.Now(ctx)
	b.ok(err)
	a := roster.Alert{
		Condition: roster.Condition{
			Kind: roster.AlertRunHeld, SubjectType: "connection", SubjectID: "c1", Subject: "entra", Of: roster.NewID(), Severity: roster.SeverityWarning,
			Title: "run held on entra (12 removals)", Text: "It holds 12 removals.", Details: map[string]any{"run": "r1"},
		},
		ID: roster.NewID(), Org: org, State: state, OpenedAt: now, SeenAt: now,
	}
	if state == roster.AlertResolved {
		a.ResolvedAt = now
	}
	for i := range told {
		told[i].ID, told[i].Alert, told[i].CreatedAt, told[i].NextAt = roster.NewID(), a.ID, now, now
	}
	counted, err := b.db.UpdateAlerts(ctx, org, look, now, func([]roster.Alert) roster.AlertChanges {
		return roster.AlertChanges{Alerts: []roster.Alert{a}, Tell: told}
	})
	b.ok(err)
	if !counted {
		b.t.Fatal("the look did not count")
	}
	return a
}

func TestAlertsAreListedWithWhatBecameOfThem(t *testing.T) {
	each(t, func(b *bench) {
		ctx := t.Context()
		open := b.alert(b.acme, roster.AlertOpen, roster.AlertDelivery{Channel: "email", What: roster.TellOpened}, roster.AlertDelivery{Channel: "webhook", What: roster.TellOpened})
		ended := b.alert(b.acme, roster.AlertResolved)
		b.alert(b.beta, roster.AlertOpen)
		for _, want := range []struct {
			channel string
			end     func(d *roster.AlertDelivery, now time.Time)
		}{
			{"email", func(d *roster.AlertDelivery, now time.Time) { d.SentAt = now }},
			{"webhook", func(d *roster.AlertDelivery, now time.Time) {
				d.NextAt, d.LastError = now.Add(time.Minute), "it answered 500"
			}},
		} {
			now, err := b.db.Now(ctx)
			b.ok(err)
			d, err := b.db.ClaimDelivery(ctx, want.channel, now, time.Minute)
			b.ok(err)
			want.end(d, now)
			b.ok(b.db.EndDelivery(ctx, d))
		}
		key := b.remote(b.key("acme", "viewer"))
		got := list(b, key.Alerts(ctx, false, client.ListOptions{}))
		if len(got) != 1 || got[0].ID != open.ID || got[0].Organisation != "acme" || got[0].State != "open" || got[0].ResolvedAt != nil || got[0].Details["run"] != "r1" {
			t.Fatalf("open: %+v", got)
		}
		if d := got[0].Deliveries; len(d) != 2 || d[0].State != "sent" || d[0].SentAt == nil || d[1].State != "waiting" || d[1].NextAttemptAt == nil || d[1].Error != "it answered 500" {
			t.Errorf("deliveries: %+v", d)
		}
		if got := list(b, key.Alerts(ctx, true, client.ListOptions{Organisation: "acme"})); len(got) != 2 || got[1].ID != ended.ID || got[1].State != "resolved" || got[1].ResolvedAt == nil {
			t.Errorf("all: %+v", got)
		}
		b.refused(listError(key.Alerts(ctx, false, client.ListOptions{Organisation: "beta"})), http.StatusNotFound, "not_found", "no organisation")
		if got := list(b, b.local.Alerts(ctx, false, client.ListOptions{})); len(got) != 2 {
			t.Errorf("of all organisations: %+v", got)
		}
		status, err := key.Status(ctx)
		b.ok(err)
		if len(status.Alerts) != 1 || status.Alerts[0].ID != open.ID || status.Alerts[0].Title != open.Title {
			t.Errorf("status: %+v", status.Alerts)
		}
	})
}

func TestChannelsOfAlertsAreTried(t *testing.T) {
	each(t, func(b *bench) {
		ctx := t.Context()
		b.alerts.tests = append(b.alerts.tests, roster.AlertTest{Channel: "webhook", Error: "it answered 404"})
		got, err := b.remote(b.key("acme", "admin")).TestAlerts(ctx)
		b.ok(err)
		if got.OK || len(got.Channels) != 2 || !got.Channels[0].OK || got.Channels[1].Error != "it answered 404" || b.alerts.asked[0] != "acme" {
			t.Errorf("got %+v, asked for %v", got, b.alerts.asked)
		}
		b.alerts.tests = nil
		_, err = b.local.TestAlerts(ctx)
		b.refused(err, http.StatusConflict, "conflict", "no channel is configured")
	})
}
