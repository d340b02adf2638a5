package main

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"
)

// fits holds that what a command prints for a person is no wider than a terminal, and says all of these.
func (r result) fits(t *testing.T, says ...string) {
	t.Helper()
	for line := range strings.Lines(r.out) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, text := range says {
		if !strings.Contains(strings.Join(strings.Fields(r.out), " "), text) {
			t.Errorf("no %q in\n%s%s", text, r.out, r.errOut)
		}
	}
}

func TestAConnectionShowsItsPolicyAndItsPause(t *testing.T) {
	answer := `{"name":"entra","kind":"entra","state":"paused","reason":"paused","target":"tenant 1","members":3,"teams":1,
		"paused":{"since":"2026-11-24T03:00:00Z","until":"2026-11-25T03:00:00Z","reason":"` + strings.Repeat("moving the tenant ", 6) + `","by":"local operator"},
		"policy":{"mode":"dry_run","drift":{"orphaned_member":"hold","stale_member":"report","missing_team":"apply"},
			"guards":{"members":{"ceiling":500,"floor":5,"percent":5},"team":{"floor":10,"percent":50}}}}`
	d := startDaemon(t, map[string][]string{"GET /orgs/o/connections/entra": {answer}})
	d.rosterd(context.Background(), "connection show entra --org o").fits(t,
		"paused until 2026-11-25 03:00 UTC, by local operator, since 2026-11-24 03:00 UTC: moving", "rosterd connection resume entra",
		"mode dry-run:", "drift orphaned_member: hold, stale_member: report",
		"guards members: more than 500, or more than 5 and 5%", "team: more than 10 and 50%")
	got := d.rosterd(context.Background(), "connection show entra --org o --json")
	for _, key := range []string{`"paused":{`, `"mode":"dry_run"`, `"ceiling":500`} {
		if !strings.Contains(compact(t, got.out), key) {
			t.Errorf("no %s in %s", key, got.out)
		}
	}
	status := `{"version":"v1","database":"sqlite","connections":[{"organisation":"o","name":"entra","kind":"entra","state":"paused","drift":{},"dry_run":true,
		"paused":{"since":"2026-11-24T03:00:00Z","until":null,"reason":"moving","by":"ada"}}]}`
	startDaemon(t, map[string][]string{"GET /status": {status}}).rosterd(context.Background(), "status").fits(t,
		"entra (entra) of o: paused", "paused until it is resumed, by ada", "mode dry-run")
}

func TestExclusionsAreListedAndNeedAnEnd(t *testing.T) {
	const one = `{"type":"member","id":"1","name":"a.very.long.user.name@example.com","connection":"a-long-connection","until":"2026-12-01T00:00:00Z",` +
		`"reason":"because there is a reason that takes a while to tell","by":"local operator","created_at":"2026-11-24T03:00:00Z"}`
	d := startDaemon(t, map[string][]string{
		"GET /orgs/o/members/exclusions": {page(one)}, "POST /orgs/o/members/exclude": {one}, "POST /orgs/o/members/include": {one},
		"POST /orgs/o/teams/exclude": {one}, "POST /orgs/o/connections/entra/pause": {connectionText}, "POST /orgs/o/connections/entra/resume": {connectionText},
	})
	ctx := context.Background()
	d.rosterd(ctx, "members exclusions --org o").fits(t, "2026-12-01 00:00", "local opera…")
	d.rosterd(ctx, "members exclude ada --org o --until 2026-12-01 --reason why --connection entra").fits(t,
		"Excluded a.very.long.user.name@example.com until 2026-12-01 00:00 UTC. Runs of connection a-long-connection leave it as it is.")
	d.rosterd(ctx, "members include ada --org o").fits(t, "again.")
	d.rosterd(ctx, "connection pause entra --org o --for 2h --reason why").fits(t, "Paused connection entra")
	d.rosterd(ctx, "connection resume entra --org o").fits(t, "Resumed connection entra: now ok.")
	for _, line := range []string{
		"members exclude ada --org o --reason why", "teams exclude eng --org o --for 1d", "teams exclude eng --org o --reason why",
		"members exclude --org o --for 1d --reason why", "members exclude ada --org o --for 1d --until 2026-12-01 --reason why",
		"connection pause entra --org o", "connection pause --org o --reason why",
	} {
		if got := d.rosterd(ctx, line); got.code != exitUsage || got.errOut == "" {
			t.Errorf("%s: exit code %d, %q", line, got.code, got.errOut)
		}
	}
}
